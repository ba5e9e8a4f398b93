"""A query log, folded: a million statements that ran become the few thousand that they are instances of.

Statements of one shape (fingerprint.py) are one entry, with how often they ran, who ran them and when. Where
literals carry lineage the entry is of the exact text. A session's statements about its temporary tables become one
script, so that lineage leads through those tables from one real one to another; equal scripts are one entry too.
Memory grows with what is different, not with what ran.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from datetime import datetime

from connectors.model import Statement
from lineage.sql.compile import compile_sql
from lineage.sql.fingerprint import fingerprint, strings_in
from lineage.sql.program import ALL_LITERALS, POSITIONS, Program

TEXTS = 20_000  # texts of which the entry is remembered, so that the same text again costs nothing
TEXT_SIZE = 4_000  # characters; longer ones are not remembered
SESSIONS = 10_000  # sessions with temporary tables that are followed at once; of more the first is ended
RETRIES = 3  # texts that are tried instead of the first of their shape, where that one cannot be read
SCRIPT_SIZE = 1_000_000  # characters of a session's script; then it is ended, and a new one begins


@dataclass(slots=True)
class Runs:
    """How often something ran: by user ("" where none is known), from when to when, how long in all."""

    count: int = 0
    users: dict[str, int] = field(default_factory=dict)
    first_at: datetime | None = None
    last_at: datetime | None = None
    duration_s: float = 0.0
    rows: int = 0

    def add(self, statement: Statement) -> None:
        """Counts one entry of the log."""
        count, user, at = statement.count, statement.user or "", statement.at
        self.count += count
        self.users[user] = self.users.get(user, 0) + count
        if at is not None:
            if self.last_at is None or at > self.last_at:
                self.last_at = at
            if self.first_at is None or at < self.first_at:
                self.first_at = at
        if statement.duration_s is not None:
            self.duration_s += statement.duration_s * count
        if statement.rows is not None:
            self.rows += statement.rows

    def add_runs(self, other: Runs) -> None:
        """Counts runs of which each was one run of this."""
        self.count += 1
        for user in other.users:
            self.users[user] = self.users.get(user, 0) + 1
        for at in filter(None, (other.first_at, other.last_at)):
            self.first_at = min(self.first_at or at, at)
            self.last_at = max(self.last_at or at, at)
        self.duration_s += other.duration_s
        self.rows += other.rows


@dataclass(slots=True)
class Logged:
    """One entry of a folded log. `text` is the first one seen of its shape, `key` the same in every run."""

    key: str
    text: str
    dialect: str | None
    default_database: str | None
    default_schema: str | None
    program: bytes
    runs: Runs = field(default_factory=Runs)


@dataclass(slots=True)
class _Shape:
    """What texts with one key have in common."""

    key: str
    text: str
    program: bytes
    literals_matter: int
    makes: frozenset[str]  # temporary tables that it makes
    mentions: frozenset[str]  # these, and every table that it names without a schema
    retries: int  # a literal may be what is wrong with the text; so many others are to be tried
    entries: dict[tuple[str | None, str | None], Logged] = field(default_factory=dict)


class _Session:
    """What a session did with its temporary tables."""

    def __init__(self, first: Statement) -> None:
        self.tables: set[str] = set()
        self.steps: list[_Shape] = []
        self.texts: list[str] = []
        self.size = 0
        self.runs = Runs()
        self.first = first


class QueryLog:
    """Takes the statements of a log in the order in which they ran, and gives entries.

    `encode` makes of a program and its text the bytes to keep; `known` gives those that an earlier run kept under a
    key and dialect, or None.
    """

    def __init__(
        self,
        dialect: str | None,
        encode: Callable[[Program, str], bytes] = lambda program, sql: program.to_bytes(),
        known: Callable[[str, str | None], bytes | None] = lambda key, dialect: None,
    ) -> None:
        self._dialect = dialect
        self._encode = encode
        self._known = known
        self._texts: dict[tuple[str | None, str], _Shape] = {}
        self._shapes: dict[bytes, _Shape] = {}
        self._scripts: dict[str, _Shape] = {}
        self._sessions: dict[str, _Session] = {}
        self.compiled = 0

    def add(self, statement: Statement) -> None:
        """Counts one statement."""
        dialect = statement.dialect or self._dialect
        shape = self._texts.get((dialect, statement.sql)) or self._find(statement.sql, dialect)
        session = self._sessions.get(statement.session) if statement.session else None
        if shape.makes and statement.session:
            if session is None:
                session = self._open(statement)
            session.tables |= shape.makes
        if session is not None and not session.tables.isdisjoint(shape.mentions):
            self._follow(session, shape, statement)
            return
        self._entry(shape, statement.default_database, statement.default_schema, dialect).runs.add(statement)

    def entries(self) -> Iterator[Logged]:
        """Every entry; sessions that are still followed end with this."""
        while self._sessions:
            self._end(next(iter(self._sessions)))
        for shapes in (self._shapes, self._scripts):
            for shape in shapes.values():
                yield from shape.entries.values()

    # -- shapes

    def _find(self, sql: str, dialect: str | None) -> _Shape:
        print_ = fingerprint(sql, dialect)
        shape = self._shapes.get(print_)
        if shape is None:
            shape = self._shapes[print_] = self._read(print_, sql, dialect)
        elif shape.retries and sql != shape.text:
            self._retry(shape, sql, dialect)
        if shape.literals_matter:
            shape = self._find_finer(sql, dialect, shape.literals_matter)
        if len(sql) <= TEXT_SIZE:
            if len(self._texts) >= TEXTS:
                self._texts.clear()
            self._texts[dialect, sql] = shape
        return shape

    def _find_finer(self, sql: str, dialect: str | None, literals_matter: int) -> _Shape:
        """Of texts of one shape those whose literals that matter are the same."""
        if literals_matter == POSITIONS:
            print_ = b"by" + fingerprint(sql, dialect, positions=True)
        else:
            print_ = b"is" + _digest(dialect or "", sql)
        shape = self._shapes.get(print_)
        if shape is None:
            shape = self._shapes[print_] = self._read(print_, sql, dialect)
        if literals_matter == POSITIONS and shape.literals_matter == ALL_LITERALS:
            return self._find_finer(sql, dialect, ALL_LITERALS)
        return shape

    def _retry(self, shape: _Shape, sql: str, dialect: str | None) -> None:
        """Puts another text in the place of one that cannot be read, if that can be."""
        other = self._read(bytes.fromhex(shape.key), sql, dialect, anew=True)
        shape.retries -= 1
        if other.retries:
            return
        shape.text, shape.program, shape.retries = other.text, other.program, 0
        shape.literals_matter, shape.makes, shape.mentions = (
            other.literals_matter,
            other.makes,
            other.mentions,
        )
        for entry in shape.entries.values():
            entry.text, entry.program = other.text, other.program

    def _read(self, print_: bytes, sql: str, dialect: str | None, *, anew: bool = False) -> _Shape:
        key = print_.hex()
        kept = None if anew else self._known(key, dialect)
        program = Program.from_bytes(kept) if kept is not None else self._compile(sql, dialect)
        unread = any(error.reason in ("sql_parse_error", "sql_budget") for error in program.errors)
        names = program.keys
        bare = {names[table[0]] for table in program.tables if table[1] < 0}
        local = program.session_tables
        return _Shape(
            key,
            sql,
            kept if kept is not None else self._encode(program, sql),
            program.literals_matter,
            frozenset(table for table, makes in local.items() if makes),
            frozenset(bare | local.keys()),
            RETRIES if unread else 0,
        )

    def _compile(self, sql: str, dialect: str | None) -> Program:
        self.compiled += 1
        program = compile_sql(sql, dialect)
        if _strings_are_names(program, sql):
            program.literals_matter |= ALL_LITERALS
        return program

    def _entry(self, shape: _Shape, database: str | None, schema: str | None, dialect: str | None) -> Logged:
        found = shape.entries.get((database, schema))
        if found is None:
            found = Logged(shape.key, shape.text, dialect, database, schema, shape.program)
            shape.entries[database, schema] = found
        return found

    # -- sessions

    def _open(self, statement: Statement) -> _Session:
        if len(self._sessions) >= SESSIONS:
            self._end(next(iter(self._sessions)))
        session = self._sessions[statement.session or ""] = _Session(statement)
        return session

    def _follow(self, session: _Session, shape: _Shape, statement: Statement) -> None:
        session.steps.append(shape)
        session.texts.append(statement.sql.rstrip().rstrip(";"))
        session.size += len(statement.sql)
        session.runs.add(statement)
        if session.size > SCRIPT_SIZE:
            self._end(statement.session or "")

    def _end(self, name: str) -> None:
        session = self._sessions.pop(name)
        if not session.steps:
            return
        dialect = session.first.dialect or self._dialect
        key = _digest("script", *(step.key for step in session.steps)).hex()
        script = self._scripts.get(key)
        if script is None:
            script = self._scripts[key] = self._read(bytes.fromhex(key), ";\n".join(session.texts), dialect)
        first = session.first
        self._entry(script, first.default_database, first.default_schema, dialect).runs.add_runs(session.runs)


def _strings_are_names(program: Program, sql: str) -> bool:
    """Whether a string of the text is the name of a table or a column: an alias, a file after FROM, `ref('x')`."""
    templated = "{{" in sql or "{%" in sql
    names = {name.removeprefix('"') for name in program.names if templated or name[:1] == '"'}
    return bool(names) and not names.isdisjoint(strings_in(sql, program.dialect))


def _digest(*parts: str) -> bytes:
    state = hashlib.blake2b(digest_size=16)
    for part in parts:
        state.update(part.encode("utf-8", "surrogatepass") + b"\0")
    return state.digest()
