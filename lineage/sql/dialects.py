"""What the engine must know of each dialect: its name in sqlglot, and its rules for names."""

from __future__ import annotations

from functools import lru_cache

# Other people's names for a dialect, and the nearest relative of those that sqlglot does not have.
_ALIASES = {
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
_STORES_LOWER = frozenset({"postgres", "redshift", "materialize", "risingwave"})
_STORES_UPPER = frozenset({"snowflake", "oracle", "exasol", "teradata"})
# Every name is exact.
_EXACT = frozenset({"clickhouse"})

# An alias of the select list cannot be used by its later items.
_NO_ALIAS_REUSE = frozenset(
    {
        "postgres",
        "mysql",
        "tsql",
        "fabric",
        "bigquery",
        "oracle",
        "sqlite",
        "presto",
        "trino",
        "athena",
        "materialize",
    }
)
# A common table expression may name itself without the word RECURSIVE.
_IMPLICIT_RECURSION = frozenset({"tsql", "fabric", "oracle", "snowflake", "teradata", "exasol", ""})


@lru_cache(maxsize=256)
def sqlglot_name(dialect: str | None) -> str:
    """sqlglot's name for the dialect; "" (its own, generic one) when nobody knows it."""
    from sqlglot.dialects.dialect import Dialects

    name = (dialect or "").strip().lower().replace("-", "").replace("_", "").replace(" ", "")
    name = _ALIASES.get(name, name)
    return name if name in {member.value for member in Dialects} else ""


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


def keys_of_stored(text: str, dialect: str) -> tuple[str, str | None]:
    """The keys that find a catalogue's column: the sure one, and one that any other column may take over."""
    if dialect in _EXACT:
        return text, None
    exact = key_of(text, True, dialect)
    return (exact, text.lower()) if exact[:1] == '"' else (exact, None)


def reuses_aliases(dialect: str) -> bool:
    """Whether an item of a select list may use the alias of an earlier one."""
    return dialect not in _NO_ALIAS_REUSE


def recursion_is_implicit(dialect: str) -> bool:
    """Whether a common table expression may read itself without RECURSIVE being written."""
    return dialect in _IMPLICIT_RECURSION
