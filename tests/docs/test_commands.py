"""Every `headwater ...` that stands in a document is a command line that headwater takes."""

from __future__ import annotations

import shlex
from pathlib import Path

import click
import pytest

from docs.make_cli import PAGE, cli_page
from pipelines.cli.main import cli, run
from tests.docs.documents import DOCUMENTS, ROOT, blocks, command_lines, inline_code

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


def find_command(words: list[str]) -> tuple[click.Command, list[str]]:
    """The command that the words name, and what is left for it. Raises click's UsageError."""
    command: click.Command = cli
    while isinstance(command, click.Group):
        context = click.Context(command)
        _, rest, _ = command.make_parser(context).parse_args(list(words))
        if not rest:
            return command, []
        inner = command.get_command(context, rest[0])
        if inner is None:
            raise click.UsageError(f"no command {rest[0]}")
        command, words = inner, rest[1:]
    return command, words


@pytest.mark.parametrize("words", IN_BLOCKS)
def test_a_command_line_in_a_block_is_taken_with_its_options_and_arguments(words):
    command, rest = find_command(words)
    command.make_context(command.name, rest)


@pytest.mark.parametrize("code", IN_TEXT)
def test_a_command_in_the_text_exists_with_its_options(code):
    command, rest = find_command(shlex.split(code)[1:])
    command.make_parser(click.Context(command)).parse_args(rest)


def test_the_page_of_commands_is_what_the_script_writes():
    assert PAGE.read_text(encoding="utf-8") == cli_page(), "run `python docs/make_cli.py`"


def test_the_first_project_of_the_readme_works_as_it_is_written(home, monkeypatch, capfd):
    (block,) = [b for b in blocks("sh", ROOT / "README.md") if "headwater init" in b.text]
    for line in block.text.splitlines():
        words = shlex.split(line, comments=True)
        if words[:1] == ["cd"]:
            monkeypatch.chdir(Path.cwd() / words[1])
        elif words[:1] == ["headwater"]:
            assert run(words[1:]) == 0, line
    assert "shop.public.orders.amount" in capfd.readouterr().out
