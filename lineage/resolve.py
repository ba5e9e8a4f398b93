"""Which table a reference means: the matching rule, relational, over DuckDB.

A reference's parts are instance, database, schema and table; a part that is NULL is open. Rule and words are
those of the project's resolution rule: candidates match every given part exactly, else after folding case
where folding is allowed; of several, the referring connection's own go first, then those that agree with its
defaults.
"""

from __future__ import annotations

from typing import Any

import duckdb

PARTS = ("instance", "database", "schema", "title")
MAX_CANDIDATES = 20
MAX_GUESSES = 5
# Guessing compares names pairwise; beyond this many pairs only tables of the same name are offered.
GUESS_PAIRS = 20_000_000

# Columns of a table of references. `fold_*` says whether the part may match in another case.
REFERENCE_COLUMNS = "ref INTEGER, connection VARCHAR, " + ", ".join(
    f"{part} VARCHAR, fold_{part} BOOLEAN" for part in PARTS
)


def match_references(db: duckdb.DuckDBPyConnection, references: str, owners: str, into: str) -> None:
    """Matches each row of table `references` with rows of `owners` (id, connection, and the four parts).

    Makes the table `into` (ref, id, how, candidates, total): a row for each reference; `id` is set where
    exactly one owner is left, `how` is exact, casefold or defaults there, and NULL elsewhere; `candidates`
    are the ids that matched, at most twenty of `total`. Reads the defaults of connections from the table
    `connection`.
    """
    db.execute(f"""
        CREATE OR REPLACE TEMP TABLE candidate AS
        WITH exact AS (
            SELECT r.ref, o.id, o.connection, 'exact' AS how
            FROM {references} r JOIN {owners} o ON o.title = r.title AND {_equal(exact=True)}
        ), folded AS (
            SELECT r.ref, o.id, o.connection, 'casefold' AS how
            FROM {references} r JOIN {owners} o ON lower(o.title) = lower(r.title)
                AND (o.title = r.title OR r.fold_title) AND {_equal(exact=False)}
            WHERE r.ref NOT IN (SELECT ref FROM exact)
        )
        SELECT * FROM exact UNION ALL SELECT * FROM folded
    """)
    db.execute(f"""
        CREATE OR REPLACE TABLE {into} AS
        WITH own AS (
            SELECT c.*, r.connection = c.connection AS mine
            FROM candidate c JOIN {references} r USING (ref)
        ), nearest AS (
            SELECT * FROM own QUALIFY mine OR NOT bool_or(mine) OVER (PARTITION BY ref)
        ), agreeing AS (
            SELECT n.ref, n.id, n.how, count(*) OVER (PARTITION BY n.ref) AS n_left,
                   {_agree(exact=True)} AS agrees, {_agree(exact=False)} AS agrees_folded
            FROM nearest n JOIN {references} r USING (ref) JOIN {owners} o ON o.id = n.id
            JOIN connection d ON d.connection = r.connection
        ), chosen AS (
            SELECT * FROM agreeing
            QUALIFY n_left = 1 OR agrees
                OR (agrees_folded AND NOT bool_or(agrees) OVER (PARTITION BY ref))
        ), one AS (
            SELECT ref, any_value(id) AS id, any_value(CASE WHEN n_left > 1 THEN 'defaults' ELSE how END)
            AS how
            FROM chosen GROUP BY ref HAVING count(*) = 1
        ), listed AS (
            SELECT ref, list(id ORDER BY id)[:{MAX_CANDIDATES}] AS candidates, count(*) AS total
            FROM candidate GROUP BY ref
        )
        SELECT r.ref, one.id, one.how, coalesce(listed.candidates, []) AS candidates,
        coalesce(listed.total, 0) AS total
        FROM {references} r LEFT JOIN one USING (ref) LEFT JOIN listed USING (ref)
    """)


def guess_names(
    db: duckdb.DuckDBPyConnection, references: str, owners: str, matches: str
) -> dict[int, list[str]]:
    """For references that found nothing: up to five owners of the same name elsewhere, or of a similar one."""
    db.execute(f"""
        CREATE OR REPLACE TEMP TABLE lost AS
        SELECT r.ref, lower(r.title) AS name FROM {references} r JOIN {matches} m USING (ref)
        WHERE len(m.candidates) = 0
    """)
    db.execute(f"CREATE OR REPLACE TEMP TABLE named AS SELECT id, lower(title) AS name FROM {owners}")
    pairs = db.execute("""
        SELECT coalesce(sum(l.n * o.n), 0) FROM
            (SELECT left(name, 2) AS head, count(*) AS n FROM lost GROUP BY head) l JOIN
            (SELECT left(name, 2) AS head, count(*) AS n FROM named GROUP BY head) o USING (head)
    """).fetchone()
    similar = ""
    if pairs and int(pairs[0]) <= GUESS_PAIRS:
        similar = """UNION ALL SELECT l.ref, o.id, jaro_winkler_similarity(l.name, o.name) AS score
            FROM lost l JOIN named o ON left(l.name, 2) = left(o.name, 2) AND l.name <> o.name
            WHERE jaro_winkler_similarity(l.name, o.name) > 0.88"""
    found: list[tuple[Any, ...]] = db.execute(f"""
        WITH near AS (SELECT l.ref, o.id, 2.0 AS score FROM lost l JOIN named o ON l.name = o.name {similar})
        SELECT ref, list(id ORDER BY score DESC, id)[:{MAX_GUESSES}] FROM near GROUP BY ref
    """).fetchall()
    return {int(ref): list(ids) for ref, ids in found}


def _equal(*, exact: bool) -> str:
    def part(name: str) -> str:
        equal = f"o.{name} = r.{name}"
        if not exact:
            equal = f"({equal} OR (r.fold_{name} AND lower(o.{name}) = lower(r.{name})))"
        return f"(r.{name} IS NULL OR {equal})"

    return " AND ".join(part(name) for name in PARTS if name != "title")


def _agree(*, exact: bool) -> str:
    def part(name: str) -> str:
        own, default = (f"o.{name}", f"d.default_{name}")
        equal = f"{own} = {default}" if exact else f"lower({own}) = lower({default})"
        return f"(r.{name} IS NOT NULL OR {default} IS NULL OR coalesce({equal}, false))"

    return " AND ".join(part(name) for name in PARTS if name != "title")
