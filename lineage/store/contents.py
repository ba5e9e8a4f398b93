"""How contents lie in files: whole, or as changes over a whole one; read in place by an embedded engine.

A change is a row that is new or different, or one of kind `-<kind>` that says that the row of that kind and key is
gone. One of kind `-` alone says nothing: it is there so that no changes lie in a file too, and can be told from a
content that is not stored.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from typing import NamedTuple
from urllib.parse import unquote

import duckdb
import pyarrow as pa
import pyarrow.dataset as ds
from deltalake import DeltaTable

from connectors.errors import StoreError
from lineage.store.engine import count_rows

GONE = "-"
MOST_CHANGED = 0.25  # of a whole content: with more it is written whole
_OVER = "-"  # in a segment's name, between a content and the one that it lies over
_NOTHING = f"SELECT '{GONE}' AS kind, '' AS key"


class Piece(NamedTuple):
    """A file of a content's rows."""

    file: str
    scope: str
    segment: str

    @property
    def content(self) -> str:
        return self.segment.partition(_OVER)[0]

    @property
    def base(self) -> str:
        """The whole content that this one's changes lie over; empty for a whole one."""
        return self.segment.partition(_OVER)[2]


def over(content: str, base: str) -> str:
    """The segment of a content whose changes lie over a whole one."""
    return f"{content}{_OVER}{base}"


def pieces_of(table: DeltaTable | None, uri: str) -> list[Piece]:
    """All files of a table."""
    if table is None:
        return []
    actions = pa.table(table.get_add_actions(flatten=True))
    columns = [actions[name].to_pylist() for name in ("path", "partition.scope", "partition.segment")]
    return [
        Piece(f"{uri}/{unquote(path)}", scope, segment) for path, scope, segment in zip(*columns, strict=True)
    ]


def _where(pieces: Sequence[Piece], contents: Collection[tuple[str, str]]) -> dict[tuple[str, str], Piece]:
    """Where each content is read from. One that lies in several ways, whole or over others, is read in one of them."""
    segments = {(piece.scope, piece.segment) for piece in pieces}
    found: dict[tuple[str, str], Piece] = {}
    lost = set()
    for piece in sorted(pieces, key=lambda one: (bool(one.base), one.segment)):
        if (piece.scope, piece.content) not in contents:
            continue
        if piece.base and (piece.scope, piece.base) not in segments:
            lost.add((piece.scope, piece.content))
        else:
            found.setdefault((piece.scope, piece.content), piece)
    if without := sorted(set(contents) - found.keys()):
        what = (
            "only changes are stored, and not what they lie over"
            if without[0] in lost
            else "no rows are stored"
        )
        raise StoreError(f"of {without[0][0]} {what}", hint="run `headwater sync` again")
    return found


def read_segments(
    segments: Collection[tuple[str, str]], contents: Collection[tuple[str, str]]
) -> set[tuple[str, str]]:
    """Of segments, each (scope, name), those from which contents, each (scope, hash), are read."""
    read = set()
    for scope, segment in segments:
        piece = Piece("", scope, segment)
        if (scope, piece.content) in contents:
            read |= {(scope, segment), (scope, piece.base or segment)}
    return read


def scan(
    engine: duckdb.DuckDBPyConnection,
    name: str,
    table: DeltaTable | None,
    pieces: Sequence[Piece],
    contents: Collection[tuple[str, str]],
    schema: pa.Schema,
    only: str | None = None,
) -> None:
    """Makes the view `name` of contents, each (scope, hash): their rows, `segment` being the content's hash.

    `pieces` are all files of the table; those of other contents are not read. `only` is a table (kind, key) of the rows
    that are wanted. Raises StoreError for a content that is not stored, or of which only the changes are there.
    """
    read = []  # scope, content, segment that it is read from, whether those are changes
    for (scope, content), piece in _where(pieces, contents).items():
        read.append((scope, content, piece.segment, bool(piece.base)))
        if piece.base:
            read.append((scope, content, piece.base, False))
    if table is None or not read or (only and not count_rows(engine, only)):
        engine.register(f"{name}_none", schema.empty_table())
        engine.execute(f"CREATE OR REPLACE TEMP VIEW {name} AS SELECT * FROM {name}_none")
        return
    engine.execute(f"""
        CREATE OR REPLACE TEMP TABLE {name}_read (scope VARCHAR, content VARCHAR, segment VARCHAR, is_change BOOLEAN)
    """)
    engine.executemany(f"INSERT INTO {name}_read VALUES (?, ?, ?, ?)", read)
    whole = {(scope, segment) for scope, _, segment, is_change in read if not is_change}
    changes = {(scope, segment) for scope, _, segment, is_change in read if is_change}
    columns = ", ".join(f'r."{field}"' for field in schema.names if field not in ("scope", "segment"))
    read_from = f"JOIN {name}_read p ON p.scope = r.scope AND p.segment = r.segment"
    _raw(engine, f"{name}_whole", table, [p for p in pieces if (p.scope, p.segment) in whole], only)
    query = (
        f"SELECT p.scope, p.content AS segment, {columns} FROM {name}_whole r {read_from} AND NOT p.is_change"
    )
    if changes:
        _raw(engine, f"{name}_over", table, [p for p in pieces if (p.scope, p.segment) in changes], only)
        engine.execute(f"""
            CREATE OR REPLACE TEMP TABLE {name}_change AS
            SELECT p.scope, p.content, ltrim(r.kind, '{GONE}') AS kind, r.key
            FROM {name}_over r {read_from} AND p.is_change
        """)
        query += f"""
            ANTI JOIN {name}_change c
                ON c.scope = p.scope AND c.content = p.content AND c.kind = r.kind AND c.key = r.key
            UNION ALL
            SELECT p.scope, p.content, {columns} FROM {name}_over r {read_from} AND p.is_change
            WHERE NOT starts_with(r.kind, '{GONE}')
        """
    engine.execute(f"CREATE OR REPLACE TEMP VIEW {name} AS {query}")


