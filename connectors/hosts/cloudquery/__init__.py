"""Hosts unmodified CloudQuery source plugins, which speak plugin protocol v3 over gRPC."""

from connectors.hosts.cloudquery.connector import CloudQuery

__all__ = ["CloudQuery"]
