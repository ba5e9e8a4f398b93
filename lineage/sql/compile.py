"""Text and dialect to a program: each statement parsed once, each tree passed over once."""

from __future__ import annotations

from functools import partial
from typing import Final

from sqlglot import exp
from sqlglot.errors import ParseError

from lineage.sql.collector import hold, release
from lineage.sql.compiling.builder import Builder
from lineage.sql.compiling.dynamic import compile_dynamic, compile_quoted, note_assignment
from lineage.sql.compiling.moves import Unsupported
from lineage.sql.compiling.queries import compile_query
from lineage.sql.compiling.session import set_by_command
from lineage.sql.compiling.sources import add_source
from lineage.sql.compiling.statements import compile_changing_cte, compile_statement
from lineage.sql.dialects import sqlglot_name
from lineage.sql.isolated import compile_isolated, leave, refuse
from lineage.sql.messages import in_words
from lineage.sql.program import Program, SqlError, StatementProgram, _Body
from lineage.sql.reading.bodies import MAX_DEPTH, Body
from lineage.sql.reading.commands import command_text
from lineage.sql.reading.parsing import is_assignment, parse_body, parse_query, parse_text
from lineage.sql.reading.rewrites import NAMED_BY_TEXT
from lineage.sql.reading.suspicion import Judge, Suspicious
from lineage.sql.reading.tokens import Tokens, column_of, words
from lineage.sql.reading.trees import Parsed, open_command, unlink

# Commands that carry no lineage, of which the parser knows the first word only.
_PLAIN: Final = words(
    "ADD ANALYZE ATTACH BEGIN CALL CHECKPOINT CLEAR CLOSE COMMENT COMMIT DEALLOCATE DECLARE DESCRIBE",
    "DETACH DISCARD ELSE END FETCH GET GRANT KILL LIST LISTEN LOCK MSCK NOTIFY OPEN OPTIMIZE PRAGMA PRINT",
    "PUT RAISE RAISERROR REFRESH REINDEX REMOVE RESET RETURN REVOKE ROLLBACK SAVEPOINT SET SHOW START",
    "THROW UNCACHE UNLOCK USE VACUUM WAITFOR",
)
_SHORT_TEXT: Final = 10_000  # characters in quotes that any text may run, however short it is


def compile_sql(sql: str, dialect: str | None = None) -> Program:
    """Compile a text of one or more statements. Never raises: trouble is in `Program.errors`.

    An unknown dialect is read as generic SQL.
    """
    name = sqlglot_name(dialect)
    hold()
    try:
        return compile_text(sql, name, leave)
    except Suspicious:
        pass  # one of its statements may take too much
    finally:
        release()
    return compile_isolated(sql, name) or compile_text(sql, name, refuse)


def compile_text(sql: str, name: str, judge: Judge) -> Program:
    """Compile a text in this process, given sqlglot's name of its dialect. Raises what the judge raises."""
    if not sql.isascii():
        sql = sql.encode("utf-8", "replace").decode("utf-8")
    builder = Builder(name)
    builder.compile_query = compile_query
    builder.compile_statement = compile_statement
    builder.compile_changing_cte = compile_changing_cte
    builder.add_source = add_source
    builder.parse_inner = partial(parse_query, dialect=name, judge=judge)
    builder.sql = sql
    if "IDENTIFIER" in sql.upper() and NAMED_BY_TEXT.search(sql):
        builder.let_literals_matter()
    statements = builder.statements
    errors: list[SqlError] = []
    for parsed in parse_text(sql, name, judge):
        _compile_with_bodies(builder, parsed, errors, judge, 0)
        if not builder.scalars:  # which later statements may read
            unlink(parsed.tree)
    if not statements:
        errors.append(SqlError(0, "the text holds no statement", 1, 1, "sql_parse_error"))
    tables = [list(numbers) for numbers in builder.tables]
    body = _Body(
        builder.texts,
        tables,
        builder.scopes,
        builder.order,
        statements,
        builder.literals_matter,
        builder.session_tables,
    )
    return Program(name, body, tuple(errors), builder.excerpts)