def _raw(
    engine: duckdb.DuckDBPyConnection,
    name: str,
    table: DeltaTable,
    pieces: Sequence[Piece],
    only: str | None = None,
) -> None:
    """Makes the view `name` of the rows in files, or of those in the table `only`, with their scope and segment."""
    if any("://" in piece.file for piece in pieces):
        wanted = " OR ".join(
            f"(scope = '{scope}' AND segment = '{segment}')" for scope, segment in {p[1:] for p in pieces}
        )
        dataset = table.to_pyarrow_dataset(file_pruning_predicate=wanted)
        both = [sorted({piece[at] for piece in pieces}) for at in (1, 2)]
        keep = ds.field("scope").isin(both[0]) & ds.field("segment").isin(both[1])
        engine.register(f"{name}_dataset", dataset.filter(keep))
        query = f"SELECT r.* FROM {name}_dataset r"
    else:
        # Of local files the engine's own reader takes half the time.
        engine.execute(
            f"CREATE OR REPLACE TEMP TABLE {name}_file (file VARCHAR, scope VARCHAR, segment VARCHAR)"
        )
        engine.executemany(f"INSERT INTO {name}_file VALUES (?, ?, ?)", list(pieces))
        files = ", ".join("'" + piece.file.replace("'", "''") + "'" for piece in pieces)
        query = f"""
            SELECT f.scope, f.segment, r.* EXCLUDE (filename)
            FROM read_parquet([{files}], filename = true, hive_partitioning = false) r
            JOIN {name}_file f ON f.file = r.filename
        """
    if only is not None:
        kinds = engine.execute(f"SELECT DISTINCT kind FROM {only}").fetchall()
        named = ", ".join(f"'{kind}', '{GONE}{kind}'" for (kind,) in kinds)
        query = f"""
            SELECT r.* FROM ({query}) r
            SEMI JOIN (SELECT kind, key FROM {only} UNION ALL SELECT '{GONE}' || kind, key FROM {only}) o
                ON o.key = r.key AND o.kind = r.kind
            WHERE r.kind IN ({named})
        """
    engine.execute(f"CREATE OR REPLACE TEMP VIEW {name} AS {query}")


def changes(
    engine: duckdb.DuckDBPyConnection,
    queries: Sequence[str],
    table: DeltaTable,
    pieces: Sequence[Piece],
    base: tuple[str, str],
    schema: pa.Schema,
) -> str | None:
    """A query for what differs between the rows of queries and a stored whole content (scope, hash).

    None where that is so much that the whole is better written again.
    """
    query = " UNION ALL BY NAME ".join(f"({one})" for one in queries)
    scan(engine, "base_row", table, pieces, {base}, schema)
    engine.execute("CREATE OR REPLACE TEMP TABLE base_key AS SELECT kind, key, digest FROM base_row")
    engine.execute(f"""
        CREATE OR REPLACE TEMP TABLE changed_row AS
        SELECT n.* FROM ({query}) n
        ANTI JOIN base_key b ON b.kind = n.kind AND b.key = n.key AND b.digest = n.digest
    """)
    most = count_rows(engine, "base_key") * MOST_CHANGED
    if count_rows(engine, "changed_row") > most:
        return None
    engine.execute(f"""
        CREATE OR REPLACE TEMP TABLE gone_row AS
        SELECT '{GONE}' || b.kind AS kind, b.key FROM base_key b
        ANTI JOIN ({query}) n ON n.kind = b.kind AND n.key = b.key
    """)
    count = count_rows(engine, "changed_row") + count_rows(engine, "gone_row")
    if count > most:
        return None
    return f"""
        SELECT * FROM changed_row UNION ALL BY NAME SELECT * FROM gone_row UNION ALL BY NAME {_NOTHING}
        ORDER BY kind, key
    """


