"""Joins the rows of many small messages into few large batches.

A message is an Arrow IPC stream: a schema, record batches, and an end that may be missing. A plugin of the Python
SDK sends one row in each, so that opening streams would be most of the work. Here the schema's bytes are cut off,
what follows is gathered, and read as one stream: `schema, batch, batch, ..., end`.
"""

from __future__ import annotations

import struct
import time
from collections.abc import Callable
from dataclasses import dataclass, field

import pyarrow as pa

from connectors.hosts.cloudquery.columns import NAME

ROWS, BYTES, AGE_S = 10_000, 16 * 1024**2, 1.0
_END = b"\xff\xff\xff\xff\x00\x00\x00\x00"
_SCHEMAS = 10_000  # that are kept, to be told apart quickly
_CONTINUED, _BATCH = 0xFFFFFFFF, 3  # Message.fbs: MessageHeader.RecordBatch
_HEAD = struct.Struct("<II")
_U32, _I32, _I64 = struct.Struct("<I"), struct.Struct("<i"), struct.Struct("<q")
_VTABLE = struct.Struct(
    "<HHHHHH"
)  # its size, the table's, then where version, type, header and body length lie
_SLOT = struct.Struct("<H")
# What Arrow raises of bytes that are no stream: errors of its own, and what Python has for the same.
Unreadable = (pa.ArrowException, ValueError, OSError, KeyError, OverflowError)


@dataclass(slots=True)
class _Group:
    table: str
    bodies: list[bytes] = field(default_factory=list)
    rows: int = 0


