"""dbt projects, from the artifacts that dbt writes."""

from connectors.builtin.dbt.connector import Dbt

__all__ = ["Dbt"]
