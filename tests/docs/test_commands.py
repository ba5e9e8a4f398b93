"""Every `headwater ...` that stands in a document is a command line that headwater takes."""

from __future__ import annotations

import shlex
import shutil
from pathlib import Path

import click
import pytest
import yaml

from docs.make_cli import PAGE, cli_page
from pipelines.cli.main import cli, run
from pipelines.project import FILE, read_project
from pipelines.project.loader import ProjectYaml
from tests.docs.documents import DOCUMENTS, ROOT, blocks, command_lines, commands_of, inline_code

README = ROOT / "README.md"
IN_BLOCKS = [
    pytest.param(words, id=f"{block.where} {' '.join(words)}")
    for block in blocks("sh")
    for words in command_lines(block, "headwater")
]
IN_TEXT = sorted(
    {
        code
        for path in DOCUMENTS
        if path != PAGE
        for code in inline_code(path)
        if code.startswith("headwater ") and not code.startswith("headwater [")
    }
)


def find_command(words: list[str]) -> tuple[click.Context, list[str]]:
    """A context of the command that the words name, and what is left for it. Raises click's UsageError."""
    context = click.Context(cli, **cli.context_settings)
    while isinstance(context.command, click.Group):
        _, words, _ = context.command.make_parser(context).parse_args(list(words))
        if not words:
            break
        inner = context.command.get_command(context, words[0])
        if inner is None:
            raise click.UsageError(f"no command {words[0]}")
        context, words = click.Context(inner, parent=context, info_name=words[0]), words[1:]
    return context, words


def take(words: list[str]) -> None:
    """Reads a whole command line: options, arguments, their number and types. Raises click's UsageError."""
    context, rest = find_command(words)
    context.command.parse_args(context, rest)


@pytest.mark.parametrize("words", IN_BLOCKS)
def test_a_command_line_in_a_block_is_taken_with_its_options_and_arguments(words):
    take(words)


@pytest.mark.parametrize("code", IN_TEXT)
def test_a_command_in_the_text_exists_with_its_options(code):
    context, rest = find_command(shlex.split(code)[1:])
    context.command.make_parser(context).parse_args(rest)


@pytest.mark.parametrize("line", ["explore", "lineage impact", "sync --fast", "lineage path a"])
def test_a_command_line_that_headwater_does_not_take_would_be_found(line):
    with pytest.raises(click.UsageError):
        take(line.split())


def test_the_page_of_commands_is_what_the_script_writes():
    assert PAGE.read_text(encoding="utf-8") == cli_page(), "run `python docs/make_cli.py`"


def of_readme(language: str, text: str) -> str:
    """The one block that holds a text."""
    (block,) = [block for block in blocks(language, README) if text in block.text]
    return block.text


def add(folder: Path, piece: str) -> None:
    """Adds a piece of headwater.yaml to a project's file, as a reader does."""
    file = folder / FILE
    whole, more = (yaml.load(text, Loader=ProjectYaml) for text in (file.read_text(), piece))
    for key, entries in more.items():
        assert not set(entries) & set(whole.get(key, {}))
        whole[key] = {**whole.get(key, {}), **entries}
    file.write_text(yaml.safe_dump(whole))


def test_the_datasets_of_the_readme_work_when_added_to_its_first_project(home, first, capfd):
    shutil.copytree(first, home, dirs_exist_ok=True)
    exec(of_readme("python", "shop.duckdb"), {})
    add(home, of_readme("yaml", "orders_tidy"))
    for words in commands_of(of_readme("sh", "quarantine show orders_tidy"), "headwater"):
        assert run(words) == 0, words
    said = capfd.readouterr().out
    assert "1 refused of orders_tidy" in said
    assert "0 records pass now, 1 are still refused" in said
    assert "── .gross" in said
    assert "warehouse/shop.sales.orders.amount  amount * 1.2" in said
    assert (home / "lake").is_dir()


def test_the_records_of_the_readme_fit_its_first_project(home, first):
    shutil.copytree(first, home, dirs_exist_ok=True)
    add(home, of_readme("yaml", "typeform"))
    assert list(read_project(home).connections) == ["forms", "handmade", "scripts"]


def test_the_first_project_of_the_readme_works_as_it_is_written(home, monkeypatch, capfd):
    for line in of_readme("sh", "headwater init").splitlines():
        words = shlex.split(line, comments=True)
        if words[:1] == ["cd"]:
            monkeypatch.chdir(Path.cwd() / words[1])
        elif words[:1] == ["headwater"] and words[1:] != ["ui"]:  # it would stay
            assert run(words[1:]) == 0, line
    assert "shop.public.orders.amount" in capfd.readouterr().out
