"""Which table a reference means: the matching rule, relational, over DuckDB.

A reference's parts are instance, database, schema and table; a part that is NULL is open. Rule and words are
those of the project's resolution rule: candidates match every given part exactly, else after folding case
where folding is allowed; of several, the referring connection's own go first, then those that agree with its
defaults.

Resources are numbers here: tables of references and owners are joined by the million.
"""

from __future__ import annotations

import duckdb

PARTS = ("instance", "database", "schema", "title")
MAX_CANDIDATES = 20
MAX_GUESSES = 5
# Guessing compares names that begin alike pairwise; where more tables do so, only those of the same name are offered.
MAX_ALIKE = 2_000

# Columns of a table of references. `fold_*` says whether the part may match in another case; `namespace` stands in
# place of the instance where that was given as an address.
REFERENCE_COLUMNS = (
    "ref INTEGER, connection VARCHAR, "
    + ", ".join(f"{part} VARCHAR, fold_{part} BOOLEAN" for part in PARTS)
    + ", namespace VARCHAR"
)


def match_references(db: duckdb.DuckDBPyConnection, references: str, owners: str, into: str) -> None:
    """Matches each row of table `references` with rows of `owners` (num, connection, and the four parts).

    Makes the table `into` (ref, num, how) of the references that mean exactly one owner; `how` is exact, casefold
    or defaults. Makes `<into>_several` (ref, candidates, total) of those that could mean several: `candidates` are the
    first twenty ids. Reads the tables `connection` (for defaults), `namespace` and `resource`.
    """
    db.execute(f"""
        CREATE OR REPLACE TEMP TABLE exact_candidate AS {_joined(db, references, owners, exact=True)}
    """)
    db.execute(f"""
        CREATE OR REPLACE TEMP TABLE inexact AS
        SELECT * FROM {references} r WHERE NOT EXISTS (SELECT 1 FROM exact_candidate e WHERE e.ref = r.ref)
    """)
    db.execute(f"""
        CREATE OR REPLACE TEMP TABLE candidate AS
        SELECT ref, num, 'exact' AS how FROM exact_candidate
        UNION ALL SELECT ref, num, 'casefold' FROM ({_joined(db, "inexact", owners, exact=False)})
    """)
    db.execute("""
        CREATE OR REPLACE TEMP TABLE hit AS
        SELECT ref, any_value(num) AS num, any_value(how) AS how, count(*) AS total FROM candidate GROUP BY ref
    """)
    db.execute(f"""
        CREATE OR REPLACE TABLE {into} AS
        WITH own AS (
            SELECT c.ref, c.num, r.connection = o.connection AS mine
            FROM candidate c JOIN hit h ON h.ref = c.ref AND h.total > 1
            JOIN {references} r ON r.ref = c.ref JOIN {owners} o ON o.num = c.num
        ), nearest AS (
            SELECT * FROM own QUALIFY mine OR NOT bool_or(mine) OVER (PARTITION BY ref)
        ), agreeing AS (
            SELECT n.ref, n.num, count(*) OVER (PARTITION BY n.ref) AS n_left,
                   {_agree(exact=True)} AS agrees, {_agree(exact=False)} AS agrees_folded
            FROM nearest n JOIN {references} r ON r.ref = n.ref JOIN {owners} o ON o.num = n.num
            JOIN connection d ON d.connection = r.connection
        ), chosen AS (
            SELECT * FROM agreeing
            QUALIFY n_left = 1 OR agrees
                OR (agrees_folded AND NOT bool_or(agrees) OVER (PARTITION BY ref))
        )
        SELECT ref, num, how FROM hit WHERE total = 1
        UNION ALL
        SELECT c.ref, any_value(c.num), any_value(CASE WHEN c.n_left > 1 THEN 'defaults' ELSE h.how END)
        FROM chosen c JOIN hit h ON h.ref = c.ref GROUP BY c.ref HAVING count(*) = 1
    """)
    db.execute(f"""
        CREATE OR REPLACE TABLE {into}_several AS
        SELECT c.ref, list(r.id ORDER BY r.id)[:{MAX_CANDIDATES}] AS candidates, count(*) AS total
        FROM candidate c JOIN (
            SELECT ref FROM hit h WHERE total > 1 AND NOT EXISTS (SELECT 1 FROM {into} m WHERE m.ref = h.ref)
        ) USING (ref) JOIN resource_id r ON r.num = c.num GROUP BY c.ref
    """)


