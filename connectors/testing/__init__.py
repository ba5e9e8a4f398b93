"""What a connector's author runs: a connector without Dagster or a store, with answers from a test."""

from connectors.http import Reroute
from connectors.testing.run import Extract, run_connector, today

__all__ = ["Extract", "Reroute", "run_connector", "today"]
