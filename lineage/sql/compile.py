"""Text and dialect to a program: each statement parsed once, each tree passed over once."""

from __future__ import annotations

from functools import partial

from sqlglot import exp
from sqlglot.errors import ParseError

from lineage.sql.builder import Builder
from lineage.sql.collector import hold, release
from lineage.sql.commands import command_text
from lineage.sql.dialects import sqlglot_name
from lineage.sql.messages import in_words
from lineage.sql.moves import Unsupported
from lineage.sql.parsing import Parsed, parse_query, parse_text
from lineage.sql.program import Program, SqlError, StatementProgram, _Body
from lineage.sql.queries import compile_query
from lineage.sql.session import set_by_command
from lineage.sql.sources import add_source
from lineage.sql.statements import compile_changing_cte, compile_statement

# Commands that carry no lineage, of which the parser knows the first word only.
_PLAIN = frozenset(
    [
        "ADD",
        "ANALYZE",
        "ATTACH",
        "BEGIN",
        "CHECKPOINT",
        "CLEAR",
        "COMMENT",
        "COMMIT",
        "DECLARE",
        "DESCRIBE",
        "DETACH",
        "DISCARD",
        "GET",
        "GRANT",
        "KILL",
        "LIST",
        "LISTEN",
        "LOCK",
        "MSCK",
        "NOTIFY",
        "OPTIMIZE",
        "PRAGMA",
        "PRINT",
        "PUT",
        "RAISE",
        "REFRESH",
        "REINDEX",
        "REMOVE",
        "RESET",
        "RETURN",
        "REVOKE",
        "ROLLBACK",
        "SAVEPOINT",
        "SET",
        "SHOW",
        "START",
        "UNCACHE",
        "UNLOCK",
        "USE",
        "VACUUM",
    ]
)


def compile_sql(sql: str, dialect: str | None = None) -> Program:
    """Compile a text of one or more statements. Never raises: trouble is in `Program.errors`.

    An unknown dialect is read as generic SQL.
    """
    hold()
    try:
        return _compile(sql, dialect)
    finally:
        release()


def _compile(sql: str, dialect: str | None) -> Program:
    name = sqlglot_name(dialect)
    if not sql.isascii():
        sql = sql.encode("utf-8", "replace").decode("utf-8")
    builder = Builder(name)
    builder.compile_query = compile_query
    builder.compile_statement = compile_statement
    builder.compile_changing_cte = compile_changing_cte
    builder.add_source = add_source
    builder.parse_inner = partial(parse_query, dialect=name)
    statements = builder.statements
    errors: list[SqlError] = []
    for parsed in parse_text(sql, name):
        index = len(statements)
        error = _compile_one(builder, parsed, index, sql)
        if error is not None:
            errors.append(error)
            builder.statement = StatementProgram("unknown")
        builder.statement.ends = len(builder.order)
        statements.append(builder.statement)
    if not statements:
        errors.append(SqlError(0, "the text holds no statement", 1, 1, "sql_parse_error"))
    tables = [list(numbers) for numbers in builder.tables]
    body = _Body(builder.texts, tables, builder.scopes, builder.order, statements)
    return Program(name, body, tuple(errors), builder.excerpts)


def _compile_one(builder: Builder, parsed: Parsed, index: int, sql: str) -> SqlError | None:
    builder.statement = StatementProgram("unknown")
    if parsed.tree is None:
        return SqlError(index, in_words(parsed.message), parsed.line, parsed.column, parsed.reason)
    first = parsed.tokens[0] if parsed.tokens else None
    line, column = (first.line, max(first.col - len(first.text) + 1, 1)) if first else (None, None)
    if isinstance(parsed.tree, exp.Command):
        word, rest = command_text(parsed.tree)
        if set_by_command(builder, word, rest) or word in _PLAIN:
            builder.statement.kind = word.lower()
            return None
    try:
        compile_statement(builder, parsed.tree)
    except Unsupported as error:
        return SqlError(index, in_words(str(error)), line, column, "sql_unsupported")
    except ParseError as error:  # of a query that stands in the statement as a string
        return SqlError(index, in_words(str(error)), line, column, "sql_parse_error")
    except RecursionError:
        return SqlError(index, "nested too deep to be compiled", line, column, "sql_budget")
    except Exception as error:  # noqa: BLE001 - a tree of a shape nobody foresaw must not hurt the other statements
        message = f"not understood ({type(error).__name__})"
        return SqlError(index, message, line, column, "sql_unsupported")
    if parsed.explained or builder.statement.kind == "explain":
        builder.statement.kind = "explain"
        builder.statement.writes = []
        builder.statement.flows = [[-1, None, flow[2], False] for flow in builder.statement.flows]
    builder.excerpts.end_statement(parsed.tokens, sql)
    return None
