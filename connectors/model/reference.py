"""How a declaration names one end, and the declarations themselves.

The names, fields and JSON of the Secoda SDK; `TablesFromSQLQuery` and `DeclaredLineage` have optional fields more.
"""

from __future__ import annotations

import warnings
from datetime import datetime
from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field

Clause = Literal["where", "join", "group_by", "having", "order_by", "window", "qualify", "case"]


class Declared(BaseModel):
    """What connectors declare: unknown fields are dropped, objects of another library's like models are read."""

    model_config = ConfigDict(from_attributes=True, extra="ignore", frozen=True)


class InternalResource(Declared):
    """A resource of the declaring connection, by its `databuilder_id`."""

    type: Literal["internal_resource"] = "internal_resource"
    databuilder_id: str


with warnings.catch_warnings():
    # The SDK's field name `schema` hides a deprecated method of pydantic's; the name is the contract.
    warnings.filterwarnings("ignore", message='Field name "schema"', category=UserWarning)

    class ExternalTable(Declared):
        """A table of any connection. A part that is absent is open; `cluster` is a connection's instance."""

        type: Literal["external_table"] = "external_table"
        cluster: str | None = None
        database: str | None = None
        schema: str | None = None  # type: ignore[assignment]
        table: str

    class ExternalColumn(Declared):
        """A column of a table of any connection."""

        type: Literal["external_column"] = "external_column"
        cluster: str | None = None
        database: str | None = None
        schema: str | None = None  # type: ignore[assignment]
        table: str
        column: str


class TablesFromSQLQuery(Declared):
    """Every table that a query reads. What is not given here is taken from the connection's `defaults`."""

    type: Literal["tables_from_query"] = "tables_from_query"
    sql: str
    dialect: str | None = None
    default_database: str | None = None
    default_schema: str | None = None


LineageID = Annotated[
    InternalResource | ExternalTable | ExternalColumn | TablesFromSQLQuery, Field(discriminator="type")
]


class DeclaredLineage(Declared):
    """Data flows from the first to the second.

    `indirect` says that the first decides which rows the second has, or in what order, and is in none of its
    values; `clauses` says by what. `expression` is how the second is made of the first; `location` is a job's name or
    file:line.
    """

    from_identifier: LineageID
    to_identifier: LineageID
    kind: Literal["direct", "indirect"] = "direct"
    clauses: list[Clause] = Field(default_factory=list)
    expression: str | None = None
    location: str | None = None


class Statement(Declared):
    """SQL that was seen to run, or stands in a script; what it writes and reads becomes lineage.

    `duration_s` is in seconds; `location` is file:line, a job's name or a query id; `count` is how many times it
    ran, 1 for a log's entry, and `duration_s` the mean where it is more.
    """

    sql: str
    dialect: str | None = None
    default_database: str | None = None
    default_schema: str | None = None
    session: str | None = None
    user: str | None = None
    at: datetime | None = None
    duration_s: float | None = None
    rows: int | None = None
    location: str | None = None
    count: int = 1
