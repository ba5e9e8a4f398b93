"""OpenLineage events: what dbt, Airflow, Spark, Flink and others say of their runs."""

from connectors.builtin.openlineage.connector import OpenLineage
from connectors.builtin.openlineage.events import BadEvent, Event, read_event
from connectors.builtin.openlineage.history import History, read_events

__all__ = ["BadEvent", "Event", "History", "OpenLineage", "read_event", "read_events"]
