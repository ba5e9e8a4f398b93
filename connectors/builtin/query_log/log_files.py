"""The files of a log: which of them, in what format, and what stands in each."""

from __future__ import annotations

from collections.abc import Callable, Generator
from contextlib import closing
from datetime import UTC
from pathlib import Path
from zoneinfo import ZoneInfo

from connectors.builtin.folder import files_state, find_files, location, may_hold
from connectors.builtin.query_log.delimited import read_csv
from connectors.builtin.query_log.jsonl import read_jsonl
from connectors.builtin.query_log.moments import Clock
from connectors.builtin.query_log.parquet import read_parquet
from connectors.builtin.query_log.rows import Fault, Row
from connectors.builtin.query_log.settings import Format, QueryLogSettings
from connectors.builtin.stream import PARQUET, open_stream
from connectors.errors import ConnectorError
from connectors.model import Window

_ENDINGS: dict[str, Format] = {
    ".jsonl": "jsonl",
    ".ndjson": "jsonl",
    ".json": "jsonl",
    ".csv": "csv",
    ".tsv": "csv",
    ".parquet": "parquet",
}
_PACKED = {".gz", ".zst"}


class LogFiles:
    """The files that a configuration names."""

    def __init__(self, root: Path, settings: QueryLogSettings, warn: Callable[[str], None]) -> None:
        self._root = root
        self._settings = settings
        self._warn = warn
        zone = UTC if settings.timezone == "UTC" else ZoneInfo(settings.timezone)
        self.clock = Clock(zone, settings.time_unit)

    @property
    def limit_bytes(self) -> int:
        return int(self._settings.max_statement_mib * 1024 * 1024)

    def find(self) -> list[Path]:
        """The files whose format is known. Raises Unreachable, and ConnectorError where none of those found is."""
        found = find_files(self._root, self._settings.glob, self._warn)
        known = [file for file in found if self._named_format(file)]
        if found and not known:
            raise ConnectorError(
                f"{self.name(found[0])}: its name does not say what format it has",
                hint=f"set `format`; names end in {', '.join(_ENDINGS)}, and may go on with .gz or .zst",
            )
        return known

    def name(self, file: Path) -> str:
        """A file's name in messages."""
        return location(self._root, file)

    def may_hold(self, file: Path, window: Window) -> bool:
        """Whether a file was modified late enough to have entries of a window: none is logged before it runs."""
        return not self._settings.skip_older or may_hold(file, window)

    def read(self, file: Path, window: Window) -> Generator[Row | Fault]:
        """What stands in a file. Parts that can have nothing of the window may be missing.

        Raises Unreachable; UnexpectedAnswer for missing columns; BrokenFile.
        """
        settings = self._settings
        columns, unit = settings.columns, settings.duration_unit
        dated = settings.undated == "reject"
        with closing(open_stream(file)) as stream:
            # A Parquet file says so itself, also within another's packing.
            kind = "parquet" if stream.peek(4).startswith(PARQUET) else self._named_format(file)
            if kind == "parquet":
                yield from read_parquet(
                    stream,
                    columns,
                    unit,
                    window=window,
                    clock=self.clock,
                    started=dated,
                    where=self.name(file),
                )
            elif kind == "csv":
                yield from read_csv(
                    stream,
                    columns,
                    unit,
                    self.limit_bytes,
                    delimiter=settings.delimiter or ("\t" if ".tsv" in file.suffixes else ","),
                    header=settings.header,
                    started=dated,
                    where=self.name(file),
                )
            else:
                yield from read_jsonl(stream, columns, unit, self.limit_bytes)

    def fingerprint(self) -> str:
        """Changes when a file is written to, added or taken away. By size and time: a log is long."""
        if not self._root.exists():
            return "absent"
        return files_state(self._root, find_files(self._root, self._settings.glob, self._warn))

    def _named_format(self, file: Path) -> Format | None:
        if self._settings.format:
            return self._settings.format
        endings = [ending.lower() for ending in file.suffixes]
        if endings and endings[-1] in _PACKED:
            endings.pop()
        return _ENDINGS.get(endings[-1]) if endings else None
