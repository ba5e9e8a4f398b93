"""Changing what the API created, and taking it over into headwater.yaml."""

from pipelines.overlay.editor import OverlayEditor
from pipelines.overlay.export import Export, exported

__all__ = ["Export", "OverlayEditor", "exported"]
