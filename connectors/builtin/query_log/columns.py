"""Which column of a log holds what."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Literal

from pydantic import Field

from connectors.connector import ConnectorConfig
from connectors.errors import UnexpectedAnswer

Unit = Literal["s", "ms", "us", "ns"]
PER_SECOND: dict[Unit, int] = {"s": 1, "ms": 1_000, "us": 1_000_000, "ns": 1_000_000_000}

# The names that are looked for where none is configured; of several the first in this order is taken.
COMMON_NAMES: dict[str, tuple[str, ...]] = {
    "text": ("sql", "query", "query_text", "statement", "sql_text", "querytxt"),
    "user": ("user", "user_name", "username", "user_email", "usename"),
    "started": ("started", "started_at", "start_time", "starttime", "query_start", "timestamp"),
    "duration": ("duration", "duration_s", "duration_ms", "duration_us", "duration_ns"),
    "session": ("session", "session_id"),
    "database": ("database", "database_name", "dbname", "datname"),
    "schema": ("schema", "schema_name"),
    "dialect": ("dialect",),
    "rows": ("rows", "row_count", "rows_produced"),
    "query_id": ("query_id", "queryid", "job_id"),
}
ROLES = tuple(COMMON_NAMES)
_NAME = re.compile(r"[^\W\d][\w$.\- ]{0,59}")
# A duration found by one of these names has the unit that the name says.
_UNIT_OF_NAME: dict[str, Unit] = {f"duration_{unit}": unit for unit in PER_SECOND}


class Columns(ConnectorConfig):
    """The names of a log's columns, upper or lower case alike. One not set is looked for by its common names."""

    text: str | None = Field(None, min_length=1, description="The statement's SQL")
    user: str | None = Field(None, min_length=1, description="Who ran it")
    started: str | None = Field(None, min_length=1, description="When it started")
    duration: str | None = Field(None, min_length=1, description="How long it ran, in `duration_unit`")
    session: str | None = Field(None, min_length=1, description="The session that it ran in")
    database: str | None = Field(
        None, min_length=1, description="Where it looked up names without a database"
    )
    schema_: str | None = Field(
        None, alias="schema", min_length=1, description="Where it looked up names without a schema"
    )
    dialect: str | None = Field(None, min_length=1, description="sqlglot's name of its dialect")
    rows: str | None = Field(None, min_length=1, description="How many rows it gave or changed")
    query_id: str | None = Field(None, min_length=1, description="The system's id of it")

    def named(self, role: str) -> str | None:
        """The configured name of a role's column."""
        name: str | None = getattr(self, "schema_" if role == "schema" else role)
        return name


@dataclass(frozen=True)
class Layout:
    """Where in an entry's columns each role stands, in the order of `ROLES`; None where there is none."""

    names: tuple[str | None, ...]
    places: tuple[int | None, ...]
    per_second: int  # of the duration

    @property
    def taken(self) -> str:
        """The roles that have a column, for a person to read."""
        return ", ".join(f"{role}: {name}" for role, name in zip(ROLES, self.names, strict=True) if name)

    def has(self, role: str) -> bool:
        return self.places[ROLES.index(role)] is not None


def find_columns(columns: Columns, there: Sequence[str], duration_unit: Unit) -> Layout:
    """The roles' columns among those that are there. A configured one may be absent: entries leave out what is null."""
    by_name: dict[str, int] = {}
    for number, name in enumerate(there):
        by_name.setdefault(name.casefold(), number)
    places: list[int | None] = []
    unit = duration_unit
    for role, common in COMMON_NAMES.items():
        configured = columns.named(role)
        wanted = (configured.casefold(),) if configured else common
        place = next((by_name[name] for name in wanted if name in by_name), None)
        places.append(place)
        if role == "duration" and not configured and place is not None:
            unit = _UNIT_OF_NAME.get(there[place].casefold(), duration_unit)
    names = tuple(None if place is None else there[place] for place in places)
    return Layout(names, tuple(places), PER_SECOND[unit])


def missing(columns: Columns, role: str, there: Iterable[str]) -> str:
    """What to say of entries that have no column for a role."""
    configured = columns.named(role)
    wanted = f"no {configured}" if configured else f"none of {', '.join(COMMON_NAMES[role])}"
    # A file without a row of names has values for names, which may be long, or nobody's business.
    listed = sorted(name if _NAME.fullmatch(name) else "(no name)" for name in there)
    shown = ", ".join(listed[:30]) + (" ..." if len(listed) > 30 else "")
    return f"no column for `{role}`: there is {wanted} among {shown or 'no columns at all'}"


def require(columns: Columns, layout: Layout, there: Sequence[str], where: str, *, started: bool) -> None:
    """Raises UnexpectedAnswer for a file that lacks the text, a configured column, or the start if that is needed."""
    needed = {"text", *(["started"] if started else []), *(role for role in ROLES if columns.named(role))}
    for role in ROLES:
        if role in needed and not layout.has(role):
            hint = f"name the column in `columns.{role}`"
            if role == "started" and not columns.named(role):
                hint += ", or take entries without a time with `undated: window`"
            raise UnexpectedAnswer(f"{where}: {missing(columns, role, there)}", hint=hint)
