"""References that mean no column: what the catalogue's tables do not have."""

from __future__ import annotations

from typing import Final

from lineage.names import Identifier
from lineage.sql.binding.columns import TableColumns
from lineage.sql.binding.lookup import Lookup
from lineage.sql.dialects import is_system_column

# What stands before a column of a row that a statement writes, and of a sequence.
_ROWS: Final = frozenset({"excluded", "new", "old", "inserted", "deleted", "values", "nextval", "currval"})


def note_absent(lookup: Lookup, number: int, names: list[int]) -> None:
    """Nobody in sight of the scope has the column: any known table there could be meant."""
    keys = [lookup.keys[name] for name in names]
    if keys[-1] == "*" or is_system_column(keys[-1]) or _ROWS.intersection(keys):
        return
    if len(names) == 1 and lookup.program.identifier(names[0]).quoted and lookup.dialect in ("sqlite", ""):
        return  # there a text may stand in double quotes
    if len(names) == 1 and lookup.program.scopes[number].clauses and _is_made_up(lookup, number, keys[0]):
        return
    tables: dict[int, None] = {}
    at = number
    while at >= 0:
        for source in lookup.sources(at):
            if type(source.columns) is TableColumns and source.columns.known:
                tables[source.columns.table] = None
        at = lookup.program.scopes[at].parent
    if tables:
        written = [lookup.program.identifier(name) for name in names]
        text = ".".join(one.text for one in written)
        lookup.missing[number][".".join(keys)] = (tuple(tables), Identifier(text, written[-1].quoted))


def _is_made_up(lookup: Lookup, number: int, key: str) -> bool:
    """Whether an output without an alias may be a call of that name: then dialects may call it so, too."""
    for name, *rest in lookup.program.scopes[number].outputs:
        if name != -1:
            continue
        deps, text = rest[0], lookup.program.text(rest[1])
        # Outputs of no columns have no text, nor have any where texts are not kept.
        if text.lower().startswith(f"{key}(") if text else deps or key == "count":
            return True
    return False
