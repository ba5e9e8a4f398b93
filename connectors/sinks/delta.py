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
from pydantic import Field, SecretStr

from connectors.errors import DatasetError, HeadwaterError
from connectors.model import CheckResult
from connectors.sinks.delta_log import application_id, delivered_by_partition
from connectors.sinks.delta_types import refuse_lacking
from connectors.sinks.feed import Feed
from connectors.sinks.fitting import fitted, merged_schema
from connectors.sinks.keys import Keys, kept
from connectors.sinks.names import file_name
from connectors.sinks.sink import KEYED, Delivered, Delivery, Sink, SinkConfig, Target
from connectors.sinks.workplace import BESIDE, remote_workplaces, workplace, workplace_name

_WRITING = WriterProperties(compression="ZSTD", max_row_group_size=131_072)
# Little ahead of the reader: by default the dataset keeps whole files in memory (1.6 GB for 16 million rows).
_SCAN: dict[str, Any] = {
    "batch_readahead": 1,
    "fragment_readahead": 1,
    "fragment_scan_options": pads.ParquetFragmentScanOptions(pre_buffer=False),
}
_VACUUM_EVERY = 50  # versions


class Delta(Sink):
    """Writes one Delta table for each dataset, and one commit for each delivery.

    A delivery by key writes the table anew: Delta's own merge holds one side in memory, and memory is bounded here.
    Files that a killed delivery left, and those of old versions, are removed after Delta's week, for a writer or
    reader elsewhere may still have them.
    """

    kinds = frozenset({"delta"})

    class Config(SinkConfig):
        """A folder, or an object store's URL."""

        uri: str = Field(min_length=1, description="Folder or URL, such as ./lake or s3://bucket/lake")
        region: str | None = Field(None, description="Of S3")
        endpoint: str | None = Field(
            None, description="Of a store that speaks S3, such as http://localhost:9000"
        )
        access_key_id: str | None = None
        secret_access_key: SecretStr | None = None

    def target(self, dataset: str) -> Target:
        uri = f"{self._root}/{file_name(dataset)}"
        if self._local:
            return Target(uri, "file", "file", table=uri)
        scheme, _, rest = uri.partition("://")
        bucket, _, below = rest.partition("/")
        return Target(uri, scheme, f"{scheme}://{bucket}", table=below)

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
            if table is not None:
                self._vacuum(table)
            mode = self.config.mode
            # Done again on a newer version, an overwrite would take away what another has written meanwhile.
            commit = CommitProperties(
                app_transactions=[Transaction(app_id, delivery.number)],
                max_commit_retries=None if mode == "append" else 0,
            )
            if mode in KEYED:
                return self._by_key(table, uri, delivery, commit, folder)
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
                writer_properties=_WRITING,
                commit_properties=commit,
            )

    def _vacuum(self, table: DeltaTable) -> None:
        if table.version() % _VACUUM_EVERY == _VACUUM_EVERY - 1:
            table.vacuum(dry_run=False, full=True)
            table.update_incremental()

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
        secret = config.secret_access_key.get_secret_value() if config.secret_access_key else None
        options = {
            "AWS_REGION": config.region,
            "AWS_ENDPOINT_URL": config.endpoint,
            "AWS_ACCESS_KEY_ID": config.access_key_id,
            "AWS_SECRET_ACCESS_KEY": secret,
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
    """deltalake's errors in our words. They may quote a value, or the options of a store."""
    try:
        yield
    except CommitFailedError as error:
        raise DatasetError(
            f"{uri}: another delivery was written meanwhile", hint="deliver it again", retryable=True
        ) from error
    except DeltaError as error:
        cause = "the disk is full" if "No space left" in str(error) else type(error).__name__
        raise DatasetError(
            f"{uri} cannot be written: {cause}", retryable="already exists" in str(error)
        ) from error
    except (OSError, pa.ArrowException) as error:
        cause = getattr(error, "strerror", None) or type(error).__name__
        raise DatasetError(f"{uri} cannot be written: {cause}") from error
