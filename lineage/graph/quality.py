"""How much of what connections say became edges: what did not, counted, and the worst of it."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from lineage.graph.shown import reference_name
from lineage.graph.traverse import LineageGraph

MOST = 20  # of each list
_LONGEST = 300  # characters of a text
_NOT_UNDERSTOOD = frozenset({"sql_parse_error", "sql_unsupported", "sql_budget"})


@dataclass(frozen=True)
class Wanted:
    """A name that no edge could be made to or from, and how many `references` ask for it. `candidate` is what it
    likeliest means; `guessed` says that only its name is alike.
    """

    name: str
    references: int
    reason: str
    candidate: str | None
    guessed: bool


@dataclass(frozen=True)
class Misread:
    """A statement that was not understood. `place` is where it stands, or what it feeds; `sql` is how its text, as
    it is stored, begins.
    """

    connection: str
    reason: str
    place: str | None
    message: str
    sql: str | None


@dataclass(frozen=True)
class Read:
    """A connection's statements, and how many of them were not understood."""

    connection: str
    statements: int
    failed: int

    @property
    def share(self) -> float:
        """Of the statements that were understood; 1 where there are none."""
        return 1 - self.failed / self.statements if self.statements else 1.0


@dataclass(frozen=True)
class Quality:
    """Counts are of everything, most first; `wanted` and `misread` are at most `MOST`. `read` is by connection, the
    worst first.
    """

    unresolved: int
    by_connection: Mapping[str, int]
    by_reason: Mapping[str, int]
    wanted: list[Wanted]
    read: list[Read]
    misread: list[Misread]

    @property
    def coverage(self) -> Read:
        """All connections' statements."""
        return Read("", sum(one.statements for one in self.read), sum(one.failed for one in self.read))


def quality_of(graph: LineageGraph) -> Quality:
    """What did not resolve and what was not understood in a graph."""
    entries = graph.unresolved()
    read = [Read(name, one["statements"], one["failed"]) for name, one in graph.header.coverage.items()]
    return Quality(
        unresolved=len(entries),
        by_connection=_most_first(Counter(str(entry["connection"] or "headwater.yaml") for entry in entries)),
        by_reason=_most_first(Counter(entry["reason"] for entry in entries)),
        wanted=_wanted([entry for entry in entries if entry["reason"] not in _NOT_UNDERSTOOD]),
        read=sorted(read, key=lambda one: (one.share, -one.failed, one.connection)),
        misread=[_misread(entry) for entry in entries if entry["reason"] in _NOT_UNDERSTOOD][:MOST],
    )


def _wanted(entries: list[dict[str, Any]]) -> list[Wanted]:
    names = [(reference_name(entry), entry["reason"]) for entry in entries]
    first = dict(zip(reversed(names), reversed(entries), strict=True))
    most = sorted(Counter(names).items(), key=lambda item: (-item[1], item[0]))[:MOST]
    return [
        Wanted(
            _shortened(name),
            count,
            reason,
            next(iter(first[name, reason]["candidates"]), None),
            bool(first[name, reason]["guessed"]),
        )
        for (name, reason), count in most
    ]


def _misread(entry: Mapping[str, Any]) -> Misread:
    sql = _shortened(entry["sql"]) if entry["sql"] else None
    place, message = entry["counterpart"], _shortened(entry["message"])
    return Misread(str(entry["connection"]), entry["reason"], place, message, sql)


def _shortened(text: str) -> str:
    flat = " ".join(text.split())
    return flat if len(flat) <= _LONGEST else flat[: _LONGEST - 1] + "…"


def _most_first(counts: Counter[str]) -> dict[str, int]:
    return dict(sorted(counts.items(), key=lambda item: (-item[1], item[0])))
