"""How a connection's SQL is stored: whole, without its literals, or not at all (`store_sql`)."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from lineage.store import Store


def _compile(sql: str, dialect: str | None) -> bytes:
    from lineage.sql import compile_sql

    return compile_sql(sql, dialect).to_bytes()


def _compile_masked(sql: str, dialect: str | None) -> bytes:
    from lineage.sql import compile_sql

    return compile_sql(sql, dialect).without_literals(keep=True).to_bytes()


def _compile_bare(sql: str, dialect: str | None) -> bytes:
    from lineage.sql import compile_sql

    return compile_sql(sql, dialect).without_literals(keep=False).to_bytes()


def known_programs(store: Store, name: str) -> Mapping[str, bytes]:
    """Programs compiled by earlier runs, those of another version of the engine left out."""
    from lineage.sql.program import is_current

    return {key: program for key, program in store.snapshots.programs(name).items() if is_current(program)}


def _masked(sql: str, dialect: str | None) -> str | None:
    from lineage.sql.masking import mask_literals

    return mask_literals(sql, dialect)


COMPILE: Mapping[str, Callable[[str, str | None], bytes]] = {
    "full": _compile,
    "masked": _compile_masked,
    "none": _compile_bare,
}
KEEP_SQL: Mapping[str, Callable[[str, str | None], str | None]] = {
    "full": lambda sql, _: sql,
    "masked": _masked,
    "none": lambda sql, _: None,
}
