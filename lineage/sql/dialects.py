"""What the engine must know of each dialect: its name in sqlglot, and its rules for names."""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache
from typing import Final

# Other people's names for a dialect, and the nearest relative of those that sqlglot does not have.
_ALIASES: Final = {
    "ansi": "",
    "awsathena": "athena",
    "azuresynapse": "tsql",
    "cockroach": "postgres",
    "cockroachdb": "postgres",
    "db2": "",
    "flink": "spark",
    "flinksql": "spark",
    "generic": "",
    "gbq": "bigquery",
    "greenplum": "postgres",
    "googlebigquery": "bigquery",
    "impala": "hive",
    "mariadb": "mysql",
    "mssql": "tsql",
    "netezza": "postgres",
    "pg": "postgres",
    "postgresql": "postgres",
    "pyspark": "spark",
    "spark3": "spark",
    "sparksql": "spark",
    "sql": "",
    "sqlserver": "tsql",
    "sqlite3": "sqlite",
    "synapse": "tsql",
    "vertica": "postgres",
}

# Quotes make a name exact; an unquoted one is stored in this case.
_STORES_LOWER: Final = frozenset({"postgres", "redshift", "materialize", "risingwave"})
_STORES_UPPER: Final = frozenset({"snowflake", "oracle", "exasol", "teradata"})
# Every name is exact.
_EXACT: Final = frozenset({"clickhouse"})

# An alias of the select list cannot be used by its later items.
_NO_ALIAS_REUSE: Final = frozenset(
    {
        "postgres",
        "mysql",
        "tsql",
        "fabric",
        "bigquery",
        "oracle",
        "hive",
        "sqlite",
        "presto",
        "trino",
        "athena",
        "materialize",
    }
)
# Where the alias of the select list may stand, besides ORDER BY and QUALIFY.
_NO_ALIAS_IN_GROUP: Final = frozenset({"tsql", "fabric", "presto", "trino", "athena"})
_NO_ALIAS_IN_HAVING: Final = _NO_ALIAS_IN_GROUP | {"postgres", "materialize", "risingwave"}
_NO_ALIAS_IN_WHERE: Final = _NO_ALIAS_REUSE | {"spark", "spark2", "databricks", "hive", "risingwave"}
# In ORDER BY an alias stands alone: within an expression a name is an input column.
_ALIAS_ORDERS_ALONE: Final = frozenset({"postgres", "materialize", "risingwave", "tsql", "fabric"})
_PSEUDO_COLUMNS: Final = frozenset({"rownum", "level", "rowid", "sysdate", "systimestamp", "user", "uid"})
# Columns that systems add to every table.
_SYSTEM_COLUMNS: Final = frozenset(
    {
        *_PSEUDO_COLUMNS,
        *("ctid", "oid", "tableoid", "xmin", "xmax", "cmin", "cmax"),
        *("_partitiontime", "_partitiondate", "_table_suffix", "_file_name", "_metadata", "ora_rowscn"),
        *(
            "_part",
            "_part_index",
            "input__file__name",
            "block__offset__inside__file",
            "_partition_id",
            "_sample_factor",
            "_rowid_",
            "filename",
        ),
    }
)
# A common table expression may name itself without the word RECURSIVE.
_IMPLICIT_RECURSION: Final = frozenset({"tsql", "fabric", "oracle", "snowflake", "teradata", "exasol", ""})


@lru_cache(maxsize=256)
def sqlglot_name(dialect: str | None) -> str:
    """sqlglot's name for the dialect; "" (its own, generic one) when nobody knows it."""
    name = _plain(dialect)
    name = _ALIASES.get(name, name)
    return name if name in _of_sqlglot() else ""


def is_known(dialect: str | None) -> bool:
    """Whether somebody knows the dialect; none at all is the generic one."""
    name = _plain(dialect)
    return name in _ALIASES or name in _of_sqlglot()


def dialect_names() -> list[str]:
    """Every name that a dialect may be given by, sorted."""
    return sorted((_of_sqlglot() | set(_ALIASES)) - {""})


def _plain(dialect: str | None) -> str:
    return (dialect or "").strip().lower().replace("-", "").replace("_", "").replace(" ", "")


