"""`analyze`: lineage of SQL text, names and all, as one value."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from lineage.names import Identifier, TableName, is_path
from lineage.sql.binding.binder import bind
from lineage.sql.binding.results import Binding, Indirect, Output, StatementBinding
from lineage.sql.compile import compile_sql
from lineage.sql.program import Program

# What a text may be that generic SQL cannot read, the more common first.
_COMMON = (
    *("postgres", "snowflake", "bigquery", "tsql", "mysql", "databricks", "oracle", "redshift", "duckdb"),
    *("trino", "clickhouse", "hive", "teradata", "sqlite"),
)
_LONG, _FEW = 20_000, 4  # of longer texts, in characters, only some dialects are tried
_QUOTES = '"`[]'


def analyze(
    sql: str,
    dialect: str | None = None,
    *,
    default_database: str | None = None,
    default_schema: str | None = None,
    schemas: Mapping[str, Any] | None = None,
) -> Analysis:
    """The lineage of a text of one or more statements. Never raises: trouble is in `Analysis.errors`.

    `schemas` maps a table's dotted name to its columns, in order (a mapping to their types, or a sequence). A
    dialect that is not known is read as generic SQL. Without a dialect a text that generic SQL cannot read is tried in
    others: `Analysis.dialect` is the first that can, and `detected` is true. None is the empty text, any other value
    that is no text what `str` makes of it.
    """
    text: object = sql
    name: object = dialect
    dialect = name if isinstance(name, str) else None
    defaults = Defaults(default_database, default_schema)
    sql = "" if text is None else str(text)
    program = compile_sql(sql, dialect)
    detected = _detected(sql, program) if name is None else None
    program = detected or program
    catalogue = _catalogue(program, schemas, defaults) if schemas else {}
    shown = program.dialect if detected else dialect or "generic"
    return Analysis(bind(program, catalogue), shown, defaults, detected=detected is not None)


def _detected(sql: str, generic: Program) -> Program | None:
    """The text in the first dialect that reads it without errors, where generic SQL does not."""
    if not generic.errors or not generic.statements or any(e.reason == "sql_budget" for e in generic.errors):
        return None
    for dialect in _COMMON if len(sql) <= _LONG else _COMMON[:_FEW]:
        program = compile_sql(sql, dialect)
        if not program.errors:
            return program
    return None


class Defaults:
    """Where a name's absent parts are looked up."""

    def __init__(self, database: str | None, schema: str | None) -> None:
        self.database = Identifier(database) if database else None
        self.schema = Identifier(schema) if schema else None

    def fill(self, table: TableName) -> TableName:
        if is_path(table.table.text):
            return table
        schema = table.schema or self.schema
        database = table.database or (self.database if schema else None)
        return table._replace(schema=schema, database=database)


def _catalogue(
    program: Program, schemas: Mapping[str, Any], defaults: Defaults
) -> dict[TableName, Sequence[str]]:
    """The given columns of the program's tables: by the whole name, else by a tail that only one name has."""
    wanted_parts = {t: _parts(defaults.fill(t)) for t in program.table_names}
    by_table: dict[str, list[tuple[tuple[str, ...], str]]] = {
        parts[-1]: [] for parts in wanted_parts.values()
    }
    for name in schemas:  # of which there may be very many: only those that are asked for are taken apart
        found = by_table.get(name[name.rfind(".") + 1 :].strip(_QUOTES).lower())
        if found is not None:
            found.append((tuple([part.strip(_QUOTES).lower() for part in name.split(".")]), name))
    out: dict[TableName, Sequence[str]] = {}
    for table, wanted in wanted_parts.items():
        candidates = [(parts, name) for parts, name in by_table[wanted[-1]] if _same_tail(parts, wanted)]
        best = [name for parts, name in candidates if parts == wanted] or [name for _, name in candidates]
        if len(best) == 1:
            out[table] = list(schemas[best[0]])
    return out


def _parts(table: TableName) -> tuple[str, ...]:
    """The parts of a name from the outermost that is given; "" for one that is open."""
    parts = [table.instance, table.database, table.schema, table.table]
    while parts[0] is None:
        parts.pop(0)
    return tuple(one for part in parts for one in (part.text.lower().split(".") if part else ("",)))


def _same_tail(given: tuple[str, ...], wanted: tuple[str, ...]) -> bool:
    shared = min(len(given), len(wanted))
    if shared > 1 and "" in wanted and len(given) < len(wanted):
        return False  # which of its parts the open one is cannot be told
    return all(w in ("", g) for g, w in zip(given[-shared:], wanted[-shared:], strict=True))


class Analysis:
    """What a text reads and writes. `binding` holds it as objects, `to_dict` as JSON."""

    def __init__(self, binding: Binding, dialect: str, defaults: Defaults, *, detected: bool = False) -> None:
        self.binding = binding
        self.dialect = dialect
        self.detected = detected
        self.errors = binding.errors
        self._defaults = defaults
        self._shown: dict[TableName, str] = {}

    def to_dict(self) -> dict[str, Any]:
        """The JSON that CONTRACT.md names "JSON of `sql`"."""
        statements = self.binding.statements
        failed = {error.statement: error.message for error in reversed(self.errors)}
        return {
            "dialect": {"name": self.dialect, "detected": self.detected},
            "in_tables": self._names([table for s in statements for table in s.reads]),
            "out_tables": self._names([table for s in statements for table in s.writes]),
            "column_lineage": [entry for s in statements for entry in self._column_lineage(s)],
            "indirect": [self._indirect(s.index, item) for s in statements for item in s.indirect],
            "ambiguous": [
                {"statement": s.index, "column": item.column.text, "candidates": self._names(item.candidates)}
                for s in statements
                for item in s.ambiguous
            ],
            "statements": [
                {
                    "index": s.index,
                    "kind": s.kind,
                    "in_tables": self._names(s.reads),
                    "out_tables": self._names(s.writes),
                    "error": failed.get(s.index),
                }
                for s in statements
            ],
            "errors": [
                {
                    "statement": e.statement,
                    "message": e.message,
                    "line": e.line,
                    "column": e.column,
                    "reason": e.reason,
                }
                for e in self.errors
            ],
        }

    def _show(self, table: TableName) -> str:
        shown = self._shown.get(table)
        if shown is None:
            shown = self._shown[table] = str(self._defaults.fill(table))
        return shown

    def _names(self, tables: Sequence[TableName]) -> list[str]:
        return list(dict.fromkeys([self._show(table) for table in tables]))

    def _column_lineage(self, statement: StatementBinding) -> list[dict[str, Any]]:
        return [
            {
                "statement": statement.index,
                "downstream": {
                    "table": self._show(flow.table) if flow.table else None,
                    "column": _name(output),
                },
                "upstreams": [
                    {"table": self._show(up.table) if up.table else None, "column": up.column.text}
                    for up in output.upstreams
                ],
                "expression": output.expression,
            }
            for flow in statement.flows
            for output in flow.outputs
        ]

    def _indirect(self, statement: int, item: Indirect) -> dict[str, Any]:
        return {
            "statement": statement,
            "table": self._show(item.table),
            "column": item.column.text,
            "clause": item.clause,
            "downstream": {
                "table": self._show(item.downstream) if item.downstream else None,
                "column": item.downstream_column.text if item.downstream_column else None,
            },
        }


def _name(output: Output) -> str:
    return output.name.text if output.name else f"_col_{output.position}"
