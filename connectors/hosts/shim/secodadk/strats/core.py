"""The two strategies that a host injects."""

import abc
from typing import Any

from ..ingestion_models import DeclaredLineage, Resource


class IngestResourcesStrategy(abc.ABC):
    """Takes what an integration declares."""

    @abc.abstractmethod
    def declare_resource(self, resource: Resource) -> None:
        """Takes a catalogue entry."""

    @abc.abstractmethod
    def declare_lineage(self, lineage: DeclaredLineage) -> None:
        """Takes a declaration."""

    @abc.abstractmethod
    def finalize(self) -> None:
        """Called once, after the extract."""


class NetworkCallStrategy(abc.ABC):
    """Makes an integration's requests."""

    @abc.abstractmethod
    def make_request(
        self,
        method: str,
        url: str,
        *,
        params: Any = None,
        headers: Any = None,
        data: Any = None,
        json: Any = None,
        verify: bool | str = True,
        follow_redirects: bool = False,
        auth: Any = None,
    ) -> Any:
        """Gives an `httpx.Response`; never raises for its status."""

    def finalize(self) -> None:  # noqa: B027 - optional, as in the SDK
        """Called once, after the extract."""
