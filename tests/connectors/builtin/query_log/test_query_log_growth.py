"""What counters have grown by, reading after reading."""

from __future__ import annotations

import json
from datetime import datetime, timedelta

from hypothesis import given
from hypothesis import strategies as st

from connectors.builtin.query_log.growth import Growth, Reading
from connectors.model import Window
from tests.connectors.builtin.query_log.writing import DAY

NEXT = Window("2025-11-21", DAY.end, DAY.end + timedelta(days=1))
RESET = DAY.start - timedelta(days=9)


class Source:
    """One counter, read for windows one after another."""

    def __init__(self):
        self.state = {}
        self.growth = None

    def read(
        self, calls: int, window: Window = DAY, *, since: datetime | None = None, reset_at: datetime = RESET
    ) -> tuple[int, float]:
        self.growth = Growth(self.state, window, Reading(window.start + timedelta(hours=1), reset_at))
        found = self.growth.since_last("key", calls, calls * 10.0, since)
        self.state = json.loads(json.dumps(self.growth.state))
        return found


def test_the_first_reading_counts_whole_and_a_window_of_its_own_counts_the_growth():
    source = Source()
    assert source.read(5) == (5, 50.0)
    assert "1 began before the window" in source.growth.summary
    assert source.read(7, NEXT) == (2, 20.0)
    assert source.growth.summary == "1 counters, since they were read at 2025-11-20 01:00:00 UTC"


def test_a_first_reading_knows_of_counters_that_began_within_the_window():
    source = Source()
    source.read(5, since=DAY.start)
    assert "0 began before the window" in source.growth.summary
    source = Source()
    source.read(5, reset_at=DAY.start)
    assert "0 began before the window" in source.growth.summary


def test_a_window_read_again_counts_all_of_itself():
    source = Source()
    source.read(5)
    assert source.read(7, NEXT) == (2, 20.0)
    assert source.read(7, NEXT) == (2, 20.0)
    assert source.read(10, NEXT) == (5, 50.0)


def test_after_a_reset_the_whole_count_counts():
    source = Source()
    source.read(5)
    assert source.read(3, NEXT) == (3, 30.0)  # smaller
    assert source.read(9, NEXT, reset_at=NEXT.start) == (12, 120.0)  # all were reset
    source = Source()
    source.read(5, since=DAY.start)
    assert source.read(8, NEXT, since=NEXT.start) == (8, 80.0)  # this one was


def test_counters_that_left_the_view_are_told_of():
    source = Source()
    source.read(5)
    growth = Growth(source.state, DAY, Reading(DAY.start + timedelta(hours=2), RESET))
    assert growth.summary.endswith("1 counted before are gone from the view, and from the window")
    assert growth.state["seen"] == {}


@given(st.lists(st.tuples(st.integers(0, 9), st.booleans()), max_size=20))
def test_all_windows_together_count_each_run_once(steps):
    source, calls, total, of_window, window = Source(), 0, 0, 0, DAY
    for more, next_window in steps:
        calls += more
        if next_window:
            total, of_window = total + of_window, 0
            window = Window(window.key + "+", window.end, window.end + timedelta(days=1))
        of_window, _ = source.read(calls, window)
    assert total + of_window == calls
