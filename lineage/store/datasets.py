"""What is stored of connections' tables, as a snapshot's header says it: parts, and where to go on."""

from __future__ import annotations

import base64
import hashlib
import re
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, replace
from typing import Any

import pyarrow as pa

from connectors.model import Dataset, TableReport

REFUSED = "_refused"  # the table of the rows that could not be taken


@dataclass(frozen=True)
class Part:
    """What one run gave of one table: in which Delta table below the store, under which tag, how many rows."""

    folder: str
    sync: str
    rows: int = 0


@dataclass(frozen=True)
class StoredDataset:
    """What is stored of a table. `settled` parts stand for good; `unsettled` ones came from runs that did not read it
    to its end, and lie over them until one does. `cursors` is where the next run goes on; `rows` is how many rows the
    last run gave that read it to its end. One that `is_state` has cursors and no records. In a part
    of one that is `distinct` no key stands twice. `schema` has the columns as the last run gave them, in Arrow's own
    form; "" where that is not known.
    """

    keys: tuple[str, ...] = ()
    incremental: bool = False
    parent: str | None = None
    settled: tuple[Part, ...] = ()
    unsettled: tuple[Part, ...] = ()
    cursors: Mapping[str, str] = field(default_factory=dict)
    rows: int = 0
    refused: int = 0
    errors: int = 0
    complete: bool = True
    is_state: bool = False
    distinct: bool = False
    schema: str = ""

    @classmethod
    def from_json(cls, data: Mapping[str, Any]) -> StoredDataset:
        """As a snapshot's header holds it."""
        parts = {name: tuple(Part(**part) for part in data[name]) for name in ("settled", "unsettled")}
        return cls(**{**data, **parts, "keys": tuple(data["keys"])})

    def to_json(self) -> dict[str, Any]:
        return asdict(self)

    @property
    def columns(self) -> pa.Schema | None:
        """The columns as the last run gave them, None where that is not known."""
        return read_schema(self.schema) if self.schema else None

    def after(
        self,
        dataset: Dataset,
        part: Part | None,
        report: TableReport,
        *,
        replaces: bool,
        schema: pa.Schema | None = None,
    ) -> StoredDataset:
        """What is stored once a run is, that gave this part. `replaces`: an incremental table was read whole, too."""
        given = (part,) if part else ()
        told: dict[str, Any] = {
            "keys": dataset.keys,
            "incremental": dataset.incremental,
            "parent": dataset.parent,
            "refused": report.refused,
            "errors": report.errors,
            "complete": report.complete,
            "distinct": dataset.distinct,
            "schema": schema_text(schema) if schema is not None else self.schema,
        }
        replacing = replaces or report.from_start
        if dataset.incremental and replacing and report.doubtful and self.settled:
            # It may not have all: with a key it is merged, without one it lies over what there is.
            replacing = False
            if not dataset.keys:
                return replace(self, **told, unsettled=(*self.unsettled, *given))
        if not report.settled:
            # What was itself read to its end has all that the cut runs before it had: they went on from the same place.
            before = () if report.whole else self.unsettled
            cursors = {} if report.started_over else self.cursors
            return replace(self, **told, unsettled=(*before, *given), cursors=cursors)
        kept = self.settled if dataset.incremental and not replacing else ()
        cursors = self.cursors if report.cursors is None else report.cursors
        return replace(self, **told, settled=(*kept, *given), unsettled=(), cursors=cursors, rows=report.rows)


def schema_text(schema: pa.Schema) -> str:
    """A schema as text."""
    return base64.b64encode(schema.remove_metadata().serialize()).decode()


def read_schema(text: str) -> pa.Schema:
    """The schema of a text."""
    return pa.ipc.read_schema(pa.py_buffer(base64.b64decode(text)))


def table_folder(connection: str, table: str, schema: pa.Schema) -> str:
    """Where the rows of a table with this schema lie: another schema is another Delta table."""
    text = "\n".join(f"{field.name}\0{field.type}" for field in schema)
    plain = re.sub(r"[^A-Za-z0-9_-]", "_", table)[:80]
    mark = hashlib.blake2b(f"{table}\0{text}".encode(), digest_size=4).hexdigest()
    return f"records/{connection}/{plain}/{mark}"