def merged_changes(
    engine: duckdb.DuckDBPyConnection,
    queries: Sequence[str],
    table: DeltaTable,
    pieces: Sequence[Piece],
    patched: tuple[str, str],
    schema: pa.Schema,
) -> tuple[str, str] | None:
    """The whole content that a stored one, (scope, hash), lies over, and a query for the changes over that which it and
    the changes to it make.

    None where those are so many that the whole is better written again.
    """
    patch = " UNION ALL BY NAME ".join(f"({one})" for one in queries)
    engine.execute(f"CREATE OR REPLACE TEMP TABLE patch_row AS {patch} UNION ALL BY NAME {_NOTHING}")
    scope = patched[0]
    lies = _where(pieces, {patched})[patched]
    earlier = [p for p in pieces if (p.scope, p.segment) == (scope, lies.segment) and p.base]
    rest = ""
    if earlier:
        _raw(engine, "earlier_row", table, earlier)
        columns = ", ".join(f'"{field}"' for field in schema.names if field not in ("scope", "segment"))
        rest = f"""
            UNION ALL BY NAME SELECT {columns} FROM earlier_row e WHERE NOT EXISTS (
                SELECT 1 FROM patch_row p WHERE p.key = e.key AND ltrim(p.kind, '{GONE}') = ltrim(e.kind, '{GONE}'))
        """
    engine.execute(f"CREATE OR REPLACE TEMP TABLE merged_row AS SELECT * FROM patch_row {rest}")
    base = lies.base or lies.segment
    scan(engine, "base_row", table, pieces, {(scope, base)}, schema)
    if count_rows(engine, "merged_row") > count_rows(engine, "base_row") * MOST_CHANGED:
        return None
    return base, "SELECT * FROM merged_row ORDER BY kind, key"


def patched_whole(
    engine: duckdb.DuckDBPyConnection,
    table: DeltaTable,
    pieces: Sequence[Piece],
    patched: tuple[str, str],
    schema: pa.Schema,
) -> str:
    """A query for all rows of a stored content, (scope, hash), after the changes in `patch_row`."""
    scan(engine, "patched_row", table, pieces, {patched}, schema)
    columns = ", ".join(f'"{field}"' for field in schema.names if field not in ("scope", "segment"))
    return f"""
        SELECT {columns} FROM patched_row r WHERE NOT EXISTS (
            SELECT 1 FROM patch_row p WHERE p.key = r.key AND ltrim(p.kind, '{GONE}') = r.kind)
        UNION ALL BY NAME SELECT * FROM patch_row WHERE NOT starts_with(kind, '{GONE}') ORDER BY kind, key
    """


def differing_keys(
    engine: duckdb.DuckDBPyConnection,
    name: str,
    table: DeltaTable,
    pieces: Sequence[Piece],
    contents: tuple[tuple[str, str], tuple[str, str]],
    schema: pa.Schema,
) -> None:
    """Makes the table `name` (kind, key) of the rows that two contents, each (scope, hash), may not have alike."""
    held = list(_where(pieces, contents).values())
    if len({scope for scope, _ in contents}) == 1 and len({p.base or p.segment for p in held}) == 1:
        segments = {(p.scope, p.segment) for p in held if p.base}
        over_base = [p for p in pieces if (p.scope, p.segment) in segments]
        if not over_base:
            engine.execute(f"CREATE OR REPLACE TEMP TABLE {name} (kind VARCHAR, key VARCHAR)")
            return
        _raw(engine, f"{name}_row", table, over_base)
        engine.execute(f"""
            CREATE OR REPLACE TEMP TABLE {name} AS SELECT DISTINCT ltrim(kind, '{GONE}') AS kind, key FROM {name}_row
        """)
        return
    for side, one in zip(("a", "b"), contents, strict=True):
        scan(engine, f"{name}_{side}", table, pieces, {one}, schema)
    engine.execute(f"""
        CREATE OR REPLACE TEMP TABLE {name} AS
        SELECT coalesce(a.kind, b.kind) AS kind, coalesce(a.key, b.key) AS key
        FROM (SELECT kind, key, digest FROM {name}_a) a
        FULL OUTER JOIN (SELECT kind, key, digest FROM {name}_b) b ON a.kind = b.kind AND a.key = b.key
        WHERE a.digest IS DISTINCT FROM b.digest
    """)
