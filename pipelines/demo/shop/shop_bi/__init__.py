"""The shop's BI tool: a small web API."""
