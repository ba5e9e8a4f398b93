"""Small objects that the server keeps beside the graphs: tokens, and what its API creates. One Delta table.

There are thousands at most, so each commit writes all of them: it is based on the whole table, and is lost when any
other came between.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any

import orjson
import pyarrow as pa
from deltalake import CommitProperties, DeltaTable, QueryBuilder, write_deltalake
from deltalake.exceptions import DeltaError, TableNotFoundError

from connectors.errors import StoreError
from lineage.store.tables import retried
from lineage.store.version import TableVersion

FORMAT = "objects 1"
_SCHEMA = pa.schema([(name, pa.string()) for name in ("kind", "key", "body")])

Body = Mapping[str, Any]
Name = tuple[str, str]  # kind and key
Edit = Callable[[Mapping[Name, Body]], Mapping[Name, Body | None]]


class Objects:
    """The objects below a store's `uri`, each a body (what JSON can hold) under a kind and a key."""

    def __init__(self, uri: str, options: Mapping[str, str] | None = None) -> None:
        self.uri = f"{uri}/objects"
        self._options = dict(options or {})

    def version(self) -> TableVersion:
        """What tells whether any object has changed."""
        return TableVersion(self.uri, self._options)

    def all(self, kind: str | None = None) -> dict[Name, Body]:
        """The objects of a kind, or all, by kind and key. Raises StoreError where they cannot be read."""
        with self._explained():
            table = self._open()
            found = {} if table is None else dict(_read(table))
        return {name: body for name, body in found.items() if kind in (None, name[0])}

    def get(self, kind: str, key: str) -> Body | None:
        """One object; None where there is none."""
        return self.all(kind).get((kind, key))

    def put(self, kind: str, key: str, body: Body) -> None:
        """Stores an object, over the one that was there."""
        self.edit(lambda _: {(kind, key): body})

    def delete(self, kind: str, key: str) -> bool:
        """Whether there was one."""
        return bool(self.edit(lambda known: {(kind, key): None} if (kind, key) in known else {}))

    def edit(self, plan: Edit) -> Mapping[Name, Body | None]:
        """Stores in one commit what `plan` makes of all objects: bodies to put, None to delete; gives that.

        The commit holds only if nothing changed meanwhile; otherwise `plan` is called again with what is there now.
        One that raises, or gives nothing, changes nothing. Raises StoreError when it is lost until the deadline.
        """
        with self._explained():
            return retried(self.uri, lambda: self._attempt(plan))

    def delta(self) -> DeltaTable | None:
        """The table as deltalake sees it, for maintenance; None where nothing was ever stored."""
        return self._open()

    def _attempt(self, plan: Edit) -> Mapping[Name, Body | None]:
        table = self._open()
        known = {} if table is None else dict(_read(table))
        changes = plan(known)
        if not changes:
            return changes
        after: dict[Name, Body | None] = {**known, **changes}
        rows = [
            {"kind": kind, "key": key, "body": orjson.dumps(body, option=orjson.OPT_SORT_KEYS).decode()}
            for (kind, key), body in sorted(after.items(), key=lambda item: item[0])
            if body is not None
        ]
        if table is None:
            self._create()
            # Another may have made it, and put something there.
            return self._attempt(plan)
        write_deltalake(
            table,
            pa.Table.from_pylist(rows, schema=_SCHEMA),
            mode="overwrite",
            commit_properties=CommitProperties(max_commit_retries=0),
        )
        return changes

    @contextmanager
    def _explained(self) -> Iterator[None]:
        try:
            yield
        except (DeltaError, OSError) as error:
            cause = str(error).partition("\n")[0]
            raise StoreError(
                f"{self.uri} cannot be read or written: {cause}", hint="look at the storage", retryable=True
            ) from error

    def _open(self) -> DeltaTable | None:
        try:
            table = DeltaTable(self.uri, storage_options=self._options or None)
        except TableNotFoundError:
            return None
        if (table.metadata().description or "") != FORMAT:
            raise StoreError(f"{self.uri} has another format than this headwater reads")
        return table

    def _create(self) -> None:
        DeltaTable.create(
            self.uri,
            schema=_SCHEMA,
            mode="ignore",
            description=FORMAT,
            configuration={
                "delta.logRetentionDuration": "interval 7 days",
                "delta.deletedFileRetentionDuration": "interval 1 days",
            },
            storage_options=self._options or None,
        )


def _read(table: DeltaTable) -> Iterator[tuple[Name, Body]]:
    # Not by pyarrow's datasets: a process that ends soon after reading one is aborted now and then, by their threads.
    query = "SELECT kind, key, body FROM t ORDER BY kind, key"
    try:
        rows = pa.table(QueryBuilder().register("t", table).execute(query).read_all())
    except Exception as error:
        if type(error) is Exception:  # what the query's engine raises has no type of its own
            raise OSError(str(error)) from error
        raise
    for row in rows.to_pylist():
        yield (row["kind"], row["key"]), orjson.loads(row["body"])
