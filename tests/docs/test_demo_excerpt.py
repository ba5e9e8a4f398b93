from __future__ import annotations

from pipelines.demo.__main__ import main
from tests.docs.documents import ROOT, blocks
from tests.pipelines.demo.copying import copy_shop


def test_what_the_readme_shows_of_the_demo_is_what_the_demo_prints(home, monkeypatch, capfd):
    shop = copy_shop(home / "shop")
    monkeypatch.delenv("SHOP_BI_PASSWORD", raising=False)
    assert main(shop) == 0
    printed = (line.rstrip() for line in capfd.readouterr().out.splitlines())
    excerpts = blocks("text", ROOT / "README.md")
    assert len(excerpts) == 2
    for line in (line for block in excerpts for line in block.text.splitlines()):
        assert line in printed, f"not printed, or not in this order: {line}"
