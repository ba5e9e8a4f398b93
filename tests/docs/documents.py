"""The repository's documents, taken apart: blocks of code, tables, inline code, links."""

from __future__ import annotations

import re
import shlex
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import takewhile
from pathlib import Path

ROOT = Path(__file__).parents[2]
DOCUMENTS = [
    *(ROOT / name for name in ("README.md", "CHANGELOG.md", "CONTRIBUTING.md")),
    *sorted((ROOT / "docs").rglob("*.md")),
]
_FENCE = re.compile(r"^```(\w*)\n(.*?)^```$", re.M | re.S)
_INLINE = re.compile(r"`([^`\n]+)`")
_HEADING = re.compile(r"^(#+) (.+)$", re.M)
_REST = frozenset({">", ">>", "<", "|", "||", "&&", ";"})  # of a line: no argument any more
_LINK = re.compile(r"\[[^\]]+\]\(([^)]+)\)")


@dataclass(frozen=True)
class Block:
    """A fenced block: its document, the line where its text begins, its language and text."""

    document: Path
    line: int
    language: str
    text: str

    @property
    def is_workflow(self) -> bool:
        """Whether it is a file of GitHub's, not of headwater's."""
        return self.text.startswith("# .github/")

    @property
    def where(self) -> str:
        return f"{self.document.relative_to(ROOT)}:{self.line}"


def blocks(language: str, document: Path | None = None) -> list[Block]:
    """All blocks of a language, of one document or of all."""
    return [
        b for path in DOCUMENTS if document in (None, path) for b in _blocks(path) if b.language == language
    ]


def _blocks(document: Path) -> Iterator[Block]:
    text = document.read_text(encoding="utf-8")
    for match in _FENCE.finditer(text):
        yield Block(document, text[: match.start(2)].count("\n") + 1, match.group(1), match.group(2))


def prose(document: Path) -> str:
    """The document's text without its blocks."""
    return _FENCE.sub("", document.read_text(encoding="utf-8"))


def inline_code(document: Path) -> list[str]:
    return _INLINE.findall(prose(document))


def links(document: Path) -> list[str]:
    return _LINK.findall(_INLINE.sub("", prose(document)))


def anchors(document: Path) -> set[str]:
    """The anchors of a document's headings, as they are commonly made: small letters, words joined by hyphens."""
    titles = [title for _, title in _HEADING.findall(prose(document))]
    return {re.sub(r"[^\w\- ]", "", title.lower()).replace(" ", "-") for title in titles}


def section(document: Path, title: str) -> str:
    """The text below a heading, up to the next one of its level or above; code of the title left out."""
    text = document.read_text(encoding="utf-8")
    for match in _HEADING.finditer(text):
        if match.group(2).replace("`", "") == title:
            level = len(match.group(1))
            rest = text[match.end() :]
            end = re.search(rf"^#{{1,{level}}} ", _FENCE.sub(lambda m: "." * len(m.group()), rest), re.M)
            return rest[: end.start()] if end else rest
    raise AssertionError(f"{document.name} has no section {title}")


def table(text: str) -> list[list[str]]:
    """The cells of the first table in a text, without its head."""
    rows = []
    for line in text.splitlines():
        if line.startswith("|"):
            rows.append([cell.strip().replace("\\|", "|") for cell in re.split(r"(?<!\\)\|", line)[1:-1]])
        elif rows:
            break
    return rows[2:]


def command_lines(block: Block, program: str) -> Iterator[list[str]]:
    """The arguments of each line of a shell block that runs a program."""
    yield from commands_of(block.text, program)


def commands_of(text: str, program: str) -> Iterator[list[str]]:
    """The arguments of each line of a shell's text that begins with a program."""
    for line in text.replace("\\\n", " ").splitlines():
        words = shlex.split(line, comments=True)
        if words and Path(words[0]).name == program:
            yield list(takewhile(lambda word: word not in _REST, words[1:]))