def _of_sqlglot() -> frozenset[str]:
    from sqlglot.dialects.dialect import Dialects

    return frozenset(member.value for member in Dialects)


def key_of(text: str, quoted: bool, dialect: str) -> str:
    """The text under which two spellings of one name in a statement are equal."""
    if dialect in _EXACT:
        return text
    if quoted and (
        (dialect in _STORES_LOWER and text != text.lower())
        or (dialect in _STORES_UPPER and text != text.upper())
    ):
        return '"' + text
    return text.lower()


def keys_of_names(names: list[str], dialect: str) -> list[str]:
    """The keys of a program's names, in which a quoted one begins with a double quote."""
    if dialect in _EXACT:
        return [name[1:] if name[:1] == '"' else name for name in names]
    return [name.lower() if name[:1] != '"' else key_of(name[1:], True, dialect) for name in names]


def columns_by_key(names: Sequence[str], dialect: str) -> dict[str, str]:
    """A table's stored column names by the keys that find them.

    Where quotes matter, a name not in the stored case is found by its quoted spelling, and by the unquoted
    one as long as no other column is: catalogues do not always keep names in the stored case.
    """
    if dialect in _EXACT:
        return {name: name for name in names}
    if dialect not in _STORES_LOWER and dialect not in _STORES_UPPER:
        return {name.lower(): name for name in reversed(names)}
    out = {key_of(name, True, dialect): name for name in reversed(names)}
    for name in names:
        out.setdefault(name.lower(), name)
    return out


def columns_fold(quoted: bool, dialect: str | None) -> bool:
    """Whether a column so written may also be one whose name differs from it in case only."""
    if dialect in _EXACT:
        return False
    return not (quoted and (dialect in _STORES_LOWER or dialect in _STORES_UPPER))


def is_system_column(key: str) -> bool:
    """Whether tables have a column of this name that no catalogue lists."""
    return key in _SYSTEM_COLUMNS or key.startswith(("metadata$", "$"))


def pseudo_columns(dialect: str) -> frozenset[str]:
    """Reserved words that look like columns of every table."""
    return _PSEUDO_COLUMNS if dialect == "oracle" else frozenset()


def has_dual(dialect: str) -> bool:
    """Whether DUAL is the table of one row that holds nothing."""
    return dialect in ("oracle", "mysql", "exasol", "clickhouse", "")


def names_rows(dialect: str) -> bool:
    """Whether a source's name stands for its whole row, as in `to_json(t)`."""
    return dialect in ("postgres", "redshift", "bigquery", "duckdb")


def reuses_aliases(dialect: str) -> bool:
    """Whether an item of a select list may use the alias of an earlier one."""
    return dialect not in _NO_ALIAS_REUSE


def recursion_is_implicit(dialect: str) -> bool:
    """Whether a common table expression may read itself without RECURSIVE being written."""
    return dialect in _IMPLICIT_RECURSION


def prefers_aliases(dialect: str) -> bool:
    """Whether an alias hides a column of that name, wherever it may stand."""
    return dialect == "clickhouse"


@lru_cache(maxsize=64)
def clauses_with_aliases(dialect: str) -> tuple[str, ...]:
    """The clauses in which an alias of the select list may stand."""
    return tuple(
        clause
        for clause, forbidden in (
            ("where", _NO_ALIAS_IN_WHERE),
            ("group_by", _NO_ALIAS_IN_GROUP),
            ("having", _NO_ALIAS_IN_HAVING),
            ("order_by", ()),
            ("qualify", ()),
        )
        if dialect not in forbidden
    )


def merged_columns_come_first(dialect: str) -> bool:
    """Whether a star gives the columns of USING and NATURAL before all others, as the standard says."""
    return dialect not in ("duckdb", "sqlite", "clickhouse")


def lateral_is_implicit(dialect: str) -> bool:
    """Whether a subquery in FROM may name the tables before it without LATERAL being written."""
    return dialect == "duckdb"


def alias_orders_alone(dialect: str) -> bool:
    """Whether ORDER BY knows an alias only where it is the whole expression."""
    return dialect in _ALIAS_ORDERS_ALONE
