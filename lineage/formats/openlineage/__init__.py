"""Graphs as OpenLineage events, made with the official client's classes."""

from lineage.formats.openlineage.events import graph_events, to_line
from lineage.formats.openlineage.naming import PRODUCER, own_namespace

__all__ = ["PRODUCER", "graph_events", "own_namespace", "to_line"]
