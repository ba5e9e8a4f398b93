from __future__ import annotations

from pipelines.demo.__main__ import main
from tests.docs.documents import ROOT, blocks
from tests.pipelines.demo.copying import copy_shop


def test_what_the_readme_shows_of_the_demo_is_what_the_demo_prints(home, monkeypatch, capfd):
    shop = copy_shop(home / "shop")
    monkeypatch.delenv("SHOP_BI_PASSWORD", raising=False)
    assert main(shop) == 0
    printed = "\n".join(line.rstrip() for line in capfd.readouterr().out.splitlines())
    excerpts = blocks("text", ROOT / "README.md")
    assert len(excerpts) == 2
    assert all(block.text in printed for block in excerpts)
