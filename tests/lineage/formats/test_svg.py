"""Pictures of graphs: boxes that do not overlap, arrows between them, and text that cannot break out."""

from __future__ import annotations

import subprocess
import sys
from xml.etree import ElementTree

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from connectors.errors import LineageError
from lineage.formats.svg import MAX_BOXES, picture
from lineage.formats.svg.layout import lay_out

SVG = "{http://www.w3.org/2000/svg}"
NUMBERS = st.integers(0, 25)


def resource(name, parent=None, **more):
    return {
        "id": f"w/{name}",
        "title": name,
        "databuilder_id": name,
        "connection": "w",
        "entity_type": "column" if parent else "table",
        "parent_id": f"w/{parent}" if parent else None,
    } | more


def edge(start, end, level="resource", kind="direct"):
    return {"from": f"w/{start}", "to": f"w/{end}", "level": level, "kind": kind}


def arrows(document):
    root = ElementTree.fromstring(document)
    paths = [one for one in root.iter(f"{SVG}path") if "marker-end" in one.attrib]
    return {(one.find(f"{SVG}title").text, one.get("class")) for one in paths}


def texts(document):
    return [one.text for one in ElementTree.fromstring(document).iter(f"{SVG}text")]


def test_tables_are_boxes_and_edges_arrows_dashed_where_indirect():
    drawn = picture(
        [resource("a"), resource("b"), resource("c"), resource("alone"), resource("x", "a")],
        [edge("a", "b"), edge("b", "c", kind="indirect"), edge("x", "b", "column")],
    )
    assert arrows(drawn) == {("w/a -> w/b", "edge"), ("w/b -> w/c", "edge indirect")}
    assert texts(drawn) == ["a", "w · table", "b", "w · table", "c", "w · table"]


def test_columns_are_rows_and_explain_the_edge_between_their_tables():
    tables = [resource("a"), resource("b"), resource("c")]
    columns = [resource("x", "a", sort_order=1), resource("w", "a", sort_order=0), resource("y", "b")]
    edges = [edge("a", "b"), edge("b", "c"), edge("x", "y", "column"), edge("w", "x", "column")]
    drawn = picture([*tables, *columns], edges, columns=True)
    assert arrows(drawn) == {("w/x -> w/y", "edge"), ("w/b -> w/c", "edge"), ("w/w -> w/x", "edge")}
    assert texts(drawn)[2:4] == ["w", "x"]


def test_names_stay_text():
    name = "<script>alert('x')</script> & \x00\x1b[31m \ud800 \u2028" + "very long " * 20
    drawn = picture([resource("a", title=name), resource("b")], [edge("a", "b")])
    assert ElementTree.fromstring(drawn) is not None
    assert "<script" not in drawn
    drawn.encode()
    assert max(len(text) for text in texts(drawn)) < 50


def test_without_edges_every_table_is_drawn():
    assert len(texts(picture([resource("a"), resource("b")], []))) == 4
    assert texts(picture([], [])) == []


def test_a_graph_too_large_to_be_read_is_refused_with_what_to_do():
    many = [resource(f"t{n}") for n in range(MAX_BOXES + 1)]
    chain = [edge(f"t{n}", f"t{n + 1}") for n in range(MAX_BOXES)]
    with pytest.raises(LineageError, match="--focus"):
        picture(many, chain)


@settings(max_examples=60, deadline=None)
@given(
    st.lists(st.tuples(NUMBERS, NUMBERS), max_size=60), st.lists(st.integers(1, 12), min_size=26, max_size=26)
)
def test_boxes_never_overlap_and_lie_within_the_picture(pairs, heights):
    sizes = [(150.0, 20.0 * height) for height in heights]
    layout = lay_out(sizes, pairs)
    assert layout.places.keys() == set(range(26))
    placed = [(*layout.places[box], *sizes[box]) for box in range(26)]
    for at, (x, y, w, h) in enumerate(placed):
        assert min(x, y) > -0.01
        assert x + w < layout.width + 0.01
        assert y + h < layout.height + 0.01
        for a, b, c, d in placed[:at]:
            assert x + w <= a + 0.01 or a + c <= x + 0.01 or y + h <= b + 0.01 or b + d <= y + 0.01


def test_data_flows_from_left_to_right():
    layout = lay_out([(100.0, 40.0)] * 4, [(3, 1), (1, 0), (0, 2)])
    left = [layout.places[box][0] for box in (3, 1, 0, 2)]
    assert left == sorted(left)


def test_without_the_extra_the_error_names_it():
    code = (
        "import sys; sys.modules['fast_sugiyama'] = None\n"
        "from connectors.errors import LineageError\nfrom lineage.formats.svg.layout import lay_out\n"
        "try:\n    lay_out([(1, 1), (1, 1)], [(0, 1)])\nexcept LineageError as error:\n    print(error)"
    )
    said = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, timeout=60, check=True
    )
    assert "headwater[svg]" in said.stdout
