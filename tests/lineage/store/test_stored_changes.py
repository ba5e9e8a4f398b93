"""Contents that lie as changes over others: whatever happened, what is read is what was put."""

from __future__ import annotations

import tempfile
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import date
from functools import partial
from pathlib import Path
from threading import Barrier
from typing import Any

import pyarrow as pa
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from connectors.errors import StoreError
from lineage.store import SnapshotHeader, Store, maintain, open_store
from lineage.store.contents import pieces_of
from lineage.store.rows import ROWS, content_hash, distinct
from lineage.store.tables import Change, ContentTable, Rows
from tests.lineage.inventing import LONG

EXAMPLES = 300 if LONG else 7
SCOPES = ("wh", "bi", "it's")
DAYS = ("2026-11-18", "2026-11-19", "2026-11-20")
KINDS = ("complete", "partial")
NAMES = [(kind, f"k{n}") for n in range(10) for kind in ("resource", "query")]
Content = dict[tuple[str, str], str]  # values by kind and key


@dataclass(frozen=True)
class Put:
    """A commit: what the scope had last, or once, or nothing, or all names, with some values set or gone."""

    scope: str
    day: str
    kind: str
    start: str
    edits: Mapping[tuple[str, str], str | None]
    back: int = 0  # to which of what the scope once had


@dataclass(frozen=True)
class Both:
    """Two commits at once."""

    one: Put
    other: Put


@dataclass(frozen=True)
class Forget:
    scope: str


@dataclass(frozen=True)
class Maintain:
    """Maintenance, as if all were older than its waiting time."""

    keep_days: int | None


_VALUES = st.sampled_from(["one", "two", "thr'ee", "", None])
# Few, and lie over what is there; or so many that the whole is written again.
_edits = st.one_of(
    st.dictionaries(st.sampled_from(NAMES), _VALUES, max_size=4),
    st.dictionaries(st.sampled_from(NAMES), _VALUES, min_size=5, max_size=8),
)
_puts = st.builds(
    Put,
    st.sampled_from(SCOPES),
    st.sampled_from(DAYS),
    st.sampled_from(KINDS),
    st.sampled_from(["last", "last", "last", "again", "again", "all", "nothing"]),
    _edits,
    st.integers(0, 5),
)
_steps = st.one_of(
    _puts,
    _puts,
    _puts,
    st.builds(Both, _puts, _puts),
    st.builds(Forget, st.sampled_from(SCOPES)),
    st.builds(Maintain, st.sampled_from([None, None, 1])),
)


class Kept:
    """A store, and what was put there by scope, day and kind."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.store = open_store(folder)
        self.put: dict[tuple[str, str, str], Content] = {}
        self.once: dict[str, list[Content]] = {}

    def take(self, step: Put | Both | Forget | Maintain) -> None:
        match step:
            case Put():
                content = self._content(step)
                put(self.store.snapshots.table, step, content)
                self._note(step, content)
            case Both():
                self._both(step)
            case Forget():
                self.store.snapshots.forget(step.scope)
                self.put = {place: one for place, one in self.put.items() if place[0] != step.scope}
            case Maintain():
                maintain(self.store, keep_days=step.keep_days, today=date(2026, 11, 20), retention_hours=0)
                if step.keep_days is not None:
                    self._expire("2026-11-19")

    def _expire(self, oldest: str) -> None:
        """Days before the oldest go, but never a scope's newest complete one, nor what lies after it."""
        newest = {scope: day for scope, day, kind in sorted(self.put) if kind == "complete"}
        gone = [p for p in self.put if p[1] < oldest and p[1] < newest.get(p[0], "")]
        for place in gone:
            del self.put[place]

    def _content(self, step: Put) -> Content:
        """What is to be stored."""
        days = [place for place in sorted(self.put) if place[0] == step.scope and place[1] <= step.day]
        whole, once = dict.fromkeys(NAMES, "one"), self.once.setdefault(step.scope, [])
        if step.start == "again" and once:
            return once[step.back % len(once)]
        starts = {"last": self.put[days[-1]] if days else whole, "nothing": {}}
        edited = starts.get(step.start, whole) | step.edits
        content = {name: value for name, value in edited.items() if value is not None}
        once.append(content)
        return content

    def _note(self, step: Put, content: Content) -> None:
        if step.kind == "complete":
            self.put.pop((step.scope, step.day, "partial"), None)
        self.put[step.scope, step.day, step.kind] = content

    def _both(self, step: Both) -> None:
        """Of two commits to one place either may be the last."""
        steps = (step.one, step.other)
        contents = [self._content(one) for one in steps]
        start = Barrier(2)

        def write(one: Put, content: Content) -> None:
            table = open_store(self.folder).snapshots.table
            start.wait(timeout=30)
            put(table, one, content)

        with ThreadPoolExecutor(2) as threads:
            list(threads.map(write, steps, contents))
        first, second = [dict(self.put), dict(self.put)]
        for at, order in ((first, (0, 1)), (second, (1, 0))):
            self.put = at
            for number in order:
                self._note(steps[number], contents[number])
        self.put = first if self._headers() == _hashes(first) else second

    def _headers(self) -> dict[tuple[str, str, str], str]:
        rows = self.store.snapshots.table.headers()
        return {(row["scope"], row["key"], row["kind"]): row["content"] for row in rows}

    def check(self) -> None:
        """All that was put is named, and read: one by one, several at once, by kind."""
        table = self.store.snapshots.table
        assert self._headers() == _hashes(self.put)
        read = table.rows([(place[0], hash) for place, hash in self._headers().items()])
        found: dict[tuple[str, str], Content] = {}
        for row in read.to_pylist():
            content = found.setdefault((row["scope"], row["segment"]), {})
            assert content.setdefault((row["kind"], row["key"]), row["body"]) is row["body"]
            assert row["digest"] == row["body"]
        for place, content in self.put.items():
            assert found.get((place[0], _hashes(self.put)[place]), {}) == content
        for place, content in list(self.put.items())[-1:]:
            of_kind = table.rows([(place[0], hash_of(content))], kind="query").to_pylist()
            assert {("query", row["key"]): row["body"] for row in of_kind} == {
                name: value for name, value in content.items() if name[0] == "query"
            }
            assert len(of_kind) == len({row["key"] for row in of_kind})


