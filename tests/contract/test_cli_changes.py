"""`headwater lineage diff`, `impact`, `add`, `remove` and the shape of the graph: JSON, exit codes, what is said."""

from __future__ import annotations

import json
import shutil
import sqlite3
from datetime import UTC, datetime, timedelta

import pytest

from pipelines.cli.main import run
from tests.contract.conftest import COLUMN, MISSING, CommandLine
from tests.contract.test_cli_json import EDGE, PROVENANCE, RESOURCE, UNRESOLVED
from tests.pipelines.conftest import FILE, LINEAGE, write_project
from tests.pipelines.conftest import RESOURCE as REVENUE

TODAY = datetime.now(UTC)
DAYS = [f"{TODAY - timedelta(days=back):%Y-%m-%d}" for back in (1, 0)]
ORDERS, SUMMARY, BOARD = "app/app.main.orders", "app/app.main.summary", "hand/revenue"
OWNED = REVENUE.replace('"title"', '"owners": ["ada"], "title"')
LATE = FILE.replace("    connector:", "    allow_late: true\n    connector:")


@pytest.fixture(scope="module")
def two_days(tmp_path_factory):
    """A project of two partitions: in the newer one a column has another name, which a script does not know."""
    folder = write_project(tmp_path_factory.mktemp("changes") / "project", LATE)
    (folder / "r.jsonl").write_text(OWNED)
    (folder / "l.jsonl").write_text(LINEAGE + COLUMN)
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("DAGSTER_HOME", str(folder / "home"))
        patch.delenv("HEADWATER_PROJECT", raising=False)
        assert run(["--project", str(folder), "sync", "--partition", DAYS[0]]) == 0
        with sqlite3.connect(folder / "app.db") as db:
            db.execute("alter table orders rename column amount to cents")
        db.close()
        (folder / "l.jsonl").write_text(LINEAGE + COLUMN + MISSING)
        assert run(["--project", str(folder), "sync", "--partition", DAYS[1]]) == 0
    return folder


@pytest.fixture
def project(two_days, capfdbinary, home, monkeypatch):
    monkeypatch.setenv("DAGSTER_HOME", str(two_days / "home"))
    return CommandLine(capfdbinary, "--project", str(two_days))


@pytest.fixture
def copied(two_days, tmp_path, capfdbinary, home, monkeypatch):
    """The same in a folder of its own, for what changes it."""
    shutil.copytree(two_days, tmp_path / "copy")
    monkeypatch.setenv("DAGSTER_HOME", str(tmp_path / "copy" / "home"))
    return CommandLine(capfdbinary, "--project", str(tmp_path / "copy"))


def test_a_difference_has_both_sides_what_changed_and_what_broke(project):
    said = project("lineage", "diff", *DAYS, "--json")
    assert said.code == 0
    found = said.json
    assert found.keys() == {"before", "after", "resources", "edges", "unresolved", "broken"}
    for side, day in zip(("before", "after"), DAYS, strict=True):
        assert found[side] == {
            "as_of": day,
            "partitions": {name: [day] for name in ("app", "scripts", "hand")},
        }
    assert found["resources"].keys() == found["edges"].keys() == {"added", "removed", "changed"}
    assert found["unresolved"].keys() == {"added", "removed"}
    for change, name in (("added", "cents"), ("removed", "amount")):
        (one,) = found["resources"][change]
        assert one["id"] == f"{ORDERS}.{name}"
        assert one.keys() >= RESOURCE
    (went,) = [edge for edge in found["edges"]["removed"] if edge["from"] == f"{ORDERS}.amount"]
    assert went.keys() == EDGE
    assert all(why.keys() == PROVENANCE for why in went["provenance"])
    assert all(one.keys() == EDGE | {"before"} for one in found["edges"]["changed"])
    assert {one["reason"] for one in found["unresolved"]["added"]} == {"not_found"}
    assert all(one.keys() >= UNRESOLVED for one in found["unresolved"]["added"])


def test_what_broke_is_named_with_what_it_lost_and_what_hangs_from_it(project):
    broken = {one["id"]: one for one in project("lineage", "diff", *DAYS, "--json").json["broken"]}
    one = broken[f"{SUMMARY}.total"]
    assert one.keys() == {"id", "entity_type", "title", "owners", "lost", "messages", "downstream"}
    assert (one["entity_type"], one["title"], one["lost"]) == ("column", "total", [f"{ORDERS}.amount"])
    (below,) = one["downstream"]
    assert below == {"id": BOARD, "entity_type": "dashboard", "title": "Revenue", "owners": ["ada"]}


