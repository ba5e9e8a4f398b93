from __future__ import annotations

import asyncio
import threading
import time
from collections import Counter

import pyarrow as pa
import pytest

from connectors import Column, Connector, Table, TableResolver
from connectors.errors import ConnectorError, HeadwaterError, UnexpectedAnswer
from connectors.tables import parent, path, state_key
from connectors.testing import run_connector

ID = [Column("id", pa.int64(), primary_key=True)]


def connector_of(*tables, concurrency=8, client=None):
    class Source(Connector):
        def tables(self):
            return [one() if callable(one) else one for one in tables]

        def client(self):
            return client or self

    Source.concurrency = concurrency
    return Source


def run(*tables, concurrency=8, client=None, **options):
    return run_connector(connector_of(*tables, concurrency=concurrency, client=client), **options)


def ids(found, table):
    return sorted(row["id"] for row in found.rows(table))


def count(n):
    return lambda client, parent_record: ({"id": i} for i in range(n))


# -- rows


def test_rows_arrive_once_whatever_their_number():
    for number in (0, 1, 199, 200, 201, 1000, 25_001):
        found = run(Table("items", ID, resolve=count(number)))
        assert ids(found, "items") == list(range(number))
        assert found.report.tables["items"].rows == number
        assert found.report.complete


def test_each_table_and_column_is_declared_and_announced():
    found = run(Table("items", ID, is_incremental=True, resolve=count(1)))
    assert [one.databuilder_id for one in found.resources] == ["items", "items.id"]
    assert (found.datasets["items"].keys, found.datasets["items"].incremental) == (("id",), True)


def test_a_resolver_may_give_a_list_or_be_asynchronous():
    async def slowly(client, record):
        for i in range(5):
            await asyncio.sleep(0.001)
            yield {"id": i}

    async def at_once(client, record):
        await asyncio.sleep(0.001)
        return [{"id": 1}, {"id": 2}]

    found = run(
        Table("listed", ID, resolve=lambda client, record: [{"id": 7}]),
        Table("slowly", ID, resolve=slowly),
        Table("at_once", ID, resolve=at_once),
    )
    assert (ids(found, "listed"), ids(found, "slowly"), ids(found, "at_once")) == (
        [7],
        [0, 1, 2, 3, 4],
        [1, 2],
    )


@pytest.mark.parametrize("given", [None, {"id": 1}, "text", 7])
def test_what_is_no_rows_is_the_tables_error(given):
    found = run(Table("odd", ID, resolve=lambda client, record: given), Table("items", ID, resolve=count(2)))
    assert ids(found, "items") == [0, 1]
    assert "gave " + type(given).__name__ in found.report.tables["odd"].messages[0]


def test_a_table_that_nothing_reads_says_so():
    found = run(Table("odd", ID), Table("items", ID, resolve=count(2)))
    assert "has nothing that reads it" in found.report.tables["odd"].messages[0]


# -- hooks, in the SDK's order


class Hooked(TableResolver):
    def __init__(self, table, calls):
        super().__init__(table)
        self.calls = calls

    def resolve(self, client, parent_resource):
        yield {"id": 1, "name": "a"}
        yield {"id": 2, "name": "b"}

    def pre_resource_resolve(self, client, resource):
        self.calls.append(("pre", resource.item["id"]))
        resource.set("extra", "from pre")

    def resolve_column(self, client, resource, column_name):
        self.calls.append(("column", resource.item["id"], column_name))
        super().resolve_column(client, resource, column_name)

    def post_resource_resolve(self, client, resource):
        self.calls.append(("post", resource.item["id"]))
        resource.set("name", resource.get("name").upper())


def test_hooks_run_in_the_sdks_order():
    calls = []

    class Items(Table):
        @property
        def resolver(self):
            return Hooked(self, calls)

    columns = [*ID, Column("name", pa.string()), Column("extra", pa.string())]
    found = run(Items("items", columns))
    assert found.rows("items") == [
        {"id": 1, "name": "A", "extra": "from pre"},
        {"id": 2, "name": "B", "extra": "from pre"},
    ]
    once = [("pre", 1), ("column", 1, "id"), ("column", 1, "name"), ("column", 1, "extra"), ("post", 1)]
    assert calls[:5] == once