class Gatherer:
    """Gathers payloads, and hands each table's rows on in their order.

    `give` gets a table's name and a batch of its rows; `refuse` a table's name ("" where it cannot be told) and the
    cause of a payload that cannot be read: the others are. They are called by `add` and `flush` alone, when 10,000
    rows of a table or 16 MiB are gathered, or at the first message a second later.
    """

    def __init__(
        self,
        give: Callable[[str, pa.RecordBatch], None],
        refuse: Callable[[str, str], None],
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._give = give
        self._refuse = refuse
        self._clock = clock
        self._groups: dict[bytes, _Group] = {}
        self._latest: dict[str, bytes] = {}  # of each table the schema whose rows are gathered
        self._bytes = 0
        self._since = 0.0

    def add(self, payload: bytes) -> None:
        """Takes one payload."""
        parts = split(payload)
        if parts is None:
            self._take_alone(payload)
            return
        schema, body, rows = parts
        group = self._groups.get(schema)
        if group is None or not group.bodies:
            group = self._begin(schema)
            if group is None:
                return
        group.bodies.append(body)
        group.rows += rows
        self._bytes += len(body)
        if self._bytes >= BYTES or self._clock() - self._since >= AGE_S:
            self.flush()
        elif group.rows >= ROWS:
            self._hand_on(schema, group)

    def flush(self) -> None:
        """Hands on all that is gathered."""
        for schema, group in self._groups.items():
            if group.bodies:
                self._hand_on(schema, group)
        self._bytes = 0

    def _begin(self, schema: bytes) -> _Group | None:
        group = self._groups.get(schema)
        if group is None:
            try:
                with pa.ipc.open_stream(schema + _END) as reader:
                    group = _Group(table_name(reader.schema))
            except Unreadable as error:
                self._refuse("", f"a message cannot be read: {one_line(error)}")
                return None
            if len(self._groups) >= _SCHEMAS:  # of a plugin that gives each row a schema of its own
                self.flush()
                self._groups.clear()
                self._latest.clear()
            self._groups[schema] = group
        before = self._latest.get(group.table, schema)
        if before != schema and self._groups[before].bodies:
            self._hand_on(before, self._groups[before])  # the table's rows keep their order
        self._latest[group.table] = schema
        if not self._bytes:
            self._since = self._clock()
        return group

    def _hand_on(self, schema: bytes, group: _Group) -> None:
        bodies, rows = group.bodies, group.rows
        self._bytes -= sum(map(len, bodies))
        group.bodies, group.rows = [], 0
        try:
            table = _read(b"".join((schema, *bodies, _END)))
            if table.num_rows != rows:
                raise ValueError("rows are missing")
        except Unreadable:
            table = self._read_each(group.table, schema, bodies)
        self._hand_on_rows(group.table, table)

    def _read_each(self, name: str, schema: bytes, bodies: list[bytes]) -> pa.Table | None:
        found: list[pa.Table] = []
        for body in bodies:
            try:
                found.append(_read(schema + body + _END))
            except Unreadable as error:
                self._refuse(name, f"a message cannot be read: {one_line(error)}")
        return pa.concat_tables(found) if found else None

    def _take_alone(self, payload: bytes) -> None:
        """Reads a payload that is not as expected by itself: other kinds of messages, or cut off."""
        name = ""
        try:
            with pa.ipc.open_stream(payload) as reader:
                name = table_name(reader.schema)
                before = self._latest.get(name)
                if before is not None and self._groups[before].bodies:
                    self._hand_on(before, self._groups[before])
                table = reader.read_all()
            table.validate(full=True)
        except Unreadable as error:
            self._refuse(name, f"a message cannot be read: {one_line(error)}")
            return
        self._hand_on_rows(name, table)

    def _hand_on_rows(self, name: str, table: pa.Table | None) -> None:
        if table is None:
            return
        for batch in table.combine_chunks().to_batches():
            if batch.num_rows:
                self._give(name, batch)


def split(payload: bytes) -> tuple[bytes, bytes, int] | None:
    """A payload's schema message, its record batch messages, and their rows; None when it is anything else."""
    try:
        first, size = _HEAD.unpack_from(payload)
        at = begin = 8 + size
        if first != _CONTINUED or not size:
            return None
        rows, length = 0, len(payload)
        while at < length:
            mark, size = _HEAD.unpack_from(payload, at)
            if mark != _CONTINUED:
                return None
            if not size:  # the end
                return (payload[:begin], payload[begin:at], rows) if at + 8 == length else None
            found = _batch(payload, at + 8)
            if found is None or found[0] < 0 or found[1] < 0:
                return None
            rows += found[0]
            at += 8 + size + found[1]
        return (payload[:begin], payload[begin:at], rows) if at == length else None
    except (struct.error, IndexError):
        return None


def _batch(payload: bytes, at: int) -> tuple[int, int] | None:
    """The rows and the body's bytes of a record batch whose metadata begin here; None for another message."""
    table = at + _U32.unpack_from(payload, at)[0]
    vtable = table - _I32.unpack_from(payload, table)[0]
    if vtable < at:
        return None
    size, _, _, kind, header, body = _VTABLE.unpack_from(payload, vtable)
    if size < 12 or not kind or payload[table + kind] != _BATCH or not header or not body:
        return None
    header = table + header
    batch = header + _U32.unpack_from(payload, header)[0]
    slots = batch - _I32.unpack_from(payload, batch)[0]
    if slots < at or _SLOT.unpack_from(payload, slots)[0] < 6:
        return None
    length = _SLOT.unpack_from(payload, slots + 4)[0]
    rows = _I64.unpack_from(payload, batch + length)[0] if length else 0
    return rows, _I64.unpack_from(payload, table + body)[0]


def table_name(schema: pa.Schema) -> str:
    """The name of a schema's table; "" when it has none."""
    return str((schema.metadata or {}).get(NAME, b"").decode("utf-8", "replace"))


def one_line(error: BaseException) -> str:
    """An error's text in a line that is not too long."""
    return " ".join(str(error).split())[:500] or type(error).__name__


def _read(stream: bytes) -> pa.Table:
    with pa.ipc.open_stream(stream) as reader:
        table = reader.read_all()
    table.validate(full=True)  # what a plugin sends must not bring us down
    return table
