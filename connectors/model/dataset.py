"""A connector's tables as others need to know them: plain data, whatever code reads them."""

from __future__ import annotations

from dataclasses import dataclass, field

MESSAGES = 20  # errors of a table kept word for word; all are counted
_SHOWN = 2000  # characters of a message


def shown(text: str) -> str:
    """A message as it can be kept: not longer than people read, and with no half characters."""
    told = text if len(text) <= _SHOWN else f"{text[:_SHOWN]}..."
    return told.encode("utf-8", "backslashreplace").decode()


@dataclass(frozen=True)
class Dataset:
    """A table whose records are taken. `keys` are the columns of its primary key, none where it has none.

    An `incremental` table's run gives what is new: it is merged with what is stored. Any other's gives it all.
    `distinct` says that no two records of a run have the same key, as the source holds them to it.
    """

    name: str
    keys: tuple[str, ...] = ()
    incremental: bool = False
    parent: str | None = None
    distinct: bool = False


@dataclass(frozen=True)
class RefusedRow:
    """A row that could not be taken: which value of it, and why. `key` and `row` are JSON, "" where unknown."""

    table: str
    key: str
    column: str
    value_type: str
    cause: str
    row: str = ""


@dataclass
class TableReport:
    """Of one table in one extract: rows given on, rows refused, errors that ended or cut its reading.

    `whole` says that it was itself read to its end. `settled` says that what the run gave may stand for good, and its
    `cursors` (None: it has none of its own) may be gone on from; otherwise they stay where they were, and it is read
    again. `from_start` says that an incremental table was read from its beginning: what is stored is replaced.
    `started_over` says that it was although there were cursors: these are not gone on from any more. `doubtful` says
    that something could not be read, and it is not known of which table: nothing that is stored is removed.
    """

    rows: int = 0
    refused: int = 0
    errors: int = 0
    messages: list[str] = field(default_factory=list)
    whole: bool = True
    settled: bool = True
    from_start: bool = False
    started_over: bool = False
    doubtful: bool = False
    cursors: dict[str, str] | None = None

    @property
    def complete(self) -> bool:
        """Nothing was refused and nothing could not be read."""
        return self.settled and not self.refused and not self.errors

    def fail(self, message: str) -> None:
        """Records an error; the table is read again by the next run."""
        self.errors += 1
        self.whole = self.settled = False
        if len(self.messages) < MESSAGES:
            self.messages.append(shown(message))
