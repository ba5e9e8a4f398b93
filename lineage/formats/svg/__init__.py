"""Graphs as pictures: SVG, laid out in layers from left to right."""

from lineage.formats.svg.drawing import MAX_BOXES, picture

__all__ = ["MAX_BOXES", "picture"]
