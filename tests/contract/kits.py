"""Adapters that the acceptance kits call, built on the public surface only."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from connectors.testing import Reroute, run_connector


def secoda_host(
    script: str,
    credentials: Mapping[str, str],
    origins: Mapping[str, str],
    workspace: Sequence[Mapping[str, Any]],
) -> dict[str, Any]:
    """Hosts one script; its origins are answered by the kit's local servers, any other is refused."""
    found = run_connector(script, credentials=credentials, http=Reroute(origins), endpoints=list(origins))
    return {
        "resources": [r.model_dump(mode="json", exclude_none=True) for r in found.resources],
        "lineages": [d.model_dump(mode="json", exclude_none=True) for d in found.declarations],
        "error": str(found.error) if found.error else None,
    }
