"""The files of events: which there are, and the JSON that stands in each."""

from __future__ import annotations

import glob
import json
import re
from codecs import getincrementaldecoder
from collections.abc import Callable, Iterator
from contextlib import closing
from io import BufferedReader
from pathlib import Path
from typing import Any, BinaryIO, NamedTuple

import orjson

from connectors.builtin.folder import files_state, find_files, location
from connectors.builtin.stream import BOM, BUFFER, BrokenFile, TooLong, lines, open_stream

_ENDINGS = (".json", ".jsonl", ".ndjson")
_EVERY = "**/*"
_BLANK = re.compile(r"[\s,]*")


class Given(NamedTuple):
    """A value that stands in a file: its line by number from 1, and the value, or why there is none.

    `unfinished`: it is the file's last and has no end, so it may be yet to be written.
    """

    number: int
    value: Any = None
    fault: str | None = None
    unfinished: bool = False


class EventFiles:
    """The files that a path names: one, a folder's, or those that match a pattern."""

    def __init__(self, path: Path, limit_bytes: int, warn: Callable[[str], None]) -> None:
        self.root, self._glob = _root(path)
        self._limit = limit_bytes
        self._warn = warn

    def find(self) -> list[Path]:
        """The files, sorted; hidden ones and those that do not hold JSON by their names are left out.

        A file that is named itself may be called as it likes. Raises Unreachable where nothing is there.
        """
        found = find_files(self.root, self._glob, self._warn)
        return found if self.root.is_file() else [file for file in found if _holds_json(file)]

    def name(self, file: Path) -> str:
        """A file's name in messages."""
        return location(self.root, file)

    def state(self) -> str:
        """Changes when a file is written to, added or taken away."""
        return files_state(self.root, self.find()) if self.root.exists() else "absent"

    def read(self, file: Path) -> Iterator[Given]:
        """The values of a file: one a line, or one or a list of them over several lines. Raises BrokenFile."""
        with closing(open_stream(file)) as stream:
            if _is_one_a_line(stream):
                yield from _by_lines(stream, self._limit)
            else:
                yield from _by_values(stream, self._limit)


def _root(path: Path) -> tuple[Path, str]:
    """The folder below which a pattern stands, and the pattern."""
    for folder in (path, *path.parents):
        if folder.exists() or not glob.has_magic(str(folder)):
            pattern = path.relative_to(folder)
            return (folder, str(pattern)) if glob.has_magic(str(pattern)) else (path, _EVERY)
    return path, _EVERY


def _holds_json(file: Path) -> bool:
    endings = [ending.lower() for ending in file.suffixes]
    if endings and endings[-1] in (".gz", ".zst"):
        endings.pop()
    return bool(endings) and endings[-1] in _ENDINGS


def _is_one_a_line(stream: BufferedReader) -> bool:
    """Whether a file's values stand one a line: its first line is one, or is broken and the next begins another."""
    try:
        start = stream.peek(1).removeprefix(BOM).lstrip()
    except OSError as error:
        raise BrokenFile(str(error.strerror or error)) from None
    first, _, rest = start.partition(b"\n")
    if first.startswith(b"["):
        return False
    try:
        orjson.loads(first)
    except orjson.JSONDecodeError:
        return not rest.strip() or rest.lstrip().startswith(b"{")
    return True


def _by_lines(stream: BinaryIO, limit: int) -> Iterator[Given]:
    for number, line in lines(stream, limit):
        if isinstance(line, TooLong):
            yield Given(number, fault="is longer than `max_event_mib`")
            continue
        if line.isspace() or not line:
            continue
        try:
            value = orjson.loads(line)
        except orjson.JSONDecodeError as error:
            yield Given(number, fault=_cause(error), unfinished=not line.endswith(b"\n"))
            continue
        for one in value if isinstance(value, list) else [value]:
            yield Given(number, one)


def _by_values(stream: BinaryIO, limit: int) -> Iterator[Given]:
    """The values one after another, or the elements of one list. After a fault there is no telling where one begins."""
    decode, decoder = getincrementaldecoder("utf-8-sig")().decode, json.JSONDecoder()
    held, number, ended, in_list = "", 1, False, False
    while True:
        blank = _BLANK.match(held)
        if blank and blank.end():
            number, held = number + held.count("\n", 0, blank.end()), held[blank.end() :]
        if held.startswith("[") and not in_list:
            in_list, held = True, held[1:]
            continue
        if in_list and held.startswith("]"):
            in_list, held = False, held[1:]
            continue
        end, fault = _first_value(decoder, held)
        if end:
            yield _given(number, held[:end])
            number, held = number + held.count("\n", 0, end), held[end:]
        elif ended:
            if held or in_list:
                yield Given(number, fault=fault or "the list has no end", unfinished=True)
            return
        elif len(held) > limit:
            yield Given(number, fault="is longer than `max_event_mib`, or not JSON; what follows is not read")
            return
        else:
            # Twice as much each time: what is held is looked at again from its beginning.
            more = _read(stream, max(BUFFER, len(held)))
            ended = not more
            try:
                held += decode(more, final=ended)
            except UnicodeDecodeError:
                yield Given(number, fault="is not UTF-8; what follows is not read")
                return


def _first_value(decoder: json.JSONDecoder, held: str) -> tuple[int, str | None]:
    """Where the first value ends, 0 where it does not yet."""
    if not held:
        return 0, None
    try:
        return decoder.raw_decode(held)[1], None
    except (json.JSONDecodeError, RecursionError) as error:
        return 0, f"is not JSON: {getattr(error, 'msg', 'too deep')}"


def _given(number: int, text: str) -> Given:
    try:
        return Given(number, orjson.loads(text))
    except orjson.JSONDecodeError as error:
        return Given(number, fault=_cause(error))


def _cause(error: orjson.JSONDecodeError) -> str:
    return f"is not JSON: {error.msg.partition(': line ')[0]}"


def _read(stream: BinaryIO, most: int) -> bytes:
    try:
        return stream.read(most)
    except OSError as error:
        raise BrokenFile(str(error.strerror or error)) from None
