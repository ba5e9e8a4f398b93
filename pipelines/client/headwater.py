"""The client of `/api/v1`."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from types import TracebackType
from typing import Any, Literal, Self

from pipelines.client.calls import Calls, segment
from pipelines.client.nexla import NexlaWords
from pipelines.client.runs import RunMetrics, Runs
from pipelines.server.answers import (
    AddedEdge,
    Connection,
    Difference,
    Explanation,
    Graph,
    Impact,
    Reached,
    Received,
    Resource,
    Unresolved,
    Way,
)
from pipelines.server.run_answers import Launched, ScheduleState

Level = Literal["column", "resource", "schema", "database", "connection"]
_PAGE = 1000


class HeadwaterClient:
    """A client of a server. `token` is one that `headwater token create` printed; `timeout` is in seconds.

    Ids may be given in full, as an alias, or by a unique ending. `sources`, `nexsets`, `destinations`, `credentials`,
    `transforms`, `flows` and `metrics` speak in the words of Nexla's SDK, and always need a token. Every method raises
    ApiError, with the `status` and the `hint` of the server's answer.
    """

    def __init__(
        self, base_url: str = "http://127.0.0.1:8090", token: str | None = None, *, timeout: float = 30
    ) -> None:
        self._calls = Calls(base_url, token, timeout)
        self.resources = Resources(self._calls)
        self.lineage = Lineage(self._calls)
        self.unresolved = UnresolvedReferences(self._calls)
        self.connections = Connections(self._calls)
        self.edges = Edges(self._calls)
        self.runs = Runs(self._calls)
        self.run_metrics = RunMetrics(self._calls)
        self._words = NexlaWords(Calls(base_url, token, timeout, below="/nexla"))
        self.sources, self.nexsets = self._words.sources, self._words.nexsets
        self.destinations, self.credentials = self._words.destinations, self._words.credentials
        self.transforms, self.flows = self._words.transforms, self._words.flows
        self.metrics = self._words.metrics

    def sync(
        self,
        *connections: str,
        partition: str | None = None,
        full: bool = False,
        accept_drop: bool = False,
    ) -> Launched:
        """Starts one run that syncs these connections, all without any. Needs a token with the scope `write`."""
        named = {"connections": list(connections)} if connections else {}
        found: Launched = self._calls.post("/sync", named | _how(partition, full, accept_drop))
        return found

    def close(self) -> None:
        """Closes what is open."""
        self._calls.close()
        self._words.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()


class Resources:
    """Resources by words, by id, or all."""

    def __init__(self, calls: Calls) -> None:
        self._calls = calls

    def find(self, words: str, *, limit: int = 100, as_of: str | None = None) -> list[Resource]:
        """At most `limit` (1 to 1000) resources that hold every word, as `headwater find` finds them."""
        found: list[Resource] = self._calls.items("/resources", q=words, limit=limit, as_of=as_of)
        return found

    def get(self, id: str, *, as_of: str | None = None) -> Resource:
        """One resource."""
        found: Resource = self._calls.get(f"/resources/{segment(id)}", as_of=as_of)
        return found

    def iterate(self, words: str | None = None, *, as_of: str | None = None) -> Iterator[Resource]:
        """All resources by id, or all that hold the words, page after page."""
        return self._calls.pages("/resources", q=words, limit=_PAGE, as_of=as_of)


class Lineage:
    """Questions to the graph."""

    def __init__(self, calls: Calls) -> None:
        self._calls = calls

    def upstream(
        self,
        id: str,
        *,
        depth: int | None = None,
        columns: bool = False,
        level: Level | None = None,
        open: bool = False,
        as_of: str | None = None,
    ) -> Reached:
        """Where it comes from, `depth` hops far (None: all the way)."""
        given = {"depth": depth, "columns": columns, "level": level, "open": open, "as_of": as_of}
        found: Reached = self._calls.get("/lineage/upstream", id=id, **given)
        return found

    def downstream(
        self,
        id: str,
        *,
        depth: int | None = None,
        columns: bool = False,
        level: Level | None = None,
        open: bool = False,
        as_of: str | None = None,
    ) -> Reached:
        """What it reaches, `depth` hops far (None: all the way)."""
        given = {"depth": depth, "columns": columns, "level": level, "open": open, "as_of": as_of}
        found: Reached = self._calls.get("/lineage/downstream", id=id, **given)
        return found

    def path(self, start: str, end: str, *, open: bool = False, as_of: str | None = None) -> Way:
        """The edges of a shortest way from one to the other; none where there is no way."""
        found: Way = self._calls.get("/lineage/path", **_ends(start, end), open=open, as_of=as_of)
        return found

    def explain(self, start: str, end: str, *, as_of: str | None = None) -> Explanation:
        """The edges between two resources, each with every reason for it."""
        found: Explanation = self._calls.get("/lineage/explain", **_ends(start, end), as_of=as_of)
        return found

    def impact(
        self,
        *ids: str,
        depth: int | None = None,
        columns: bool = False,
        open: bool = False,
        as_of: str | None = None,
    ) -> Impact:
        """What a change of the resources reaches, counted by kind and by owner."""
        given = {"depth": depth, "columns": columns, "open": open, "as_of": as_of}
        found: Impact = self._calls.get("/lineage/impact", id=list(ids), **given)
        return found

    def diff(self, before: str, after: str) -> Difference:
        """What differs between two partitions, and what that breaks."""
        found: Difference = self._calls.get("/lineage/diff", before=before, after=after)
        return found

    def export(
        self,
        *,
        focus: str | None = None,
        depth: int | None = None,
        columns: bool | None = None,
        as_of: str | None = None,
    ) -> Graph:
        """The whole graph, or what is around one resource."""
        given = {"focus": focus, "depth": depth, "columns": columns, "as_of": as_of}
        found: Graph = self._calls.get("/lineage/export", **given)
        return found

    def receive(self, events: Mapping[str, Any] | Sequence[Mapping[str, Any]]) -> Received:
        """Sends OpenLineage events, for a connection of the project to read; all are taken or none. Needs `write`."""
        found: Received = self._calls.post("/lineage", events)
        return found


class UnresolvedReferences:
    """What did not resolve, and why."""

    def __init__(self, calls: Calls) -> None:
        self._calls = calls

    def list(
        self,
        *,
        connection: str | None = None,
        reason: str | None = None,
        limit: int = 100,
        as_of: str | None = None,
    ) -> list[Unresolved]:
        """At most `limit` (1 to 1000) of them."""
        given = {"connection": connection, "reason": reason, "limit": limit, "as_of": as_of}
        found: list[Unresolved] = self._calls.items("/unresolved", **given)
        return found

    def iterate(
        self, *, connection: str | None = None, reason: str | None = None, as_of: str | None = None
    ) -> Iterator[Unresolved]:
        """All of them, page after page."""
        given = {"connection": connection, "reason": reason, "limit": _PAGE, "as_of": as_of}
        return self._calls.pages("/unresolved", **given)


class Connections:
    """The project's connections, without their configuration. To start work needs a token with the scope `write`;
    `HeadwaterClient.runs` tells of it.
    """

    def __init__(self, calls: Calls) -> None:
        self._calls = calls

    def list(self) -> list[Connection]:
        """All of them, by name."""
        return list(self._calls.pages("/connections", limit=_PAGE))

    def get(self, name: str) -> Connection:
        """One of them."""
        found: Connection = self._calls.get(f"/connections/{segment(name)}")
        return found

    def sync(
        self, name: str, *, partition: str | None = None, full: bool = False, accept_drop: bool = False
    ) -> Launched:
        """Starts a sync for a partition, by default the one under way. `full` begins from the start, `accept_drop` lets
        a loss of resources through.
        """
        return self._start(name, "sync", _how(partition, full, accept_drop))

    def preview(self, name: str, *, limit: int = 5) -> Launched:
        """Starts an extract that stores nothing; its result has `limit` (1 to 100) masked samples of each kind."""
        return self._start(name, "preview", {"limit": limit})

    def check(self, name: str) -> Launched:
        """Starts a trial of the connection."""
        return self._start(name, "check", None)

    def schedule(self, name: str, on: bool) -> ScheduleState:
        """Turns its schedule on or off."""
        found: ScheduleState = self._calls.post(f"/connections/{segment(name)}/schedule", {"on": on})
        return found

    def _start(self, name: str, what: str, given: Any) -> Launched:
        found: Launched = self._calls.post(f"/connections/{segment(name)}/{what}", given)
        return found


class Edges:
    """Edges by hand; these need a token with the scope `write`."""

    def __init__(self, calls: Calls) -> None:
        self._calls = calls

    def add(self, start: str, end: str, *, note: str | None = None) -> AddedEdge:
        """Adds an edge from the newest partition on. When this returns, the graph shows it."""
        body = _ends(start, end) | ({"note": note} if note is not None else {})
        found: AddedEdge = self._calls.post("/edges", body)
        return found

    def remove(self, start: str, end: str) -> None:
        """Removes an edge that was added by hand."""
        self._calls.delete("/edges", **_ends(start, end))


def _how(partition: str | None, full: bool, accept_drop: bool) -> dict[str, Any]:
    return {"partition": partition, "full": full, "accept_drop": accept_drop}


def _ends(start: str, end: str) -> dict[str, str]:
    return {"from": start, "to": end}
