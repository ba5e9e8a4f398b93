"""HTTP for connectors: one client for each connection, held to its policy. Only this folder knows httpx."""

from connectors.http.client import HttpClient
from connectors.http.policy import HttpPolicy
from connectors.http.transport import Reroute

__all__ = ["HttpClient", "HttpPolicy", "Reroute"]