def test_a_difference_fails_only_when_asked_to_and_when_something_broke(project):
    assert project("lineage", "diff", *DAYS).code == 0
    broken = project("lineage", "diff", *DAYS, "--fail-on", "broken")
    assert (broken.code, broken.err) == (1, "")
    assert f"lost {ORDERS}.amount".encode() in broken.out
    same = project("lineage", "diff", DAYS[0], DAYS[0], "--fail-on", "broken")
    assert (same.code, same.err) == (0, "")
    assert b"nothing downstream lost its source" in same.out
    empty = project("lineage", "diff", DAYS[1], DAYS[1], "--json").json
    assert [*empty["resources"].values(), *empty["edges"].values(), empty["broken"]] == [[]] * 7


def test_a_difference_in_markdown_is_for_a_pull_request(project):
    said = project("lineage", "diff", *DAYS, "--fail-on", "broken", "--markdown")
    assert (said.code, said.err) == (1, "")
    assert said.out.startswith(b"## Lineage: what changes\n")
    assert f"| `{SUMMARY}.total` | column | (none) | `{ORDERS}.amount` | 1 dashboard |".encode() in said.out
    assert f"| `{BOARD}` | dashboard | `ada` |".encode() in said.out


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("diff", DAYS[0]), "B"),
        (("diff", *DAYS, "--fail-on", "anything"), "anything"),
        (("diff", "nowhere", DAYS[0]), "headwater.yaml"),
        (("impact",), "ID"),
        (("roots", "--as-of", "yesterday"), "yesterday"),
        (("add", "orders"), "B"),
    ],
    ids=str,
)
def test_wrong_use_is_code_2(project, arguments, said):
    found = project("lineage", *arguments)
    assert (found.code, found.out) == (2, b"")
    assert said in found.err


def test_a_difference_with_a_partition_before_the_first_says_so(project):
    said = project("lineage", "diff", "2026-11-01", DAYS[1])
    assert (said.code, said.out) == (1, b"")
    assert "2026-11-01" in said.err


def test_a_folder_that_is_read_in_part_lies_over_what_is_stored(copied, tmp_path):
    branch = tmp_path / "branch"
    shutil.copytree(tmp_path / "copy", branch)
    (branch / "r.jsonl").write_text("{not json\n")
    said = copied("lineage", "diff", DAYS[1], str(branch), "--fail-on", "broken", "--json")
    assert said.code == 0
    assert json.loads(said.out)["resources"] == {"added": [], "removed": [], "changed": []}
    assert "hand was read in part, and what is stored of it stands: r.jsonl:1" in said.err


def test_a_folder_that_keeps_what_is_missing_loses_nothing(copied, tmp_path):
    branch = tmp_path / "branch"
    shutil.copytree(tmp_path / "copy", branch)
    text = (branch / "headwater.yaml").read_text()
    (branch / "headwater.yaml").write_text(text.replace("  hand:\n", "  hand:\n    remove_missing: false\n"))
    (branch / "r.jsonl").write_text("")
    said = copied("lineage", "diff", DAYS[1], str(branch), "--json")
    assert json.loads(said.out)["resources"]["removed"] == []
    (branch / "headwater.yaml").write_text(text)
    said = copied("lineage", "diff", DAYS[1], str(branch), "--json")
    assert BOARD in {one["id"] for one in json.loads(said.out)["resources"]["removed"]}


def test_an_impact_counts_by_kind_and_owner(project):
    found = project("lineage", "impact", "main.orders", "--as-of", DAYS[0], "--json").json
    assert found.keys() == {"as_of", "changed", "affected", "by_type", "by_owner"}
    assert (found["as_of"], found["changed"]) == (DAYS[0], [ORDERS])
    assert [(one["id"], one["distance"]) for one in found["affected"]] == [
        ("app/app.main.named_orders", 1),
        (SUMMARY, 1),
        (BOARD, 2),
    ]
    assert all(one.keys() >= RESOURCE | {"distance"} for one in found["affected"])
    assert sum(found["by_type"].values()) == 3
    assert found["by_type"]["dashboard"] == 1
    assert found["by_owner"] == {"": 2, "ada": 1}
    near = project("lineage", "impact", "main.orders", "customers", "--depth", "1", "--json").json
    assert near["changed"] == [ORDERS, "app/app.main.customers"]
    assert {one["distance"] for one in near["affected"]} == {1}


def test_an_impact_in_markdown_is_for_a_pull_request(project):
    said = project("lineage", "impact", "orders.amount", "--as-of", DAYS[0], "--markdown")
    assert (said.code, said.err) == (0, "")
    text = said.out.decode()
    assert text.startswith(f"## Lineage: what `{ORDERS}.amount` reaches\n\n2 resources downstream.\n")
    assert f"| `{BOARD}` | dashboard | 2 |" in text
    assert "| `ada` | 1 |" in text
    nothing = project("lineage", "impact", "revenue", "--markdown")
    assert "Nothing downstream is known." in nothing.out.decode()


