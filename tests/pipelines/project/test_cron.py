"""Cron expressions are those that Dagster takes, whether or not it has to be asked."""

from __future__ import annotations

import subprocess
import sys

import pytest
from dagster._utils.schedules import is_valid_cron_string
from hypothesis import given
from hypothesis import strategies as st

from pipelines.project.cron import is_cron

number = st.integers(0, 62).map(str)
part = st.one_of(
    st.just("*"),
    number,
    st.tuples(number, number).map("-".join),
    st.tuples(st.sampled_from(["*", "5", "1-7", "7-1"]), number).map("/".join),
    st.sampled_from(["", "L", "MON", "?", "x"]),
)
field = st.lists(part, min_size=1, max_size=3).map(",".join)


@given(st.lists(field, min_size=4, max_size=6).map(" ".join))
def test_any_text_is_a_schedule_when_dagster_says_so(text):
    assert is_cron(text) == is_valid_cron_string(text)


@pytest.mark.parametrize("text", ["0 5 * * *", "*/15 * * * *", "0 6-18/2 1,15 * 1-5", "0 * * * *"])
def test_plain_ones_are_known_without_dagster(text):
    program = f"import sys; from pipelines.project.cron import is_cron; assert is_cron({text!r})"
    subprocess.run([sys.executable, "-c", f"{program}; assert 'dagster' not in sys.modules"], check=True)
