"""What holds for every sink when a delivery is killed."""

from __future__ import annotations

import multiprocessing
import os
import random
import time
from collections.abc import Sequence
from contextlib import suppress
from functools import cache
from multiprocessing.connection import Connection
from multiprocessing.context import ForkServerContext
from pathlib import Path
from typing import Any

import pytest

from connectors.errors import DatasetError
from connectors.sinks import Delivery, Sink
from tests.connectors.sinks.deliveries import NEW_ROWS, OLD_ROWS, Opened, many_delivery, modes, name_of

KILLS = 20 if os.environ.get("HEADWATER_LONG") else 3
_LOADED = ["pytest", "tests.connectors.sinks.kills", *(f"connectors.sinks.{one}" for one in (
    "delta", "duckdb", "files", "postgres",
))]  # fmt: skip


class KillLaws:
    @modes
    @pytest.mark.timeout(900)
    def test_a_delivery_killed_at_any_moment_leaves_the_old_or_the_new_state(self, opened, mode, key):
        chance = random.Random()
        sink = opened.make(mode, key)
        sink.deliver(many_delivery(mode, 1))
        state = {name_of(1): OLD_ROWS}
        assert opened.names(mode) == state
        whole_s, ended = deliver_and_kill(opened, mode, key, 2, after_s=None)
        assert ended
        number, killed = 2, 0
        state = (state if mode == "append" else {}) | {name_of(2): NEW_ROWS}
        while killed < KILLS:
            number += 1
            assert number < 3 + 4 * KILLS, "deliveries end before they are killed"
            # One after the other from each part of a delivery, so that no part is left out.
            moment = (killed + chance.random()) / KILLS
            took_s, ended = deliver_and_kill(opened, mode, key, number, after_s=moment * whole_s)
            grown = (state if mode == "append" else {}) | {name_of(number): NEW_ROWS}
            held, found = stand_of(opened, sink)
            assert found in (state, grown)
            assert held == {"2026-11-20": number if found == grown else number - 1}
            if ended:
                assert found == grown
                whole_s = min(whole_s, took_s)
            killed += not ended
            deliver_when_free(sink, many_delivery(mode, number))
            assert opened.names(mode) == grown
            assert sink.deliver(many_delivery(mode, number)).already
            state = grown


def stand_of(opened: Opened, sink: Sink) -> tuple[dict[str, int], dict[str, int]]:
    """What is delivered, and the names that are there: of one moment, for a server may commit after its client died."""
    while True:
        held, found = sink.delivered("orders"), opened.names(sink.config.mode)
        if sink.delivered("orders") == held:
            return held, found


def deliver_when_free(sink: Sink, given: Delivery) -> None:
    """A server may take a moment to see that a client is gone."""
    deadline = time.monotonic() + 20
    while True:
        try:
            sink.deliver(given)
            return
        except DatasetError as error:
            if not error.retryable or time.monotonic() > deadline:
                raise
            time.sleep(0.05)


def deliver_and_kill(
    opened: Opened, mode: str, key: Sequence[str], number: int, *, after_s: float | None
) -> tuple[float, bool]:
    """Delivers many in another process, which is killed `after_s` it began (None: never).

    Gives how long it was let live, or how long the delivery took if it had ended by then, and whether it had.
    """
    given = {
        "cls": opened.sink, "config": {**opened.config, "mode": mode, "key": list(key)}, "folder": opened.folder,
        "number": number,
    }  # fmt: skip
    told, tell = multiprocessing.Pipe(duplex=False)
    child = forks().Process(target=deliver_one, args=(tell, given))
    child.start()
    tell.close()
    with told:
        assert told.recv() == "begins"
        if after_s is None:
            child.join()
        else:
            time.sleep(after_s)
            child.kill()
            child.join()
        with suppress(EOFError):
            return told.recv(), True
    assert after_s is not None, "the delivery failed"
    assert child.exitcode == -9, "the delivery failed before it was killed"
    return after_s, False


def deliver_one(tell: Connection, given: dict[str, Any]) -> None:
    cls: type[Sink] = given["cls"]
    sink = cls(cls.Config.model_validate(given["config"]), Path(given["folder"]))
    tell.send("begins")
    begun = time.monotonic()
    sink.deliver(many_delivery(sink.config.mode, given["number"]))
    tell.send(time.monotonic() - begun)


@cache
def forks() -> ForkServerContext:
    """Processes that have loaded the sinks before they begin: loading takes longer than most deliveries."""
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload(_LOADED)
    return context
