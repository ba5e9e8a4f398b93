"""Delta tables, in a folder or an object store."""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from itertools import chain
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.dataset as pads
from deltalake import CommitProperties, DeltaTable, Transaction, WriterProperties, write_deltalake
from deltalake.exceptions import CommitFailedError, DeltaError, TableNotFoundError
from pydantic import Field

from connectors.errors import DatasetError, HeadwaterError
from connectors.model import CheckResult
from connectors.sinks.delta_files import take_over
from connectors.sinks.delta_log import application_id, delivered_by_partition
from connectors.sinks.delta_types import refuse_lacking
from connectors.sinks.delta_upkeep import keep_up
from connectors.sinks.feed import Feed
from connectors.sinks.fitting import fitted, merged_schema
from connectors.sinks.keys import Keys, kept
from connectors.sinks.names import file_name
from connectors.sinks.object_store import StoreLogin, store_target, told
from connectors.sinks.sink import KEYED, Delivered, Delivery, Sink, SinkConfig, Target
from connectors.sinks.workplace import BESIDE, remote_workplaces, workplace, workplace_name

# Row groups as deltalake makes them: small ones make a write take twice as long. By key, the table is also read while
# it is written, a row group at a time: there they are small.
_WRITING = WriterProperties(compression="ZSTD")
_WRITING_BY_KEY = WriterProperties(compression="ZSTD", max_row_group_size=131_072)
# Little ahead of the reader: by default the dataset keeps whole files in memory (1.6 GB for 16 million rows).
_SCAN: dict[str, Any] = {
    "batch_readahead": 1,
    "fragment_readahead": 1,
    "fragment_scan_options": pads.ParquetFragmentScanOptions(pre_buffer=False),
}
VACUUM_EVERY = 50


class _Place(SinkConfig):
    # Of its own, so that it comes before the login.
    uri: str = Field(min_length=1, description="Folder or URL, such as ./lake or s3://bucket/lake")


