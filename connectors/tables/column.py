"""A column of a table: its Arrow type and what is promised of its values."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import pyarrow as pa

if TYPE_CHECKING:
    from connectors.tables.record import Record

# (client, record, column) -> the column's value in the record
ColumnResolver = Callable[[Any, "Record", "Column"], Any]

# How the Arrow schema of a CloudQuery table says it, in a field's metadata.
_PRIMARY_KEY, _UNIQUE = b"cq:extension:primary_key", b"cq:extension:unique"
_INCREMENTAL = b"cq:extension:incremental"


class Column:
    """A column, with the CloudQuery SDK's arguments in their order.

    `type` is an Arrow type, or `JSONType()`, `UUIDType()`, `InetType()`. A null in a `primary_key` or `not_null`
    column refuses its row; `unique` and `incremental_key` are told to readers, and not checked. A `resolver`
    gives the values instead of the row's entry of the same name.
    """

    def __init__(
        self,
        name: str,
        type: pa.DataType,
        description: str = "",
        primary_key: bool = False,
        not_null: bool = False,
        incremental_key: bool = False,
        unique: bool = False,
        *,
        resolver: ColumnResolver | None = None,
    ) -> None:
        self.name = name
        self.type = type
        self.description = description
        self.primary_key = primary_key
        self.not_null = not_null
        self.incremental_key = incremental_key
        self.unique = unique
        self.resolver = resolver

    def __repr__(self) -> str:
        return f"Column({self.name!r}, {self.type})"

    def to_arrow_field(self) -> pa.Field:
        """The field, with CloudQuery's metadata."""
        told = {_PRIMARY_KEY: self.primary_key, _UNIQUE: self.unique, _INCREMENTAL: self.incremental_key}
        metadata = {key: b"true" if value else b"false" for key, value in told.items()}
        return pa.field(self.name, self.type, nullable=not self.not_null, metadata=metadata)

    @classmethod
    def from_arrow_field(cls, field: pa.Field) -> Column:
        """The column that a field with CloudQuery's metadata describes."""
        told = {name for name, value in (field.metadata or {}).items() if value == b"true"}
        return cls(
            field.name,
            field.type,
            primary_key=_PRIMARY_KEY in told,
            not_null=not field.nullable,
            incremental_key=_INCREMENTAL in told,
            unique=_UNIQUE in told,
        )
