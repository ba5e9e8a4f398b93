"""A resolver's rows, some at a time: from a generator, a list, or an async generator on a loop of its own."""

from __future__ import annotations

import asyncio
import inspect
import threading
from collections.abc import AsyncIterator, Iterable, Iterator, Mapping
from itertools import islice
from typing import Any

from connectors.errors import ConnectorError
from connectors.tables.faults import as_error


class Loop:
    """An event loop in a thread, started when it is first needed."""

    def __init__(self) -> None:
        self._loop: asyncio.AbstractEventLoop | None = None
        self._thread: threading.Thread | None = None
        self._lock = threading.Lock()

    def run(self, work: Any) -> Any:
        """What a coroutine gives."""
        with self._lock:
            if self._loop is None:
                self._loop = asyncio.new_event_loop()
                self._thread = threading.Thread(
                    target=_serve, args=(self._loop,), name="headwater-asyncio", daemon=True
                )
                self._thread.start()
        return asyncio.run_coroutine_threadsafe(work, self._loop).result()

    def close(self) -> None:
        """Ends the loop, and whatever still runs on it."""
        with self._lock:
            if self._loop is None or self._thread is None:
                return
            self._loop.call_soon_threadsafe(self._loop.stop)
            self._thread.join(5.0)
            self._loop = None


def _serve(loop: asyncio.AbstractEventLoop) -> None:
    loop.run_forever()
    loop.run_until_complete(_cancel_all())
    loop.run_until_complete(loop.shutdown_asyncgens())
    loop.close()


async def _cancel_all() -> None:
    left = asyncio.all_tasks() - {asyncio.current_task()}
    for task in left:
        task.cancel()
    await asyncio.gather(*left, return_exceptions=True)


class Rows:
    """What a resolver gave, to be taken in pieces. Raises ConnectorError for what cannot be rows."""

    def __init__(self, given: Any, loop: Loop, table: str) -> None:
        if inspect.iscoroutine(given):
            given = loop.run(given)
        self._loop = loop
        self._sync: Iterator[Any] | None = None
        self._async: AsyncIterator[Any] | None = None
        if isinstance(given, AsyncIterator):
            self._async = given
        elif isinstance(given, Iterable) and not isinstance(given, str | bytes | Mapping):
            self._sync = iter(given)
        else:
            raise ConnectorError(
                f"the resolver of {table} gave {type(given).__name__}, which are no rows",
                hint="`resolve` yields its rows",
            )

    def take(self, most: int) -> tuple[list[Any], bool, Exception | None]:
        """The next rows, whether they were the last, and what the resolver failed with after them."""
        rows: list[Any] = []
        try:
            if self._async is not None:
                self._loop.run(_take(self._async, rows, most))
            elif self._sync is not None:
                rows.extend(islice(self._sync, most))  # what came before an exception stays in the list
        except BaseException as error:  # noqa: BLE001 - a resolver's trouble is its table's, recorded
            return rows, True, as_error(error)
        return rows, len(rows) < most, None


async def _take(given: AsyncIterator[Any], rows: list[Any], most: int) -> None:
    async for row in given:
        rows.append(row)
        if len(rows) == most:
            return