def _compile_with_bodies(
    builder: Builder, parsed: Parsed, errors: list[SqlError], judge: Judge, depth: int
) -> None:
    """Compile a statement, and those that stand in it in quotes."""
    statements = builder.statements
    builder.tokens = parsed.tokens
    if is_assignment(parsed.tree):
        note_assignment(builder, parsed.tokens[1:])
        return
    index = len(statements)
    error = _compile_one(builder, parsed, index, judge)
    bodies, builder.bodies = builder.bodies, []
    if error is None and bodies and (why := _too_much(builder, bodies, depth)):
        first = parsed.tokens[0]
        error = SqlError(index, why, first.line, column_of(first), "sql_budget")
    if error is not None:
        errors.append(error)
        builder.statement = StatementProgram("unknown")
        bodies = []
    builder.statement.ends = len(builder.order)
    statements.append(builder.statement)
    for body in bodies:
        for inner in parse_body(builder.sql, body, builder.dialect, judge):
            _compile_with_bodies(builder, inner, errors, judge, depth + 1)


def _too_much(builder: Builder, bodies: list[Body], depth: int) -> str | None:
    """Why what stands in quotes is not read: a text could run another one, a long one, a thousand times."""
    builder.characters_in_quotes += sum(len(body.text) for body in bodies)
    if builder.characters_in_quotes > MAX_DEPTH * len(builder.sql) + _SHORT_TEXT:
        return "it runs much more text than it holds"
    return f"texts in quotes are nested {depth} deep" if depth == MAX_DEPTH else None


def _compile_one(builder: Builder, parsed: Parsed, index: int, judge: Judge) -> SqlError | None:
    """Compile a statement itself; gives its error if it has one."""
    builder.statement = StatementProgram("unknown")
    tree, tokens = parsed.tree, parsed.tokens
    if _may_hold_code(parsed) and compile_quoted(builder, _opened(builder, tokens)):
        return None
    if tree is None:
        return SqlError(index, in_words(parsed.message), parsed.line, parsed.column, parsed.reason)

    if isinstance(tree, exp.Command):
        word, rest = command_text(tree)
        if set_by_command(builder, word, rest) or word in _PLAIN:
            builder.statement.kind = word.lower()
            if word == "DECLARE":
                note_assignment(builder, _opened(builder, tokens))
            return None
    try:
        if not (
            isinstance(tree, exp.Command) and tokens and compile_dynamic(builder, _opened(builder, tokens))
        ):
            compile_statement(builder, tree)
    except Unsupported as error:
        return _failed(index, tokens, "sql_unsupported", str(error))
    except ParseError as broken:  # of a query that stands in the statement as a string
        return _failed(index, tokens, "sql_parse_error", str(broken))
    except (RecursionError, MemoryError):
        why = judge("nested deep") or "needs more memory than a statement may have"
        return _failed(index, tokens, "sql_budget", why)
    except Exception as fault:  # noqa: BLE001 - a tree of a shape nobody foresaw must not hurt the other statements
        return _failed(index, tokens, "sql_unsupported", f"not understood ({type(fault).__name__})")
    if parsed.explained or builder.statement.kind == "explain":
        builder.statement.kind = "explain"
        builder.statement.writes = []
        builder.statement.flows = [[-1, None, flow[2], False] for flow in builder.statement.flows]
    builder.excerpts.end_statement(tokens, builder.sql)
    return None


def _failed(index: int, tokens: Tokens, reason: str, message: str) -> SqlError:
    line, column = (tokens[0].line, column_of(tokens[0])) if tokens else (None, None)
    return SqlError(index, in_words(message), line, column, reason)


def _may_hold_code(parsed: Parsed) -> bool:
    """Whether it is worth a look: CREATE and DO, however well the parser understood them."""
    if not isinstance(parsed.tree, exp.Create | exp.Command | None) or not parsed.tokens:
        return False
    return parsed.tokens[0].text.upper() in ("CREATE", "DO")


def _opened(builder: Builder, tokens: Tokens) -> Tokens:
    return open_command(tokens, builder.sql, builder.dialect)