def rows_of(content: Content) -> pa.Table:
    rows = [
        {"kind": kind, "key": key, "digest": value, "body": value} for (kind, key), value in content.items()
    ]
    return distinct(pa.Table.from_pylist(rows, schema=ROWS))


def hash_of(content: Content) -> str:
    return content_hash(rows_of(content))


def _hashes(put: Mapping[tuple[str, str, str], Content]) -> dict[tuple[str, str, str], str]:
    return {place: hash_of(content) for place, content in put.items()}


def put(table: ContentTable, step: Put, content: Content) -> bool:
    rows = rows_of(content)
    header = SnapshotHeader(step.scope, step.day, "run", step.kind == "complete", content=content_hash(rows))
    clears = ("partial",) if step.kind == "complete" else ()
    made = Change(step.kind, header.to_json(), header.content, partial(Rows.of, rows), clears)
    return table.replace(step.scope, step.day, lambda _: made)


def segments(store: Store) -> set[str]:
    """Of the scope `wh`: the names of contents as they lie."""
    table = store.snapshots.table
    there = {piece.segment for piece in pieces_of(table.delta(), table.uri) if piece.scope == "wh"}
    return there - {"headers", "beside"}


@settings(max_examples=EXAMPLES, deadline=None, suppress_health_check=list(HealthCheck))
@given(st.lists(_steps, min_size=4, max_size=10))
def test_what_is_read_is_what_was_put(steps: list[Any]):
    with tempfile.TemporaryDirectory() as folder:
        kept = Kept(Path(folder))
        for step in steps:
            kept.take(step)
            kept.check()
        kept.take(Maintain(None))
        kept.check()


WHOLE = dict.fromkeys(NAMES, "one")
FEW = WHOLE | dict.fromkeys(NAMES[:2], "two")
MANY = WHOLE | dict.fromkeys(NAMES[:6], "two")  # of 20 they are more than a quarter
LESS = {name: value for name, value in WHOLE.items() if name not in NAMES[:3]}


def put_whole_day(store: Store, day: str, content: Content) -> None:
    put(store.snapshots.table, Put("wh", day, "complete", "", {}), content)


def read(store: Store, content: Content) -> list[tuple[tuple[str, str], str]]:
    rows = store.snapshots.table.rows([("wh", hash_of(content))]).to_pylist()
    return sorted(((row["kind"], row["key"]), row["body"]) for row in rows)


