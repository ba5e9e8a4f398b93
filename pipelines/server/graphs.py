"""The newest graph in memory, and a few older ones; new ones are taken up while requests go on."""

from __future__ import annotations

import gc
import logging
from collections import OrderedDict
from collections.abc import Callable, Sequence
from concurrent.futures import Future
from threading import Lock

import pyarrow as pa
from anyio import to_thread

from connectors.errors import HeadwaterError, LineageError, StoreError
from lineage.graph.traverse import LineageGraph
from lineage.store import GraphHeader, Store
from lineage.store.version import TableVersion
from pipelines.server.reading import Reading

KEPT = 4  # older graphs
MOST_KEYS = 256  # of `as_of` whose header is remembered
log = logging.getLogger("headwater.server")


class Graphs:
    """The graphs of a store. `look` takes up what is new; it is to be called again and again from one thread.

    `patterns` gives those of the project that say what is intermediate.
    """

    def __init__(self, store: Store, version: TableVersion, patterns: Callable[[], Sequence[str]]) -> None:
        self._store = store
        self._version = version
        self._patterns = patterns
        self._seen: tuple[object, ...] = ()
        self._looking = Lock()
        self._newest: Reading | None = None
        self._kept: OrderedDict[str, Future[Reading]] = OrderedDict()
        self._headers: dict[str, GraphHeader] = {}
        self._lock = Lock()
        self.trouble: str | None = "the store has not been read yet"

    @property
    def newest(self) -> Reading | None:
        """The newest graph; None where there is none yet."""
        return self._newest

    async def reading(self, as_of: str | None = None) -> Reading:
        """The newest graph, or the newest at or before a partition.

        Raises LineageError when there is none, StoreError where that cannot be known.
        """
        if as_of is not None:
            return await to_thread.run_sync(self._older_reading, as_of)
        newest = self._newest
        if newest is None:
            if self.trouble:
                raise StoreError(self.trouble, hint="try again in a moment", retryable=True)
            raise LineageError("there is no graph yet", hint="run `headwater sync`")
        return newest

    # -- what is new

    def look(self) -> None:
        """Takes up the newest graph, when it is another one than before. Never raises: `trouble` tells of it."""
        with self._looking:
            try:
                self._take_up()
            except Exception as error:
                if self.trouble is None:
                    log.exception("the store cannot be read; the last graph is served on")
                self.trouble = f"the store cannot be read ({type(error).__name__})"
            else:
                self.trouble = None

    def _take_up(self) -> None:
        patterns = tuple(self._patterns())
        seen = (self._version.read(), patterns)
        if seen == self._seen and self.trouble is None:
            return
        header = self._store.graphs.newest()
        newest = self._newest
        if header is None:
            self._newest = None
        elif newest is None or newest.graph.header != header or newest.patterns != patterns:
            self._newest = Reading(LineageGraph(header, self._store), patterns)
        with self._lock:
            self._seen = seen
            self._headers.clear()
        if newest is not self._newest and newest is not None:
            del newest
            gc.collect()
            pa.default_memory_pool().release_unused()

    # -- older ones

    def _older_reading(self, as_of: str) -> Reading:
        header = self._header(as_of)
        newest = self._newest
        if newest is not None and newest.graph.header == header:
            return newest
        key = f"{header.partition} {header.run_id} {header.built_at} {header.content}"
        with self._lock:
            found = self._kept.get(key)
            mine = found is None
            if found is None:
                found = self._kept[key] = Future()
                while len(self._kept) > KEPT:
                    self._kept.popitem(last=False)
            else:
                self._kept.move_to_end(key)
        if mine:
            try:
                found.set_result(Reading(LineageGraph(header, self._store), self._patterns()))
            except BaseException as error:  # noqa: BLE001 - whoever else waits for it is told
                with self._lock:
                    self._kept.pop(key, None)
                found.set_exception(error)
        return found.result()

    def _header(self, as_of: str) -> GraphHeader:
        header = self._headers.get(as_of)
        if header is None:
            seen = self._seen
            try:
                header = self._store.graphs.newest(as_of)
            except HeadwaterError:
                raise
            except Exception as error:
                log.exception("the store cannot be read")
                raise StoreError("the store cannot be read", retryable=True) from error
            if header is None and self.trouble:
                raise StoreError(self.trouble, retryable=True)
            if header is None:
                raise LineageError(f"there is no graph yet at or before {as_of}", hint="run `headwater sync`")
            with self._lock:
                if len(self._headers) >= MOST_KEYS:
                    self._headers.clear()
                if seen == self._seen:  # else what was read may be old already
                    self._headers[as_of] = header
        return header