def test_a_column_may_have_a_resolver_of_its_own():
    columns = [
        *ID,
        Column("owner", pa.string(), resolver=path("owner.name")),
        Column("twice", pa.int64(), resolver=lambda client, record, column: record.item["id"] * 2),
    ]
    given = [{"id": 1, "owner": {"name": "ann"}}, {"id": 2, "owner": None}, {"id": 3}]
    found = run(Table("items", columns, resolve=lambda client, record: given))
    assert [(row["owner"], row["twice"]) for row in found.rows("items")] == [("ann", 2), (None, 4), (None, 6)]


def test_a_hook_that_fails_refuses_its_row_alone_and_children_go_on():
    def half(client, record, column):
        return 1 // (record.item["id"] % 2)

    child = Table("children", [Column("id", pa.int64(), resolver=parent("id"))], resolve=count(1))
    columns = [*ID, Column("half", pa.int64(), resolver=half)]
    found = run(Table("items", columns, relations=[child], resolve=count(4)))
    assert ids(found, "items") == [1, 3]
    assert ids(found, "children") == [0, 1, 2, 3]
    assert [(one.table, one.key, one.column, one.value_type) for one in found.refused_rows] == [
        ("items", '{"id":0}', "half", "ZeroDivisionError"),
        ("items", '{"id":2}', "half", "ZeroDivisionError"),
    ]
    assert found.report.tables["items"].refused == 2
    assert not found.report.complete


# -- parents and children


def nested(depth, fan):
    def level(left, at):
        columns = [Column("id", pa.int64()), Column("path", pa.string())]
        below = [level(left - 1, at + 1)] if left > 1 else []

        def resolve(client, record):
            above = record.get("path") if record else ""
            return ({"id": i, "path": f"{above}/{i}"} for i in range(fan))

        return Table(f"level_{at}", columns, relations=below, resolve=resolve)

    return level(depth, 0)


@pytest.mark.parametrize("concurrency", [1, 2, 8])
def test_every_child_of_every_parent_arrives_once_at_any_depth(concurrency):
    found = run(nested(5, 4), concurrency=concurrency)
    for at in range(5):
        paths = [row["path"] for row in found.rows(f"level_{at}")]
        assert len(paths) == len(set(paths)) == 4 ** (at + 1)


def test_a_child_of_a_refused_parent_is_still_read():
    child = Table("children", ID, resolve=lambda client, record: [{"id": record.item["n"]}])
    columns = [*ID, Column("n", pa.int64()), Column("flag", pa.bool_())]
    rows = [{"id": i, "n": i, "flag": "maybe" if i == 1 else True} for i in range(3)]
    found = run(Table("items", columns, relations=[child], resolve=lambda client, record: rows))
    assert (ids(found, "items"), ids(found, "children")) == ([0, 2], [0, 1, 2])


def test_a_child_alone_brings_its_parent():
    below = Table("b", ID, resolve=count(1))
    found = run(
        Table("a", ID, relations=[below], resolve=count(2)), Table("c", ID, resolve=count(1)), tables=["b"]
    )
    assert set(found.datasets) == {"a", "b"}


def test_a_resolver_with_its_own_children_reads_only_those_that_were_chosen():
    class Items(Table):
        @property
        def resolver(self):
            return TableResolver(self, [one.resolver for one in RELATIONS], resolve=count(2))

    RELATIONS = [Table("kept", ID, resolve=count(1)), Table("left", ID, resolve=count(1))]
    found = run(Items("items", ID, relations=RELATIONS), skip_tables=["left"])
    assert set(found.datasets) == {"items", "kept"}
    assert ids(found, "kept") == [0, 0]


# -- clients


class Account:
    def __init__(self, name):
        self.name = name

    def id(self):
        return self.name


class PerAccount(TableResolver):
    def multiplex(self, client):
        return [Account("a"), Account("b")]

    def resolve(self, client, parent_resource):
        since = int(self.get_cursor(client) or 0)
        for i in range(since + 1, since + 4):
            yield {"id": i, "account": client.id()}
            self.set_cursor(client, str(i))


class Accounts(Table):
    def __init__(self):
        super().__init__(
            "items", [*ID, Column("account", pa.string(), primary_key=True)], is_incremental=True
        )

    @property
    def resolver(self):
        return PerAccount(self)


def test_a_multiplexed_table_has_a_cursor_for_each_client():
    first = run(Accounts)
    assert first.cursors == {"items": {state_key("items", client_id=one): "3" for one in ("a", "b")}}
    second = run(Accounts, cursors={"items": {"items|client_id=a": "3"}})
    assert sorted((row["account"], row["id"]) for row in second.rows("items")) == [
        *(("a", i) for i in (4, 5, 6)),
        *(("b", i) for i in (1, 2, 3)),
    ]


