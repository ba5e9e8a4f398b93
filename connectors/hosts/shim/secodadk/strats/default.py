"""What an integration does without a host: prints its declarations, and asks the network itself."""

import json as _json
from typing import Any

import httpx
import pydantic

from ..ingestion_models import DeclaredLineage, Resource
from .core import IngestResourcesStrategy, NetworkCallStrategy

_TIMEOUT_S = 120


class DefaultIngestResourcesStrategy(IngestResourcesStrategy):
    """One JSON line on standard output for each declaration."""

    def declare_resource(self, resource: Resource) -> None:
        self._print(resource)

    def declare_lineage(self, lineage: DeclaredLineage) -> None:
        self._print(lineage)

    def finalize(self) -> None:
        """Nothing is left to do."""

    def _print(self, declared: pydantic.BaseModel) -> None:
        print(_json.dumps(declared.model_dump(mode="json")))  # noqa: T201 - the SDK's own output


class DefaultNetworkCallStrategy(NetworkCallStrategy):
    """Asks the network with httpx."""

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
        return httpx.request(
            method,
            url,
            params=params,
            headers=headers,
            data=data,
            json=json,
            verify=verify,
            follow_redirects=follow_redirects,
            auth=auth,
            timeout=_TIMEOUT_S,
        )
