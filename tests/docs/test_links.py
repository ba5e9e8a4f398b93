from __future__ import annotations

import re

import pytest

from tests.docs.documents import DOCUMENTS, ROOT, anchors, blocks, inline_code, links

MADE = re.compile(r"^([a-z-]+):", re.M)


@pytest.mark.parametrize("document", DOCUMENTS, ids=lambda path: str(path.relative_to(ROOT)))
def test_links_lead_to_documents_and_headings_that_exist(document):
    for link in links(document):
        if "://" in link:
            continue
        path, _, anchor = link.partition("#")
        target = (document.parent / path).resolve() if path else document
        assert target.exists(), link
        assert not anchor or anchor in anchors(target), link


def test_every_page_of_docs_is_named_in_the_readme():
    linked = {(ROOT / link.partition("#")[0]).resolve() for link in links(ROOT / "README.md")}
    pages = set((ROOT / "docs").glob("*.md"))
    assert pages <= linked


def test_make_targets_that_documents_name_exist():
    targets = set(MADE.findall((ROOT / "Makefile").read_text()))
    named = {code for path in DOCUMENTS for code in inline_code(path)}
    named |= {line for block in blocks("sh") for line in block.text.splitlines()}
    wanted = {found.group(1) for code in named if (found := re.match(r"make ([a-z-]+)", code))}
    assert wanted
    assert wanted <= targets