# -- errors


def failing(error, after=3):
    def resolve(client, record):
        yield from ({"id": i} for i in range(after))
        raise error

    return resolve


def test_a_table_that_fails_keeps_its_rows_and_stops_no_sibling():
    found = run(Table("bad", ID, resolve=failing(KeyError("x"))), Table("good", ID, resolve=count(500)))
    assert (ids(found, "bad"), ids(found, "good")) == ([0, 1, 2], list(range(500)))
    report = found.report
    assert report.warnings == ["bad: KeyError: 'x'"]
    assert (report.tables["bad"].errors, report.tables["bad"].settled, report.tables["good"].complete) == (
        1,
        False,
        True,
    )
    assert not report.complete


def test_when_every_table_fails_before_its_first_row_the_run_fails_with_the_cause():
    error = UnexpectedAnswer("GET /items answered 500", hint="ask them")
    found = run(
        Table("a", ID, resolve=failing(error, 0)), Table("b", ID, resolve=failing(ValueError("no"), 0))
    )
    assert isinstance(found.error, HeadwaterError)
    assert str(found.error) in ("a: GET /items answered 500 (ask them)", "b: ValueError: no")


def test_a_table_that_calls_exit_or_whose_clients_fail_is_its_own_trouble():
    class Broken(TableResolver):
        def multiplex(self, client):
            raise RuntimeError("no accounts")

    class Clients(Table):
        @property
        def resolver(self):
            return Broken(self)

    found = run(
        Table("exits", ID, resolve=failing(SystemExit(3))),
        Clients("clients", ID),
        Table("good", ID, resolve=count(2)),
    )
    assert ids(found, "good") == [0, 1]
    assert found.report.tables["exits"].messages == ["the resolver called sys.exit(3)"]
    assert found.report.tables["clients"].messages == ["RuntimeError: no accounts"]


def test_a_failing_child_holds_the_cursor_of_its_whole_tree():
    def forms(resolver):
        def resolve(client, record):
            yield from ({"id": i} for i in (1, 2))
            resolver().set_cursor(None, "2")

        return resolve

    class Forms(Table):
        def __init__(self, child):
            super().__init__("forms", ID, relations=[child], is_incremental=True)

        @property
        def resolver(self):
            made = TableResolver(self, resolve=forms(lambda: made))
            return made

    broken = Table("answers", ID, resolve=lambda client, record: failing(OSError("500"), 0)(client, record))
    whole = Table("answers", ID, resolve=count(1))
    assert run(Forms(whole)).cursors == {"forms": {"forms": "2"}, "answers": {}}
    found = run(Forms(broken), cursors={"forms": {"forms": "0"}, "answers": {}})
    assert found.cursors == {"forms": {"forms": "0"}, "answers": {}}
    assert not found.report.tables["forms"].settled


def test_many_errors_are_counted_and_a_few_are_told():
    child = Table("children", ID, resolve=failing(ValueError("no"), 0))
    found = run(Table("items", ID, relations=[child], resolve=count(500)))
    report = found.report.tables["children"]
    assert (report.errors, len(report.messages), found.report.warning_count) == (500, 20, 500)


def test_tables_of_one_name_are_an_error():
    twins = [Table("a", ID, relations=[Table("b", ID)]), Table("b", ID)]
    assert str(run(*twins).error) == "several tables are named b"


@pytest.mark.parametrize(
    ("columns", "told"),
    [
        ([], "the table odd has no columns"),
        (
            [Column("x", pa.month_day_nano_interval())],
            "odd.x: a column cannot be of type month_day_nano_interval",
        ),
    ],
)
def test_a_table_that_cannot_be_read_stops_no_sibling(columns, told):
    found = run(Table("odd", columns, resolve=count(1)), Table("good", ID, resolve=count(2)))
    assert ids(found, "good") == [0, 1]
    assert found.report.warnings[0].startswith(f"odd: {told}")
    assert not found.report.tables["odd"].settled
    assert told in str(run(Table("odd", columns, resolve=count(1))).error)