class Delta(Sink):
    """Writes one Delta table for each dataset, and one commit for each delivery.

    A delivery by key writes the table anew: Delta's own merge holds one side in memory, and memory is bounded here.
    Files that a killed delivery left, and those of old versions, are removed after Delta's week, for a writer or
    reader elsewhere may still have them.
    """

    kinds = frozenset({"delta"})

    class Config(StoreLogin, _Place):
        """A folder, or an object store's URL."""

    def __init__(self, config: SinkConfig, folder: Path, *, vacuum_every: int = VACUUM_EVERY) -> None:
        """`vacuum_every`: the versions of a table from one vacuum to the next."""
        super().__init__(config, folder)
        self._vacuum_every = vacuum_every

    def target(self, dataset: str) -> Target:
        return store_target(self._root, f"{self._root}/{file_name(dataset)}")

    def delivered(self, dataset: str) -> dict[str, int]:
        with _told(self.target(dataset).uri):
            table = self._open(self.target(dataset).uri)
            return {} if table is None else delivered_by_partition(table, dataset, self._options)

    def put(self, delivery: Delivery) -> Delivered:
        uri = self.target(delivery.dataset).uri
        refuse_lacking(delivery.schema, delivery.dataset)
        with _told(uri), self._work(delivery.dataset) as folder:
            table = self._open(uri)
            app_id = application_id(delivery.dataset, delivery.partition)
            known = None if table is None else table.transaction_version(app_id)
            if known is not None and known >= delivery.number:
                return Delivered(0, uri, already=True)
            if delivery.after is not None:
                held = {} if table is None else delivered_by_partition(table, delivery.dataset, self._options)
                delivery.refuse_others(held)
            upkeep: list[Transaction] = []
            if table is not None:
                upkeep = keep_up(table, Path(uri) if self._local else None, self._vacuum_every)
            mode = self.config.mode
            # Done again on a newer version, an overwrite would take away what another has written meanwhile, and the
            # first commit would give the table other columns.
            commit = CommitProperties(
                app_transactions=[Transaction(app_id, delivery.number), *upkeep],
                max_commit_retries=None if mode == "append" and table is not None else 0,
            )
            if mode in KEYED:
                return self._by_key(table, uri, delivery, commit, folder)
            if mode == "replace" and self._local and delivery.files:
                return Delivered(take_over(table, uri, delivery, commit), uri)
            schema = delivery.schema.remove_metadata()
            if mode == "append" and table is not None:
                schema = merged_schema(_schema(table), schema, uri)
            feed = Feed(delivery.records, delivery.dataset, change=lambda batch: fitted(batch, schema))
            self._write(table, uri, feed, schema, feed.batches(), commit)
            return Delivered(feed.rows, uri)

    def check(self) -> Iterable[CheckResult]:
        try:
            if self._local:
                _try_writing(Path(self._root))
            else:
                with _told(self._root):
                    DeltaTable.is_deltatable(f"{self._root}/headwater-check", self._options)
        except HeadwaterError as error:
            yield CheckResult("write" if self._local else "reach", False, error.message, error.hint)
        else:
            yield CheckResult("write" if self._local else "reach", True, self._root)

    # -- writing

    def _by_key(
        self, table: DeltaTable | None, uri: str, delivery: Delivery, commit: CommitProperties, folder: Path
    ) -> Delivered:
        key, dataset = self.config.key, delivery.dataset
        there = pa.schema([]) if table is None else _schema(table)
        schema = merged_schema(there, delivery.schema.remove_metadata(), uri)
        if table is not None and (missing := [name for name in key if name not in there.names]):
            raise DatasetError(f"{uri} has no column {', '.join(missing)}, which is the sink's key")
        wanted = pa.schema([schema.field(name) for name in key])
        with Keys(folder, dataset, key, wanted.types) as keys:
            given = Feed(
                delivery.records,
                delivery.dataset,
                change=lambda batch: fitted(batch.select(key), wanted),
                key=key,
            )
            with given.guard():
                keys.give(given.batches())
            if delivery.stale is not None and self.config.mode == "delete_stale":
                stale = Feed(
                    delivery.stale, delivery.dataset, change=lambda batch: fitted(batch.select(key), wanted)
                )
                with stale.guard():
                    keys.take_stale(stale.batches())
            rest: Iterator[pa.RecordBatch] = iter(())
            if table is not None:
                rows = table.to_pyarrow_dataset()
                keys.hold(fitted(batch, wanted) for batch in rows.to_batches(columns=key, **_SCAN))
                rest = (fitted(batch, schema) for batch in kept(rows.to_batches(**_SCAN), keys.survivors()))
            feed = Feed(
                delivery.records, delivery.dataset, change=lambda batch: fitted(batch, schema), key=key
            )
            self._write(table, uri, feed, schema, chain(rest, feed.batches()), commit)
            deleted = keys.deleted() if self.config.mode == "delete_stale" else None
            return Delivered(feed.rows, uri, deleted)

    def _write(
        self,
        table: DeltaTable | None,
        uri: str,
        feed: Feed,
        schema: pa.Schema,
        batches: Iterable[pa.RecordBatch],
        commit: CommitProperties,
    ) -> None:
        append = self.config.mode == "append"
        reader = pa.RecordBatchReader.from_batches(schema, batches)
        with feed.guard():
            write_deltalake(
                uri if table is None else table,
                reader,
                # On no table "error": another that makes it meanwhile is not written over.
                mode="error" if table is None else "append" if append else "overwrite",
                schema_mode=None if table is None else "merge" if append else "overwrite",
                storage_options=self._options or None,
                writer_properties=_WRITING_BY_KEY if self.config.mode in KEYED else _WRITING,
                commit_properties=commit,
            )

    # -- where it is

    @property
    def _local(self) -> bool:
        return "://" not in self.config.uri

    @property
    def _root(self) -> str:
        if not self._local:
            return str(self.config.uri).rstrip("/")
        root = os.path.abspath(self.folder / Path(self.config.uri).expanduser())
        if found := next((sign for sign in "%[]" if sign in root), None):
            raise DatasetError(f"{root}: a Delta table cannot be below a folder with {found} in its name")
        return root

    @property
    def _options(self) -> dict[str, str]:
        config = self.config
        options = {
            "AWS_REGION": config.region,
            "AWS_ENDPOINT_URL": config.endpoint,
            "AWS_ACCESS_KEY_ID": config.access_key_id,
            "AWS_SECRET_ACCESS_KEY": config.secret(),
        }
        given = {name: value for name, value in options.items() if value}
        if (config.endpoint or "").startswith("http://"):
            given["AWS_ALLOW_HTTP"] = "true"
        if str(config.uri).startswith(("s3://", "s3a://")):
            given["aws_conditional_put"] = "etag"
        return given

    @contextmanager
    def _work(self, dataset: str) -> Iterator[Path]:
        name = file_name(dataset)
        folder = Path(self._root) / BESIDE if self._local else remote_workplaces()
        with workplace(folder, name if self._local else workplace_name(f"{self._root}/{name}")) as work:
            yield work

    def _open(self, uri: str) -> DeltaTable | None:
        try:
            return DeltaTable(uri, storage_options=self._options or None)
        except TableNotFoundError:
            return None


def _schema(table: DeltaTable) -> pa.Schema:
    return pa.schema(table.schema().to_arrow()).remove_metadata()


def _try_writing(root: Path) -> None:
    absent = [one for one in (root, *root.parents) if not one.exists()]
    file = root / f".headwater-check-{os.getpid()}"
    try:
        root.mkdir(parents=True, exist_ok=True)
        file.write_bytes(b"headwater")
        file.unlink()
    except OSError as error:
        raise DatasetError(f"{root} cannot be written to: {error.strerror}") from None
    finally:
        for one in absent:
            if one.exists():
                one.rmdir()


@contextmanager
def _told(uri: str) -> Iterator[None]:
    """deltalake's errors in our words."""
    with told(uri, DeltaError, OSError, pa.ArrowException):
        try:
            yield
        except CommitFailedError as error:
            raise _met(uri) from error
        except DeltaError as error:
            if "already exists" in str(error):  # another made the table meanwhile
                raise _met(uri) from error
            raise


def _met(uri: str) -> DatasetError:
    return DatasetError(
        f"{uri}: another delivery was written meanwhile", hint="deliver it again", retryable=True
    )
