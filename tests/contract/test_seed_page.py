"""The code of the page on datasets, connectors, transforms and jobs runs as it is printed there."""

from __future__ import annotations

import re
import textwrap
from pathlib import Path
from typing import Any

import pytest

from pipelines.client import HeadwaterClient
from tests.pipelines.server.nexla.conftest import Shop, shop, shop_folder

__all__ = ["shop", "shop_folder"]
PAGE = Path(__file__).parents[3] / "shared" / "seeds" / "nexla_datasets_connectors_jobs.txt"
_CODE = re.compile(r"^(?:\w+ = client\.|print\(|resource_|groupby|\)$|for \w+ in )")


def blocks() -> list[str]:
    """The page's three pieces of code: consecutive lines of it. What was indented has lost that."""
    found: list[list[str]] = [[]]
    for line in PAGE.read_text().splitlines():
        if _CODE.match(line):
            inside = bool(found[-1]) and found[-1][-1].startswith("for ")
            found[-1].append(f"    {line}" if inside else line)
        elif found[-1]:
            found.append([])
    return ["\n".join(lines) for lines in found if lines]


def ids(client: Any) -> dict[str, Any]:
    """What the page takes for given."""
    source = next(one for one in client.sources.list() if one.data_sets)
    nexset = next(one for one in client.nexsets.list() if one.data_sinks)
    return {"client": client, "source_id": source.id, "nexset_id": nexset.id, "nexset": nexset}


def test_the_page_has_the_code_that_is_run():
    if not PAGE.exists():
        pytest.skip("the page is not beside the checkout")
    assert [text.count("\n") + 1 for text in blocks()] == [2, 2, 7]


@pytest.mark.skipif(not PAGE.exists(), reason="the page is not beside the checkout")
def test_it_runs_on_the_client_of_the_server(shop: Shop, capsys):
    with HeadwaterClient(shop.url.removesuffix("/nexla"), shop.key()) as client:
        names = ids(client)
        for text in blocks():
            exec(textwrap.dedent(text), names)
    said = capsys.readouterr().out.splitlines()
    assert said[0] == "['wh.main.customers', 'wh.main.orders']"
    assert [line.split()[1:] for line in said[2:]] == [["WARNING", "2"], ["WARNING", "2"]]


@pytest.mark.skipif(not PAGE.exists(), reason="the page is not beside the checkout")
def test_it_runs_on_nexlas_client_but_for_the_loop_that_this_does_not_support(shop: Shop, capsys):
    names = ids(shop.real())
    *first, loop = blocks()
    for text in first:
        exec(text, names)
    assert capsys.readouterr().out.splitlines()[0] == "['wh.main.customers', 'wh.main.orders']"
    with pytest.raises(AttributeError):
        exec(loop, names)