@pytest.mark.parametrize("error", [SystemExit(3), KeyboardInterrupt(), GeneratorExit()], ids=repr)
def test_what_would_end_the_process_ends_one_table(error):
    def at_once(client, record):
        raise error

    def column(client, record, column):
        raise error

    hooked = [*ID, Column("x", pa.int64(), resolver=column)]
    found = run(
        Table("midway", ID, resolve=failing(error)),
        Table("at_once", ID, resolve=at_once),
        Table("hooked", hooked, resolve=count(2)),
        Table("good", ID, resolve=count(2)),
    )
    assert ids(found, "good") == [0, 1]
    assert ids(found, "midway") == [0, 1, 2]
    assert found.report.tables["midway"].errors == found.report.tables["at_once"].errors == 1


def test_a_row_or_an_error_that_cannot_even_be_told_is_its_own_trouble():
    class Item:
        @property
        def id(self):
            raise RuntimeError("no")

    class Mute(Exception):
        def __str__(self):
            raise ValueError

    def mute(client, record):
        yield {"id": 1}
        raise Mute

    found = run(
        Table("objects", ID, resolve=lambda client, record: [Item(), {"id": 1}]),
        Table("mute", ID, resolve=mute),
        Table("halves", ID, resolve=failing(ValueError("half \ud800 of it"))),
    )
    assert ids(found, "objects") == [1]
    assert found.refused_rows[0].cause == "cannot be read: RuntimeError"
    assert sorted(found.report.warnings) == [
        "halves: ValueError: half \\ud800 of it",
        "mute: Mute: says nothing",
    ]


def test_an_error_of_a_hook_that_reads_is_the_tables_and_is_read_again():
    def details(client, record, column):
        raise UnexpectedAnswer("GET /items/1 answered 500")

    found = run(Table("items", [*ID, Column("x", pa.string(), resolver=details)], resolve=count(2)))
    assert (found.report.tables["items"].errors, found.report.tables["items"].refused) == (2, 0)


def test_errors_of_many_children_are_not_all_kept():
    import gc

    class Boom(Exception):
        pass

    def fail(client, record):
        raise Boom

    run(Table("items", ID, relations=[Table("children", ID, resolve=fail)], resolve=count(500)))
    assert sum(isinstance(one, Boom) for one in gc.get_objects()) <= 1


# -- cursors


class Counting(TableResolver):
    def resolve(self, client, parent_resource):
        since = int(self.get_cursor() or 0)
        for i in range(since + 1, 4):
            yield {"id": i}
            self.set_cursor(None, str(i))


class Counted(Table):
    def __init__(self, *relations):
        super().__init__("items", ID, relations=relations, is_incremental=True)

    @property
    def resolver(self):
        return Counting(self)


def test_a_tree_with_a_table_that_was_not_read_before_is_read_from_its_start():
    child = Table("children", [Column("id", pa.int64(), resolver=parent("id"))], resolve=count(1))
    before = {"items": {"items": "2"}}
    found = run(Counted(child), cursors=before)
    assert (ids(found, "items"), found.report.tables["children"].rows) == ([1, 2, 3], 3)
    assert found.report.tables["items"].from_start
    assert any(
        "items is read from its start: nothing is stored of children yet" in line for line in found.log
    )
    found = run(Counted(child), cursors={**before, "children": {}})
    assert (ids(found, "items"), found.report.tables["items"].from_start) == ([3], False)


def test_what_hangs_from_an_incremental_table_is_incremental():
    child = Table("children", ID, resolve=count(1))
    assert run(Counted(child)).datasets["children"].incremental


def test_clients_without_a_name_cannot_share_a_cursor():
    class Nameless(Counting):
        def multiplex(self, client):
            return ["eu", "us"]

        def resolve(self, client, parent_resource):
            yield {"id": len(client)}
            self.set_cursor(client, "1")

    class Regions(Counted):
        @property
        def resolver(self):
            return Nameless(self)

    found = run(Regions())
    assert "several clients set the cursor items" in found.report.warnings[0]


def test_a_child_needs_a_part_for_its_cursor():
    class Child(Table):
        def __init__(self, part):
            super().__init__("children", ID, is_incremental=True)
            self.part = part

        @property
        def resolver(self):
            return ChildResolver(self)

    class ChildResolver(TableResolver):
        def resolve(self, client, record):
            part = {"item": record.get("id")} if self.table.part else {}
            since = int(self.get_cursor(None, **part) or 0)
            yield {"id": since + 1}
            self.set_cursor(None, str(since + 1), **part)

    found = run(Counted(Child(False)))
    assert "children is read for many parents" in found.report.warnings[0]
    found = run(Counted(Child(True)))
    assert found.cursors["items"] == {"items": "3", **{f"children|item={n}": "1" for n in (1, 2, 3)}}


