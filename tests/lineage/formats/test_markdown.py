"""Markdown for pull requests: what stands in names is shown, and does nothing."""

from __future__ import annotations

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st
from markdown_it import MarkdownIt

from lineage.formats.markdown import MOST_LINES, diff_markdown, impact_markdown
from lineage.formats.markdown_text import code, plain, table

NASTY = "a|b `c` ``d`` <img src=x> [e](http://f) *g* __h__ # & &lt; ~~i~~ \\ end"
NAMES = [NASTY, "two\nlines\r\nand\ttab", "`", "``", "|", "<script>", "@everyone", "a_b_c", "| --- |", " x "]
READER = MarkdownIt("commonmark").enable(["table", "strikethrough"])
TEXTS = st.text("ab_|`*<>[]()!&;#~$\n ", max_size=20)


def shown(markdown, tag):
    """The texts within a tag, as a reader sees them."""
    html = READER.render(markdown)
    found = re.findall(rf"<{tag}[^>]*>(.*?)</{tag}>", html, re.S)
    return [text(one) for one in found]


def text(html):
    import html as entities

    return entities.unescape(re.sub(r"<[^>]+>", "", html)).strip("\n")


def flat(name):
    return " ".join(name.split())


@pytest.mark.parametrize("name", NAMES)
def test_a_name_as_code_is_shown_as_it_is(name):
    assert shown(f"- {code(name)}", "code") == [flat(name)]
    (cell, after) = shown("\n".join(table(("a", "b"), [[code(name, in_table=True), "z"]])), "td")
    assert (cell, after) == (flat(name), "z")


@given(TEXTS)
def test_a_text_is_shown_as_it_is(name):
    assert text(READER.render(f"say {plain(name)}!")) == f"say {flat(name)}!"
    (cell, after) = shown("\n".join(table(("a", "b"), [[plain(name), "z"]])), "td")
    assert (cell, after) == (flat(name), "z")


@given(TEXTS)
def test_any_name_as_code_stays_within_its_cell(name):
    (cell, after) = shown("\n".join(table(("a", "b"), [[code(name, in_table=True), "z"]])), "td")
    assert (cell, after) == (flat(name), "z")


def resource(name, **more):
    return {"id": name, "entity_type": "table", "title": name, "owners": [name]} | more


def difference(**parts):
    empty = {
        "resources": {"added": [], "removed": [], "changed": []},
        "edges": {"added": [], "removed": [], "changed": []},
        "unresolved": {"added": [], "removed": []},
        "broken": [],
    }
    return {
        name: {**empty[name], **parts.get(name, {})} if name != "broken" else parts.get(name, [])
        for name in empty
    }


@pytest.mark.parametrize("name", NAMES)
def test_a_difference_shows_names_as_they_are(name):
    broken = resource(name, lost=[name], messages=[], downstream=[resource("w/below")])
    found = difference(
        broken=[broken],
        resources={"added": [resource(name)], "changed": [resource(name, before={"description": "x"})]},
        edges={"removed": [{"from": name, "to": "w/end"}]},
    )
    markdown = diff_markdown(found)
    assert shown(markdown, "td")[:5] == [flat(name), "table", flat(name), flat(name), "1 table"]
    codes = shown(markdown, "code")
    assert codes.count(flat(name)) == 6
    assert codes.count("w/end") == 1
    assert markdown.count("<details>") == markdown.count("</details>") == 3


@pytest.mark.parametrize("name", NAMES)
def test_an_impact_shows_names_as_they_are(name):
    found = {
        "changed": [name],
        "affected": [resource("w/end", entity_type=name, distance=1)],
        "by_type": {name: 1},
        "by_owner": {name: 1, "": 2},
    }
    cells = shown(impact_markdown(found), "td")
    assert cells == [flat(name), "1", flat(name), "1", "(none)", "2", "w/end", flat(name), "1"]


def test_long_lists_are_cut_and_say_so():
    many = [resource(f"w/t{number}", distance=1) for number in range(MOST_LINES + 7)]
    assert "... and 7 more" in diff_markdown(difference(resources={"added": many}))
    counted = {"by_type": {"table": len(many)}, "by_owner": {}}
    markdown = impact_markdown({"changed": ["w/a"], "affected": many, **counted})
    assert "... and 7 more" in markdown
    assert f"{len(many)} resources downstream" in markdown


def test_nothing_is_said_in_words():
    assert "Nothing downstream loses its source." in diff_markdown(difference())
    nothing = {"changed": ["w/a", "w/b"], "affected": [], "by_type": {}, "by_owner": {}}
    assert impact_markdown(nothing) == "## Lineage: what `w/a`, `w/b` reach\n\nNothing downstream is known.\n"
