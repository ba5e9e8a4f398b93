"""What a run of a connector has to say about itself."""

from __future__ import annotations

import threading
from dataclasses import dataclass, field

from connectors.model.dataset import TableReport, shown

_counting = threading.Lock()  # resolvers of tables warn from threads
SAMPLES = 50  # warnings and rejects kept word for word; all are counted


@dataclass(frozen=True)
class CheckResult:
    """One capability of a connection, tried: "reach", "authenticate", "read tables" ..."""

    capability: str
    ok: bool
    message: str = ""
    hint: str | None = None


@dataclass(frozen=True)
class Reject:
    """A thing that was given and could not be taken: a bad line, a resource that does not validate."""

    location: str
    cause: str


@dataclass
class ExtractReport:
    """Counts of one extract. `attempted == succeeded + failed`, over everything that was declared.

    `cursors` are where the next run goes on beside what its tables' reports say, by name and key; None leaves them
    where they were.
    """

    attempted: int = 0
    succeeded: int = 0
    failed: int = 0
    requests: int = 0
    warning_count: int = 0
    warnings: list[str] = field(default_factory=list)
    rejects: list[Reject] = field(default_factory=list)
    tables: dict[str, TableReport] = field(default_factory=dict)
    cursors: dict[str, dict[str, str]] | None = None

    @property
    def complete(self) -> bool:
        """Nothing was refused and nothing could not be read."""
        return not self.failed and not self.warning_count

    @property
    def rows(self) -> int:
        """Rows of all tables."""
        return sum(table.rows for table in tuple(self.tables.values()))

    def warn(self, message: str) -> None:
        with _counting:
            self.warning_count += 1
            if len(self.warnings) < SAMPLES:
                self.warnings.append(shown(message))

    def reject(self, location: str, cause: str) -> None:
        with _counting:
            self.attempted += 1
            self.failed += 1
            if len(self.rejects) < SAMPLES:
                self.rejects.append(Reject(shown(location), shown(cause)))

    def accept(self) -> None:
        with _counting:
            self.attempted += 1
            self.succeeded += 1
