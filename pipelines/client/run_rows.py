"""Metrics of runs, for the three ways in which people write about them.

They are iterated over, row by row, with attributes; sliced and asked for `runId` as lists of mappings; and asked for
`data` and `meta`, as what the server answers.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from datetime import UTC, datetime
from typing import Any, overload


class RunRow(Mapping[str, Any]):
    """What one run did with a resource. As a mapping it has the answer's own names: runId, records, startTime ..."""

    def __init__(self, told: Mapping[str, Any]) -> None:
        started, ended = told.get("startTime"), told.get("endTime")
        seconds = None if started is None or ended is None else (ended - started) / 1000
        self._told = {**told, "duration": seconds}

    @property
    def run_id(self) -> int | None:
        """The run's number; None of a row over all runs."""
        return self._told.get("runId")

    @property
    def status(self) -> str | None:
        """QUEUED, RUNNING, SUCCESS, WARNING, FAILED or CANCELED."""
        return self._told.get("status")

    @property
    def records_processed(self) -> int:
        return int(self._told["records"])

    records = records_processed

    @property
    def size(self) -> int:
        """Bytes."""
        return int(self._told["size"])

    @property
    def errors(self) -> int:
        return int(self._told["errors"])

    @property
    def started_at(self) -> datetime | None:
        return _moment(self._told.get("startTime"))

    @property
    def ended_at(self) -> datetime | None:
        return _moment(self._told.get("endTime"))

    def __getitem__(self, name: str) -> Any:
        return self._told[name]

    def __iter__(self) -> Iterator[str]:
        return iter(self._told)

    def __len__(self) -> int:
        return len(self._told)

    def __repr__(self) -> str:
        return f"RunRow({dict(self._told)})"


class RunRows(Sequence[RunRow]):
    """The rows of an answer, the newest run first; also as the answer has them, by `data` and `meta`."""

    def __init__(self, told: Mapping[str, Any]) -> None:
        self._rows = [RunRow(row) for row in told["data"]]
        self._told = {"data": self._rows, "meta": told["meta"]}

    @overload
    def __getitem__(self, at: int) -> RunRow: ...
    @overload
    def __getitem__(self, at: slice) -> list[RunRow]: ...
    @overload
    def __getitem__(self, at: str) -> Any: ...
    def __getitem__(self, at: int | slice | str) -> Any:
        return self._told[at] if isinstance(at, str) else self._rows[at]

    def __contains__(self, one: object) -> bool:
        return one in self._told if isinstance(one, str) else one in self._rows

    def get(self, name: str, default: Any = None) -> Any:
        """`data` or `meta`."""
        return self._told.get(name, default)

    def __len__(self) -> int:
        return len(self._rows)

    def __repr__(self) -> str:
        return f"RunRows({self._rows})"


def _moment(milliseconds: int | None) -> datetime | None:
    return None if milliseconds is None else datetime.fromtimestamp(milliseconds / 1000, UTC)
