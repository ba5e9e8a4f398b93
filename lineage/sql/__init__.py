"""SQL lineage in two stages: `compile_sql` (text to program), `bind` (program and catalogue to lineage).

`analyze` does both. The parser is loaded by the first use of a name, not by importing this package.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from lineage.sql.analysis import Analysis, analyze
    from lineage.sql.binding.binder import bind
    from lineage.sql.binding.results import (
        Ambiguous,
        Binding,
        ColumnEdge,
        Flow,
        Indirect,
        Output,
        StatementBinding,
        Upstream,
    )
    from lineage.sql.binding.stored import StoredColumns
    from lineage.sql.compile import compile_sql
    from lineage.sql.program import Program, SqlError

_HOMES = {
    "Ambiguous": "binding.results",
    "Analysis": "analysis",
    "Binding": "binding.results",
    "ColumnEdge": "binding.results",
    "Flow": "binding.results",
    "Indirect": "binding.results",
    "Output": "binding.results",
    "Program": "program",
    "SqlError": "program",
    "StatementBinding": "binding.results",
    "StoredColumns": "binding.stored",
    "Upstream": "binding.results",
    "analyze": "analysis",
    "bind": "binding.binder",
    "compile_sql": "compile",
}

__all__ = [
    "Ambiguous",
    "Analysis",
    "Binding",
    "ColumnEdge",
    "Flow",
    "Indirect",
    "Output",
    "Program",
    "SqlError",
    "StatementBinding",
    "StoredColumns",
    "Upstream",
    "analyze",
    "bind",
    "compile_sql",
]


def __getattr__(name: str) -> Any:
    home = _HOMES.get(name)
    if home is None:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    from importlib import import_module

    value = getattr(import_module(f"{__name__}.{home}"), name)
    globals()[name] = value
    return value
