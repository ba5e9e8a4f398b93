"""The settings of a query log."""

from __future__ import annotations

from typing import Literal, Self
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from pydantic import Field, field_validator, model_validator

from connectors.builtin.database.postgres import PostgresLogin
from connectors.builtin.folder import checked_glob
from connectors.builtin.query_log.columns import Columns, Unit
from connectors.connector import ConnectorConfig

Format = Literal["jsonl", "csv", "parquet"]
_OF_BOTH = {"path", "pg_stat_statements", "dialect", "default_database", "default_schema"}


class StatementCounters(PostgresLogin):
    """The PostgreSQL database whose `pg_stat_statements` is read; what is left out is taken from the credential."""

    @model_validator(mode="after")
    def _one_address(self) -> Self:
        if self.url is not None and self.host is not None:
            raise ValueError("give either url, or host with its user, password and dbname")
        if self.url is not None or self.host is not None:
            self.address()
        return self


class QueryLogSettings(ConnectorConfig):
    """Files of a log, or a PostgreSQL database that counts its statements."""

    path: str | None = Field(
        None, description="A folder, or one file", min_length=1, json_schema_extra={"format": "path"}
    )
    glob: str = Field("**/*", description="Which files below the folder; hidden ones are left out")
    format: Format | None = Field(None, description="jsonl, csv or parquet; default: by the file's name")
    columns: Columns = Field(default_factory=Columns, description="The names of the columns")
    header: list[str] = Field(
        default=[], description="The columns' names of CSV files that have no row of names"
    )
    delimiter: str | None = Field(
        None,
        min_length=1,
        max_length=1,
        description="What separates CSV's fields; default: comma, a tab in .tsv",
    )
    time_unit: Unit | None = Field(
        None, description="What a number as start counts since 1970: s, ms, us, ns"
    )
    timezone: str = Field("UTC", description="The zone of times that name none")
    duration_unit: Unit = Field("s", description="The unit of durations: s, ms, us, ns")
    undated: Literal["reject", "window"] = Field(
        "reject", description="Entries without a start: refused, or taken as of the window"
    )
    skip_older: bool = Field(True, description="Leave out files last modified before the window")
    max_statement_mib: float = Field(10, gt=0, description="Longer lines and statements are refused")
    dialect: str | None = Field(
        None, description="sqlglot's name of the SQL dialect; default: the connection's"
    )
    default_database: str | None = Field(
        None, description="Where entries that name no database look up names without one"
    )
    default_schema: str | None = Field(
        None, description="Where entries that name no schema look up names without one"
    )
    pg_stat_statements: StatementCounters | None = Field(
        None, description="Instead of files: the PostgreSQL database whose counters are read"
    )

    @field_validator("glob")
    @classmethod
    def _relative(cls, glob: str) -> str:
        return checked_glob(glob)

    @field_validator("timezone")
    @classmethod
    def _known(cls, name: str) -> str:
        try:
            ZoneInfo(name)
        except (ZoneInfoNotFoundError, ValueError, OSError):
            raise ValueError("is not a time zone's name, such as Europe/Amsterdam") from None
        return name

    @model_validator(mode="after")
    def _one_source(self) -> Self:
        if (self.path is None) == (self.pg_stat_statements is None):
            raise ValueError("give either path, or pg_stat_statements with the database's address")
        if self.path is None and (of_files := sorted(self.model_fields_set - _OF_BOTH)):
            raise ValueError(f"{', '.join(of_files)}: only for files, not beside pg_stat_statements")
        return self
