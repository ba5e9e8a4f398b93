"""What could not be resolved, and why."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import duckdb
import orjson
import pyarrow as pa

# What did not resolve: where it stands, the key of the SQL beside it, and the rest as JSON.
MISSING = "source INTEGER, query VARCHAR, declaration VARCHAR, body VARCHAR"


@dataclass(frozen=True)
class Unresolved:
    """A reference without an edge. `source` numbers the snapshot that it stands in; None for the project's
    file.

    `reference` is the reference's JSON, `query` the key of the SQL beside it, `side` the end of the
    declaration that it is, `counterpart` the other end. `guessed` says that the candidates are only similar
    names.
    """

    reference: Mapping[str, Any]
    side: str
    counterpart: str | None
    reason: str
    message: str
    source: int | None = None
    candidates: Sequence[str] = field(default_factory=tuple)
    query: str | None = None
    declaration: str | None = None
    guessed: bool = False

    def to_json(self) -> str:
        """All but where it stands."""
        apart = ("source", "query", "declaration")
        rest = {name: value for name, value in vars(self).items() if name not in apart}
        return orjson.dumps(rest, option=orjson.OPT_SORT_KEYS).decode()

    @staticmethod
    def same_as(
        describer: str,
        parts: Mapping[str, str | None],
        source: int,
        candidates: Sequence[str],
        *,
        circle: bool,
    ) -> Unresolved:
        reference = {"type": "external_table", **{k: v for k, v in parts.items() if v is not None}}
        reason = "ambiguous" if candidates and not circle else "not_found"
        name = ".".join(v for v in parts.values() if v)
        if circle:
            message = f"same_as of {describer} runs in a circle: none of the tables in it is an owner"
        elif candidates:
            message = f"{describer} says it is the same as {name}, which {len(candidates)} tables are"
        else:
            message = (
                f"{describer} says it is the same as {name}, which no connection owns; it stands by itself"
            )
        return Unresolved(reference, "to", describer, reason, message, source, tuple(candidates))

    @staticmethod
    def same_as_pair(describer: str, owner: str, absent: Sequence[str]) -> Unresolved:
        missing = " and ".join(absent)
        message = f"same_as in the project's file: {missing} is not declared by any connection"
        reference = {"type": "internal_resource", "databuilder_id": absent[0]}
        side, other = ("from", owner) if absent[0] == describer else ("to", describer)
        return Unresolved(reference, side, other, "undeclared_internal", message)

    @staticmethod
    def same_as_circle(describer: str) -> Unresolved:
        message = f"same_as of {describer} runs in a circle: none of the tables in it is an owner"
        reference = {"type": "internal_resource", "databuilder_id": describer}
        return Unresolved(reference, "from", describer, "not_found", message)


def tell(db: duckdb.DuckDBPyConnection, entries: Sequence[Unresolved]) -> None:
    """Adds entries to `missing`."""
    if not entries:
        return
    columns = {
        "source": pa.array([one.source for one in entries], pa.int32()),
        "query": pa.array([one.query for one in entries], pa.string()),
        "declaration": pa.array([one.declaration for one in entries], pa.string()),
        "body": pa.array([one.to_json() for one in entries], pa.string()),
    }
    db.register("told", pa.table(columns))
    db.execute("INSERT INTO missing SELECT * FROM told")
    db.unregister("told")
