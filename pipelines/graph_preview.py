"""A graph's excerpt as Dagster's UI shows it: a picture in Markdown, or a table where pictures cannot be drawn.

Dagster's Markdown draws no Mermaid; it does show images whose data stand in the text (seen in dagster-webserver
1.13.27: its sanitizer lets `data:` sources pass).
"""

from __future__ import annotations

import base64

from connectors.errors import LineageError
from lineage.formats.markdown_text import code, table
from lineage.formats.svg import picture
from lineage.graph.excerpt import Excerpt

MOST_BYTES = 40_000  # of a picture: every materialization keeps its own


def preview_markdown(excerpt: Excerpt | None) -> str:
    """The excerpt drawn, and what it shows."""
    if excerpt is None:
        return "Nothing is linked with anything."
    said = f"Around {code(excerpt.around)}, which stands between the most others"
    if excerpt.further:
        said += f"; {excerpt.further:,} further ones are left out"
    try:
        drawn = picture(excerpt.resources, excerpt.edges).encode()
    except LineageError:  # the extra that draws is not installed
        drawn = b""
    if drawn and len(drawn) <= MOST_BYTES:
        shown = f"![lineage](data:image/svg+xml;base64,{base64.b64encode(drawn).decode()})"
    else:
        rows = [[code(edge[end], in_table=True) for end in ("from", "to")] for edge in excerpt.edges]
        shown = "\n".join(table(("from", "to"), rows))
    return f"{said}.\n\n{shown}\n"
