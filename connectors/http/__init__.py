"""HTTP for connectors: one client for each connection, held to its policy. Only this folder knows httpx."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from connectors.http.policy import HttpPolicy

if TYPE_CHECKING:
    from connectors.http.client import HttpClient
    from connectors.http.transport import Reroute

__all__ = ["HttpClient", "HttpPolicy", "Reroute"]


def __getattr__(name: str) -> Any:
    # httpx is loaded by the first request; most connectors make none.
    if name == "HttpClient":
        from connectors.http.client import HttpClient

        return HttpClient
    if name == "Reroute":
        from connectors.http.transport import Reroute

        return Reroute
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
