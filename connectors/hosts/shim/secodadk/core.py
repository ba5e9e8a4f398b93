"""The class that Secoda integrations subclass."""

import abc
from typing import Any

from .ingestion_models import DeclaredLineage, Resource
from .strats.core import IngestResourcesStrategy, NetworkCallStrategy
from .strats.default import DefaultIngestResourcesStrategy, DefaultNetworkCallStrategy


class SecodaIntegration(abc.ABC):
    """Declares resources and lineage, and reaches its source through the host's HTTP verbs."""

    def __init__(
        self,
        *,
        credentials: dict[str, str],
        ingest_resources_strategy: IngestResourcesStrategy | None = None,
        network_call_strategy: NetworkCallStrategy | None = None,
    ) -> None:
        self.credentials = credentials
        self.ingest_resources_strategy = ingest_resources_strategy or DefaultIngestResourcesStrategy()
        self.network_call_strategy = network_call_strategy or DefaultNetworkCallStrategy()

    @abc.abstractmethod
    def extract(self) -> None:
        """Reads the source and declares what it finds."""

    def start(self) -> None:
        """Extracts, then finalizes."""
        self.extract()
        self.finalize()

    def finalize(self) -> None:
        """Finalizes both strategies."""
        self.ingest_resources_strategy.finalize()
        self.network_call_strategy.finalize()

    def declare_resource(self, resource: Resource) -> None:
        """Adds a catalogue entry."""
        self.ingest_resources_strategy.declare_resource(resource)

    def declare_lineage(self, lineage: DeclaredLineage) -> None:
        """Adds a declaration."""
        self.ingest_resources_strategy.declare_lineage(lineage)

    def http_get(
        self,
        url: str,
        *,
        params: Any = None,
        headers: Any = None,
        follow_redirects: bool = False,
        verify: bool | str = True,
        auth: Any = None,
    ) -> Any:
        """GET."""
        return self.network_call_strategy.make_request(
            "GET",
            url,
            params=params,
            headers=headers,
            follow_redirects=follow_redirects,
            verify=verify,
            auth=auth,
        )

    def http_post(
        self,
        url: str,
        *,
        params: Any = None,
        headers: Any = None,
        data: Any = None,
        json: Any = None,
        follow_redirects: bool = False,
        verify: bool | str = True,
        auth: Any = None,
    ) -> Any:
        """POST."""
        return self._with_body("POST", url, params, headers, data, json, follow_redirects, verify, auth)

    def http_put(
        self,
        url: str,
        *,
        params: Any = None,
        headers: Any = None,
        data: Any = None,
        json: Any = None,
        follow_redirects: bool = False,
        verify: bool | str = True,
        auth: Any = None,
    ) -> Any:
        """PUT."""
        return self._with_body("PUT", url, params, headers, data, json, follow_redirects, verify, auth)

    def http_patch(
        self,
        url: str,
        *,
        params: Any = None,
        headers: Any = None,
        data: Any = None,
        json: Any = None,
        follow_redirects: bool = False,
        verify: bool | str = True,
        auth: Any = None,
    ) -> Any:
        """PATCH."""
        return self._with_body("PATCH", url, params, headers, data, json, follow_redirects, verify, auth)

    def http_delete(
        self,
        url: str,
        *,
        params: Any = None,
        headers: Any = None,
        data: Any = None,
        json: Any = None,
        follow_redirects: bool = False,
        verify: bool | str = True,
        auth: Any = None,
    ) -> Any:
        """DELETE."""
        return self._with_body("DELETE", url, params, headers, data, json, follow_redirects, verify, auth)

    def _with_body(
        self,
        method: str,
        url: str,
        params: Any,
        headers: Any,
        data: Any,
        json: Any,
        follow_redirects: bool,
        verify: bool | str,
        auth: Any,
    ) -> Any:
        return self.network_call_strategy.make_request(
            method,
            url,
            params=params,
            headers=headers,
            data=data,
            json=json,
            follow_redirects=follow_redirects,
            verify=verify,
            auth=auth,
        )
