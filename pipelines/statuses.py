"""How runs, and their parts, stand or have ended."""

from __future__ import annotations

QUEUED, RUNNING, CANCELED = "QUEUED", "RUNNING", "CANCELED"
SUCCESS, WARNING, FAILED = "SUCCESS", "WARNING", "FAILED"
STATUSES = (QUEUED, RUNNING, SUCCESS, WARNING, FAILED, CANCELED)
