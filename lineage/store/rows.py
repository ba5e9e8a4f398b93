"""The rows of a snapshot: their columns, and the keys and hashes that name them."""

from __future__ import annotations

import hashlib

import pyarrow as pa

from lineage.store.engine import cursor

_LOGGED = "log-"  # begins the key of a query that stands for all of its shape

_REFERENCE = pa.struct(
    [
        (name, pa.string())
        for name in (
            *("type", "key", "cluster", "database", "schema", "table", "column"),
            *("query", "default_database", "default_schema"),
        )
    ]
)
SNAPSHOT_FIELDS = [
    ("digest", pa.string()),
    ("entity_type", pa.string()),
    ("parent_key", pa.string()),
    ("title", pa.string()),
    ("database", pa.string()),
    ("schema", pa.string()),
    ("body", pa.string()),
    ("from_ref", _REFERENCE),
    ("to_ref", _REFERENCE),
    ("sql", pa.string()),
    ("dialect", pa.string()),
    ("program", pa.binary()),
]
ROWS = pa.schema([("kind", pa.string()), ("key", pa.string()), *SNAPSHOT_FIELDS])


def distinct(rows: pa.Table) -> pa.Table:
    """Of each kind and key the last row, in the order of kind and key."""
    with cursor() as engine:
        numbered = rows.append_column("seq", pa.array(range(rows.num_rows), pa.int64()))
        engine.register("numbered", numbered)
        query = """
            SELECT * EXCLUDE (seq) FROM numbered
            QUALIFY row_number() OVER (PARTITION BY kind, key ORDER BY seq DESC) = 1
            ORDER BY kind, key
        """
        return engine.sql(query).to_arrow_table().cast(ROWS)


def content_hash(rows: pa.Table) -> str:
    """A hash of rows that are distinct and in order."""
    state = hashlib.blake2b(digest_size=16)
    for name in ("kind", "key", "digest"):
        for chunk in rows[name].chunks:
            state.update("\0".join(chunk.to_pylist()).encode("utf-8", "surrogatepass"))
    return state.hexdigest()


NO_ROWS = content_hash(ROWS.empty_table())


def logged_key(key: str, dialect: str | None, kept: str = "full") -> str:
    """The key of a folded log's entry, stored in this way."""
    return _LOGGED + digest_of(f"{kept}\0{dialect or ''}\0{key}".encode())


def query_key(sql: str, dialect: str | None, kept: str = "full") -> str:
    """One text that is stored in another way by another connection is another query."""
    mode = "" if kept == "full" else f"{kept}\0"
    text = f"{mode}{dialect or ''}\0{sql}".encode("utf-8", "surrogatepass")
    return hashlib.blake2b(text, digest_size=16).hexdigest()


def is_logged(key: str) -> bool:
    """Whether a query's key is one of a folded log's."""
    return key.startswith(_LOGGED)


def digest_of(*parts: bytes) -> str:
    """A hash of bytes, as text."""
    state = hashlib.blake2b(digest_size=16)
    for part in parts:
        state.update(part)
    return state.hexdigest()
