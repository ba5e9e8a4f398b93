"""How a connection's SQL is stored: whole, without its literals, or not at all (`store_sql`).

Statements that carry credentials are stored without literals whatever a connection says.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from functools import cache, partial
from typing import TYPE_CHECKING

from lineage.sql.credentials import carries_credentials
from lineage.store import Store
from lineage.store.rows import logged_key

if TYPE_CHECKING:
    from lineage.sql import Program
    from lineage.sql.query_log import QueryLog


def compile_to_store(mode: str) -> Callable[[str, str | None], bytes]:
    """Text and dialect to the program as it is stored."""
    return partial(_compile, mode)


def text_to_store(mode: str) -> Callable[[str, str | None], str | None]:
    """Text and dialect to the text that is stored, None for none."""
    return partial(_text, mode)


def open_query_log(store: Store, name: str, dialect: str | None, mode: str) -> QueryLog:
    """A log to fold a connection's statements in, that compiles nothing which an earlier run has compiled."""
    from lineage.sql.query_log import QueryLog

    @cache
    def programs() -> Mapping[str, bytes]:
        return known_programs(store, name)

    return QueryLog(
        dialect,
        partial(_encode, mode),
        lambda key, of_dialect: programs().get(logged_key(key, of_dialect, mode)),
    )


def unknown_dialects(names: Iterable[str]) -> list[str]:
    """Those that no parser is known for, sorted."""
    from lineage.sql.dialects import is_known

    return sorted(name for name in names if not is_known(name))


def known_programs(store: Store, name: str) -> Mapping[str, bytes]:
    """Programs compiled by earlier runs, those of another version of the engine left out."""
    from lineage.sql.program import is_current

    return {key: program for key, program in store.snapshots.programs(name).items() if is_current(program)}


def _compile(mode: str, sql: str, dialect: str | None) -> bytes:
    from lineage.sql import compile_sql

    return _encode(mode, compile_sql(sql, dialect), sql)


def _encode(mode: str, program: Program, sql: str) -> bytes:
    if mode == "none":
        program = program.without_literals(keep=False)
    elif mode == "masked" or carries_credentials(sql):
        program = program.without_literals(keep=True)
    return program.to_bytes()


def _text(mode: str, sql: str, dialect: str | None) -> str | None:
    if mode == "none":
        return None
    if mode == "full" and not carries_credentials(sql):
        return sql
    from lineage.sql.masking import mask_literals

    return mask_literals(sql, dialect)
