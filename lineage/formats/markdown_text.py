"""Text from outside as Markdown: what stands in a name or a message is shown, and does nothing.

As in GitHub's dialect (https://github.github.com/gfm), which Dagster's UI reads too. HTML is shown as it is written.
"""

from __future__ import annotations

import re
from collections.abc import Sequence

# An underscore within a word means nothing.
_MEANT = re.compile(r"([\\`*\[\]<>|~#&$]|(?<![^\W_])_|_(?![^\W_]))")
_TICKS = re.compile("`+")


def plain(text: str) -> str:
    """A text within a line, for a table's cell too."""
    return _MEANT.sub(r"\\\1", " ".join(text.split()))


def code(text: str, *, in_table: bool = False) -> str:
    """A name as code; a bar in it would end a table's cell. Empty text is shown as nothing."""
    flat = " ".join(text.split())
    if not flat:
        return ""
    fence = "`" * (1 + max(map(len, _TICKS.findall(flat)), default=0))
    pad = " " if flat[0] == "`" or flat[-1] == "`" else ""
    return fence + pad + (flat.replace("|", "\\|") if in_table else flat) + pad + fence


def table(head: Sequence[str], rows: Sequence[Sequence[str]], *, numbers: Sequence[str] = ()) -> list[str]:
    """Lines of a table of cells that are Markdown already; the columns named in `numbers` stand to the right."""
    rule = ["---:" if name in numbers else "---" for name in head]
    return ["| " + " | ".join(row) + " |" for row in (head, rule, *rows)]