def test_an_edge_is_added_by_hand_explained_and_removed(copied):
    assert copied("lineage", "path", "customers.name", "orders").code == 1
    said = copied("lineage", "add", "main.customers", "main.orders", "--note", "Ada knows")
    assert (said.code, said.err) == (0, "")
    assert said.out.decode() == f"app/app.main.customers -> {ORDERS} added\n"
    (edge,) = copied("lineage", "explain", "main.customers", "main.orders", "--json").json
    (why,) = edge["provenance"]
    assert (why["origin"], why["location"], why["matched_by"]) == ("manual", "Ada knows", "id")
    told = copied("lineage", "explain", "main.customers", "main.orders").out.decode()
    assert f"  by hand: Ada knows  from {DAYS[1]} on" in told
    assert copied("lineage", "explain", "main.customers", "main.orders", "--as-of", DAYS[0]).code == 1
    said = copied("lineage", "remove", "main.customers", "main.orders")
    assert (said.code, said.out.decode()) == (0, f"app/app.main.customers -> {ORDERS} removed\n")
    assert copied("lineage", "explain", "main.customers", "main.orders").code == 1


def test_what_cannot_be_added_or_removed_by_hand_is_said(copied):
    for arguments, said in {
        ("add", "orders", "nothing_like_it"): "nothing_like_it",
        ("add", "main.orders", "main.orders"): "itself",
        ("remove", "summary", "revenue"): "given by hand",
        ("remove", "main.customers", "main.orders"): "added by hand",
    }.items():
        found = copied("lineage", *arguments)
        assert (found.code, found.out) == (1, b""), arguments
        assert said in found.err


def test_roots_leaves_and_orphans_are_resources(project):
    customers, named = "app/app.main.customers", "app/app.main.named_orders"
    for question, ids in {"roots": [customers, ORDERS], "leaves": [named, BOARD], "orphans": []}.items():
        found = project("lineage", question, "--json").json
        assert found.keys() == {"as_of", "resources"}
        assert (found["as_of"], [one["id"] for one in found["resources"]]) == (DAYS[1], ids)
        assert all(one.keys() >= RESOURCE for one in found["resources"])
        assert project("lineage", question, "--as-of", DAYS[0], "--json").json["as_of"] == DAYS[0]
        plain = project("lineage", question)
        assert (plain.code, plain.err) == (0, "")
        assert plain.out.decode().splitlines()[0].split("  ")[0] in (*ids, "everything has an edge")


def test_cycles_are_lists_of_ids(copied):
    assert copied("lineage", "cycles", "--json").json == {"as_of": DAYS[1], "cycles": []}
    assert copied("lineage", "cycles").out == b"nothing feeds itself through others\n"
    assert copied("lineage", "add", "revenue", "main.orders").code == 0
    assert copied("lineage", "cycles", "--json").json["cycles"] == [[ORDERS, SUMMARY, BOARD]]
    assert copied("lineage", "cycles").out.decode() == f"3  {ORDERS}, {SUMMARY}, {BOARD}\n"
    assert copied("lineage", "cycles", "--as-of", DAYS[0], "--json").json["cycles"] == []


def test_all_shortest_ways_are_lists_of_edges(copied):
    found = copied("lineage", "path", "customers.name", "revenue", "--all", "--json").json
    assert found.keys() == {"from", "to", "as_of", "paths", "more"}
    assert (found["to"], found["more"]) == (BOARD, False)
    assert copied("lineage", "add", "named_orders", "revenue").code == 0
    two = copied("lineage", "path", "main.orders", "revenue", "--all", "--json").json["paths"]
    assert [[edge["to"] for edge in way] for way in two] == [
        ["app/app.main.named_orders", BOARD],
        [SUMMARY, BOARD],
    ]
    assert all(edge.keys() == EDGE for way in two for edge in way)
    text = copied("lineage", "path", "main.orders", "revenue", "--all").out.decode()
    assert text.count(f"{ORDERS}\n") == 2
    nothing = copied("lineage", "path", "revenue", "main.orders", "--all", "--json")
    assert (nothing.code, nothing.json["paths"]) == (1, [])


def test_finding_by_fields(project):
    def ids(*words):
        return [one["id"] for one in project("find", *words, "--json").json]

    assert ids("owner:ada", "type:dashboard") == [BOARD]
    assert ids("column:cents", "type:table", "schema:main") == [ORDERS]
    assert ids("column:amount", "--as-of", DAYS[0]) == [ORDERS, f"{ORDERS}.amount"]
    assert ids("connection:hand", "revenue") == [BOARD]
    assert ids("database:app", "title:summ*", "type:table") == [SUMMARY]
    said = project("find", "colour:red")
    assert (said.code, said.out) == (2, b"")
    assert all(name in said.err for name in ("colour", "type", "owner", "column", "tag", "connection"))