def test_small_changes_lie_over_a_whole_which_stays_while_they_do(tmp_path):
    store = open_store(tmp_path)
    whole, few, many, less = map(hash_of, (WHOLE, FEW, MANY, LESS))
    # Changes are those of the whole, not of the changes before.
    lying = [(WHOLE, whole), (FEW, f"{few}-{whole}"), (LESS, f"{less}-{whole}")]
    for number, (content, _) in enumerate(lying, 1):
        put_whole_day(store, DAYS[0], content)
        assert segments(store) == {segment for _, segment in lying[:number]}
    maintain(store, keep_days=None, today=date(2026, 11, 20), retention_hours=0)
    # No header names the first whole any more; it is read for what lies over it.
    assert segments(store) == {whole, f"{less}-{whole}"}
    assert read(store, LESS) == sorted(LESS.items())
    put_whole_day(store, DAYS[0], MANY)
    maintain(store, keep_days=None, today=date(2026, 11, 20), retention_hours=0)
    assert segments(store) == {many}
    assert read(store, MANY) == sorted(MANY.items())


def test_what_comes_back_over_another_whole_is_there_once(tmp_path):
    store = open_store(tmp_path)
    for day, content in ((DAYS[0], WHOLE), (DAYS[0], FEW), (DAYS[0], MANY), (DAYS[1], FEW)):
        put_whole_day(store, day, content)
    assert read(store, FEW) == sorted(FEW.items())


def test_rows_that_are_alike_under_another_name_lie_as_no_change(tmp_path):
    table = open_store(tmp_path).snapshots.table
    for name in ("first", "second"):
        change = Change("complete", "{}", name, lambda: Rows.of(rows_of(WHOLE)))
        table.replace("wh", DAYS[0], lambda _, change=change: change)
    assert {piece.segment for piece in pieces_of(table.delta(), table.uri)} >= {"first", "second-first"}
    assert {row["key"] for row in table.rows([("wh", "second")]).to_pylist()} == {key for _, key in WHOLE}


def test_a_patch_that_changes_nothing_is_the_content_that_it_patches(tmp_path):
    table = open_store(tmp_path).snapshots.table
    whole = Change("complete", "{}", "first", lambda: Rows.of(rows_of(WHOLE)))
    table.replace("wh", DAYS[0], lambda _: whole)
    nothing = rows_of({})
    for name, before in (("second", "first"), ("third", "second")):
        patched = Change("complete", "{}", name, lambda: Rows.of(nothing), patch=(before, Rows.of(nothing)))
        table.replace("wh", DAYS[0], lambda _, patched=patched: patched)
        assert table.rows([("wh", name)]).num_rows == len(WHOLE)


def test_a_patch_of_what_is_gone_is_not_taken(tmp_path):
    table = open_store(tmp_path).snapshots.table
    change = Change(
        "complete", "{}", "second", lambda: Rows.of(rows_of(WHOLE)), patch=("gone", Rows.of(rows_of({})))
    )
    table.replace("wh", DAYS[0], lambda _: change)
    assert table.rows([("wh", "second")]).num_rows == len(WHOLE)


def test_changes_over_what_is_gone_are_an_error_and_no_empty_catalogue(tmp_path):
    store = open_store(tmp_path)
    for content in (WHOLE, FEW):
        put_whole_day(store, DAYS[0], content)
    store.snapshots.table.delta().delete(f"segment = '{hash_of(WHOLE)}'")
    with pytest.raises(StoreError, match="only changes are stored") as error:
        read(store, FEW)
    assert error.value.hint == "run `headwater sync` again"
    put_whole_day(store, DAYS[0], FEW)
    assert read(store, FEW) == sorted(FEW.items())


def test_a_store_at_a_url_is_read_alike(tmp_path):
    store = open_store(f"file://{tmp_path}/a store")
    for content in (WHOLE, FEW, LESS):
        put_whole_day(store, DAYS[0], content)
        assert read(store, content) == sorted(content.items())
    assert {f"{hash_of(FEW)}-{hash_of(WHOLE)}", f"{hash_of(LESS)}-{hash_of(WHOLE)}"} <= segments(store)


def test_what_is_named_and_not_there_is_an_error_and_what_holds_nothing_is_not(tmp_path):
    store = open_store(tmp_path)
    put_whole_day(store, "2026-11-18", {})
    assert read(store, {}) == []
    content = {("resource", "k"): "v"}
    put_whole_day(store, "2026-11-19", content)
    store.snapshots.table.delta().delete(f"segment = '{hash_of(content)}'")
    with pytest.raises(StoreError, match="of wh no rows are stored"):
        read(store, content)