def guess_names(db: duckdb.DuckDBPyConnection, references: str, owners: str, matches: str) -> None:
    """Makes `guess` (ref, ids): for references that found nothing, up to five owners of the same name elsewhere, or of
    a similar one. What is guessed for a reference does not depend on the other references.
    """
    db.execute(f"""
        CREATE OR REPLACE TEMP TABLE lost AS
        SELECT r.ref, lower(r.title) AS name, left(lower(r.title), 2) AS head FROM {references} r
        WHERE NOT EXISTS (SELECT 1 FROM {matches} m WHERE m.ref = r.ref)
            AND NOT EXISTS (SELECT 1 FROM {matches}_several m WHERE m.ref = r.ref)
    """)
    db.execute(f"""
        CREATE OR REPLACE TEMP TABLE named AS
        SELECT num, lower(title) AS name, left(lower(title), 2) AS head FROM {owners}
    """)
    db.execute(f"""
        CREATE OR REPLACE TABLE guess AS
        WITH few AS (
            SELECT DISTINCT name, head FROM named QUALIFY count(*) OVER (PARTITION BY head) <= {MAX_ALIKE}
        ), alike AS (
            SELECT l.name, o.name AS other, jaro_winkler_similarity(l.name, o.name) AS score
            FROM (SELECT DISTINCT name, head FROM lost) l JOIN few o ON o.head = l.head AND o.name <> l.name
            WHERE score > 0.88
        ), near AS (
            SELECT l.ref, o.num, 2.0 AS score FROM lost l JOIN named o ON l.name = o.name
            UNION ALL
            SELECT l.ref, o.num, s.score FROM lost l JOIN alike s ON s.name = l.name JOIN named o ON o.name = s.other
        )
        SELECT ref, list(r.id ORDER BY score DESC, r.id)[:{MAX_GUESSES}] AS ids
        FROM near JOIN resource_id r USING (num) GROUP BY ref
    """)


def _joined(db: duckdb.DuckDBPyConnection, references: str, owners: str, *, exact: bool) -> str:
    """The candidates of each reference: one join for each combination of parts that are given, on exactly those.

    So a name that a thousand schemas have costs a reference that says which one no more than any other.
    """
    optional = ("instance", "database", "schema", "namespace")
    present = db.execute(
        f"SELECT DISTINCT {', '.join(f'{part} IS NOT NULL' for part in optional)} FROM {references}"
    ).fetchall()
    joins = []
    for combination in present or [(False,) * len(optional)]:
        given = {part for part, there in zip(optional, combination, strict=True) if there}
        on = [_equal(part, exact=exact) for part in PARTS if part in given or part == "title"]
        where = [f"r.{part} IS {'NOT ' if part in given else ''}NULL" for part in optional]
        at = ""
        if "namespace" in given:
            at = "JOIN namespace s ON s.namespace = r.namespace"
            on.append("o.connection = s.connection")
        joins.append(
            f"""
            SELECT DISTINCT r.ref, o.num FROM {references} r {at} JOIN {owners} o ON {" AND ".join(on)}
            WHERE {" AND ".join(where)}
        """
            if at
            else f"""
            SELECT r.ref, o.num FROM {references} r JOIN {owners} o ON {" AND ".join(on)}
            WHERE {" AND ".join(where)}
        """
        )
    return " UNION ALL ".join(joins)


def _equal(part: str, *, exact: bool) -> str:
    if exact:
        return f"o.{part} = r.{part}"
    return f"lower(o.{part}) = lower(r.{part}) AND (r.fold_{part} OR o.{part} = r.{part})"


def _agree(*, exact: bool) -> str:
    def part(name: str) -> str:
        own, default = (f"o.{name}", f"d.default_{name}")
        equal = f"{own} = {default}" if exact else f"lower({own}) = lower({default})"
        absent = (
            f"r.{name} IS NOT NULL"
            if name != "instance"
            else "r.instance IS NOT NULL OR r.namespace IS NOT NULL"
        )
        return f"({absent} OR {default} IS NULL OR coalesce({equal}, false))"

    return " AND ".join(part(name) for name in PARTS if name != "title")
