"""Answers to the name `secodadk` where the real package is not installed: its names, headwater's models."""

from .core import SecodaIntegration  # noqa: F401 - the front door has no __all__, as the real one
from .ingestion_models import *  # noqa: F403 - scripts star-import what the real package lets through
