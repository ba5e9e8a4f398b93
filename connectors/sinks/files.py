"""Files: Parquet, CSV or JSON lines in a folder or an object store."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from contextlib import AbstractContextManager
from itertools import chain
from pathlib import Path
from typing import Literal

import pyarrow as pa
from pydantic import Field

from connectors.errors import DatasetError, HeadwaterError
from connectors.model import CheckResult
from connectors.sinks.feed import Feed
from connectors.sinks.file_formats import FORMATS, FileFormat
from connectors.sinks.file_places import FilePlace, open_place
from connectors.sinks.fitting import fitted
from connectors.sinks.keys import Keys, kept
from connectors.sinks.names import file_name, name_of
from connectors.sinks.notes import Note
from connectors.sinks.object_store import StoreLogin, store_target, told
from connectors.sinks.sink import KEYED, Delivered, Delivery, Sink, SinkConfig, Target


class _Place(SinkConfig):
    # Of its own, so that it comes before the login.
    path: str = Field(min_length=1, description="Folder or URL, such as ./out or s3://bucket/folder")
    format: Literal["parquet", "csv", "jsonl"] = "parquet"


class Files(Sink):
    """Writes one file for each dataset, or with append a folder with a file for each delivery.

    The file is written beside its place and put there at once. An object store has no lock that all machines see, and
    a file and its note change one after the other: of two machines that deliver one dataset at once, the file of one
    stands, whole, and the note may be the other's. Let one machine deliver a dataset, or use Delta. S3 puts no file
    of more than 5 GiB into its place.
    """

    kinds = frozenset({"files"})

    class Config(StoreLogin, _Place):
        """A folder, or an object store's URL."""

    def target(self, dataset: str) -> Target:
        place = self._place()
        return store_target(place.uri, f"{place.uri}/{self._final(file_name(dataset))}")

    def delivered(self, dataset: str) -> dict[str, int]:
        place, name = self._place(), file_name(dataset)
        with _told(place):
            return self._held(place, name)

    def put(self, delivery: Delivery) -> Delivered:
        place, name = self._place(), file_name(delivery.dataset)
        uri = self.target(delivery.dataset).uri
        with _told(place), place.work(name) as folder:
            held = self._held(place, name)
            if held.get(delivery.partition, delivery.number - 1) >= delivery.number:
                return Delivered(0, uri, already=True)
            delivery.refuse_others(held)
            if self.config.mode == "append":
                return self._append(place, name, delivery)
            return self._exchange(place, name, delivery, held, folder)

    def check(self) -> Iterable[CheckResult]:
        try:
            place = self._place()
            with _told(place):
                place.try_writing()
        except HeadwaterError as error:
            yield CheckResult("write", False, error.message, error.hint)
        else:
            yield CheckResult("write", True, place.uri)

    # -- how each mode writes

    def _append(self, place: FilePlace, name: str, delivery: Delivery) -> Delivered:
        form = self._format()
        self._refuse_other_types(place, name, form, delivery)
        feed = Feed(delivery.records, delivery.dataset, change=form.rows)
        self._write(place, name, form, form.row_schema(delivery.schema), feed, feed.batches())
        partition = file_name(delivery.partition) if delivery.partition else "~"
        place.settle(name, f"{name}/{partition}.{delivery.number:020d}.{form.extension}")
        return Delivered(feed.rows, f"{place.uri}/{name}")

    def _refuse_other_types(self, place: FilePlace, name: str, form: FileFormat, delivery: Delivery) -> None:
        """Files of one folder are read together: the newest one's columns and the new ones must go together."""
        newest = max(place.names(name), key=lambda file: file.rsplit(".", 2)[-2:-1], default=None)
        if newest is not None and self.config.format == "parquet":
            with place.files.open_input_file(place.path(f"{name}/{newest}")) as stream:
                there, _ = form.read(stream)
            form.merged(there, form.row_schema(delivery.schema), place.path(name))

    def _exchange(
        self, place: FilePlace, name: str, delivery: Delivery, held: dict[str, int], folder: Path
    ) -> Delivered:
        form, file = self._format(), self._final(name)
        note = Note(place, name, file)
        deleted = None
        if self.config.mode in KEYED and place.exists(file):
            feed, deleted, digest = self._merge(place, name, delivery, folder)
        else:
            feed = Feed(delivery.records, delivery.dataset, change=form.rows, key=self.config.key)
            schema = form.row_schema(delivery.schema)
            if self.config.mode in KEYED:
                with self._keys(form, schema, delivery, folder) as keys:
                    self._give(keys, form, delivery, schema)
                deleted = 0
            digest = self._write(place, name, form, schema, feed, feed.batches())
        note.announce(held, delivery.partition, delivery.number, digest)
        place.settle(name, file)
        note.confirm({**held, delivery.partition: delivery.number})
        return Delivered(
            feed.rows, f"{place.uri}/{file}", deleted if self.config.mode == "delete_stale" else None
        )

    def _merge(self, place: FilePlace, name: str, delivery: Delivery, folder: Path) -> tuple[Feed, int, str]:
        """Writes what is given, and of the file that is there the rows that it does not take the place of."""
        form, there = self._format(), place.path(self._final(name))
        with place.files.open_input_file(there) as first, place.files.open_input_file(there) as second:
            old_schema, old = form.read(first)
            schema = form.merged(old_schema, form.row_schema(delivery.schema), there)
            for column in self.config.key:
                if isinstance(form, FORMATS["jsonl"]) or column in old_schema.names:
                    continue
                raise DatasetError(f"{there} has no column {column}, which is the sink's key")
            with self._keys(form, schema, delivery, folder) as keys:
                self._give(keys, form, delivery, schema)
                if delivery.stale is not None and self.config.mode == "delete_stale":
                    stale = Feed(delivery.stale, delivery.dataset)
                    with stale.guard():
                        keys.take_stale(self._key_batches(form, stale, schema))
                keys.hold(form.keys(fitted(batch, schema)) for batch in old)
                feed = Feed(
                    delivery.records,
                    delivery.dataset,
                    change=lambda batch: fitted(form.rows(batch), schema),
                    key=self.config.key,
                )
                rest = (fitted(batch, schema) for batch in kept(form.read(second)[1], keys.survivors()))
                digest = self._write(place, name, form, schema, feed, chain(rest, feed.batches()))
                return feed, keys.deleted(), digest

    def _keys(self, form: FileFormat, schema: pa.Schema, delivery: Delivery, folder: Path) -> Keys:
        types = form.keys(_empty(schema)).schema.types
        return Keys(folder, delivery.dataset, self.config.key, types)

    def _give(self, keys: Keys, form: FileFormat, delivery: Delivery, schema: pa.Schema) -> None:
        feed = Feed(delivery.records, delivery.dataset, key=self.config.key)
        with feed.guard():
            keys.give(self._key_batches(form, feed, schema))

    def _key_batches(self, form: FileFormat, feed: Feed, schema: pa.Schema) -> Iterator[pa.RecordBatch]:
        for batch in feed.batches():
            rows = form.rows(batch.select(self.config.key))
            wanted = form.keys(_empty(schema)).schema
            yield fitted(form.keys(rows), wanted)

    def _write(
        self,
        place: FilePlace,
        name: str,
        form: FileFormat,
        schema: pa.Schema,
        feed: Feed,
        batches: Iterable[pa.RecordBatch],
    ) -> str:
        """Gives the digest of what it wrote."""
        with feed.guard(), place.open_begun(name) as stream:
            form.write(stream, schema, batches)
            return stream.digest()

    # -- what is there

    def _held(self, place: FilePlace, name: str) -> dict[str, int]:
        if self.config.mode != "append":
            return Note(place, name, self._final(name)).held()
        pattern = re.compile(rf"(.+)\.(\d{{20}})\.{self.config.format}")
        held: dict[str, int] = {}
        for found in filter(None, map(pattern.fullmatch, place.names(name))):
            partition = name_of(found[1]) if found[1] != "~" else ""
            held[partition] = max(held.get(partition, 0), int(found[2]))
        return held

    def _final(self, name: str) -> str:
        return name if self.config.mode == "append" else f"{name}.{self.config.format}"

    def _format(self) -> FileFormat:
        return FORMATS[self.config.format](self.config.key if self.config.mode in KEYED else ())

    def _place(self) -> FilePlace:
        config = self.config
        options = {
            "region": config.region,
            "endpoint": config.endpoint,
            "access_key": config.access_key_id,
            "secret_key": config.secret(),
        }
        return open_place(config.path, self.folder, options)


def _empty(schema: pa.Schema) -> pa.RecordBatch:
    return pa.RecordBatch.from_pylist([], schema=schema)


def _told(place: FilePlace) -> AbstractContextManager[None]:
    return told(place.uri, OSError, pa.ArrowException)