def test_a_secret_in_an_error_or_a_refused_hook_is_masked():
    error = ValueError("token canary-7781 is wrong")
    found = run_connector(
        connector_of(Table("bad", ID, resolve=failing(error, 1)), Table("ok", ID, resolve=count(1))),
        credentials={"token": "canary-7781"},
    )
    assert found.report.warnings == ["bad: ValueError: token ********** is wrong"]
    assert "canary" not in repr(found)


# -- threads and turns


def test_reads_that_wait_run_at_once_and_no_more_than_allowed():
    now, most = Counter(), Counter()
    lock = threading.Lock()

    def slow(name):
        def resolve(client, record):
            with lock:
                now["all"] += 1
                now[name] += 1
                for one in ("all", name):
                    most[one] = max(most[one], now[one])
            time.sleep(0.02)
            with lock:
                now["all"] -= 1
                now[name] -= 1
            yield {"id": 1}

        return resolve

    held = Table("held", ID, resolve=slow("held"), concurrency=2)
    free = Table("free", ID, resolve=slow("free"))
    found = run(Table("items", ID, relations=[held, free], resolve=count(40)), concurrency=6)
    assert found.report.tables["held"].rows == found.report.tables["free"].rows == 40
    assert most["held"] == 2
    assert 3 <= most["all"] <= 6


def test_tables_take_turns():
    """A table with many reads does not keep another with few from its turn."""
    order = []

    def note(name, seconds):
        def resolve(client, record):
            order.append(name)
            time.sleep(seconds)
            yield {"id": 1}

        return resolve

    big = Table("big", ID, resolve=count(300), relations=[Table("many", ID, resolve=note("many", 0.001))])
    few = Table("few", ID, resolve=count(3), relations=[Table("some", ID, resolve=note("some", 0.001))])
    run(big, few, concurrency=1)
    assert order.index("some") < 5
    assert [one for one in order if one == "some"] == ["some"] * 3
    assert max(at for at, one in enumerate(order) if one == "some") < 12


def test_no_more_threads_than_allowed_whatever_the_tables(monkeypatch):
    before = threading.active_count()
    seen = []

    def resolve(client, record):
        seen.append(threading.active_count())
        yield {"id": 1}

    tables = [Table(f"t{i}", ID, resolve=resolve) for i in range(200)]
    run(*tables, concurrency=5)
    assert max(seen) - before <= 5
    time.sleep(0.05)
    assert threading.active_count() <= before + 1


def test_what_storing_raises_ends_the_run():
    class Full(Connector):
        def tables(self):
            return [Table("items", ID, resolve=count(100_000))]

    def no_space(table, batch):
        raise OSError("no space left")

    source = Full(Full.Config(), _context(no_space))
    with pytest.raises(OSError, match="no space left"):
        source.start()


def _context(records):
    from connectors.connector import Context
    from connectors.testing import Extract, today

    ingest = Extract()
    ingest.records = records
    return Context("full", today(), ingest, lambda: None)


def test_progress_is_told_now_and_then(monkeypatch):
    from connectors.tables import scheduler

    monkeypatch.setattr(scheduler, "_TELL_S", 0.02)

    def slow(client, record):
        for i in range(5):
            time.sleep(0.03)
            yield {"id": i}

    found = run(Table("slow", ID, resolve=slow), Table("quick", ID, resolve=count(300)))
    assert any("300 rows of 1 of 2 tables" in line or "rows of 1 of 2 tables" in line for line in found.log)


def test_a_connector_without_an_extract_or_tables_is_refused_by_name(tmp_path):
    file = tmp_path / "nothing.py"
    file.write_text("from connectors import Connector\nclass Nothing(Connector):\n    pass\n")
    with pytest.raises(HeadwaterError, match="an extract or tables"):
        run_connector(file)


def test_a_filled_queue_of_children_blocks_nothing():
    """More children than may wait, each with children of its own, and one worker."""
    leaf = Table("leaf", ID, resolve=count(2), concurrency=1)
    middle = Table("middle", ID, resolve=count(3), relations=[leaf], concurrency=1)
    found = run(Table("root", ID, resolve=count(3000), relations=[middle]), concurrency=3)
    assert found.report.tables["leaf"].rows == 3000 * 3 * 2


def test_an_error_class_of_ours_is_kept_with_its_hint():
    found = run(Table("a", ID, resolve=failing(ConnectorError("no page", hint="look"), 1)))
    assert found.report.warnings == ["a: no page (look)"]
