"""`docs/write-a-connector.md`, done as it is written, in an empty folder."""

from __future__ import annotations

import os
import subprocess
import sys
import textwrap

import yaml

from pipelines.cli.main import run
from tests.docs.documents import ROOT, blocks, command_lines
from tests.docs.test_snippets import file_of

PAGE = ROOT / "docs" / "write-a-connector.md"


def test_the_page_leads_from_an_empty_folder_to_a_synced_and_tested_connector(home, monkeypatch, capfd):
    monkeypatch.syspath_prepend(home)
    monkeypatch.delenv("SHOP_KEY", raising=False)
    names: dict[str, object] = {"__name__": "snippet"}
    tests, ran = [], []
    every = [block for language in ("python", "yaml", "sh") for block in blocks(language, PAGE)]
    for block in sorted(every, key=lambda block: block.line):
        if block.language == "yaml":
            if "partitions" in yaml.safe_load(block.text):
                (home / "headwater.yaml").write_text(block.text)
        elif block.language == "sh":
            for words in command_lines(block, "headwater"):
                assert run(words) == 0, words
                ran.append(words[0])
        else:
            if name := file_of(block):
                file = home / name
                file.parent.mkdir(parents=True, exist_ok=True)
                file.write_text(block.text)
                tests += [name] if name.startswith("./test_") else []
            else:
                source = "\n" * (block.line - 1) + textwrap.dedent(block.text)
                exec(compile(source, str(PAGE), "exec", dont_inherit=True), names)
    assert ran == ["check", "preview", "sync", "find"]
    assert "shop/orders" in capfd.readouterr().out
    finished = subprocess.run(
        [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", *tests],
        cwd=home,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
    )
    assert finished.returncode == 0, finished.stdout
    assert " passed" in finished.stdout
