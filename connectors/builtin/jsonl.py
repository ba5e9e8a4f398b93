"""Secoda's `resources.jsonl` and `lineage.jsonl`: one object a line, streamed."""

from __future__ import annotations

import gzip
import zlib
from collections.abc import Callable, Iterable, Iterator
from io import BufferedReader
from itertools import islice
from pathlib import Path
from typing import BinaryIO, Self, TypeVar, cast

from pydantic import BaseModel, Field, ValidationError, model_validator

from connectors.builtin.file_state import file_state
from connectors.connector import Connector, ConnectorConfig, first_fault
from connectors.errors import ConnectorError, UnexpectedAnswer, Unreachable
from connectors.model import CheckResult, DeclaredLineage, Resource

M = TypeVar("M", bound=BaseModel)
BUFFER = 1024 * 1024
BOM = b"\xef\xbb\xbf"


class Jsonl(Connector):
    """Reads declarations from files. A line that cannot be taken is named by number, and the others go on."""

    platform = "jsonl"
    kinds = frozenset({"json"})
    reads_files = True

    class Config(ConnectorConfig):
        """Files of one JSON object a line; a name that ends in .gz is read as gzip."""

        resources: str | None = Field(
            None, description="File of resources", min_length=1, json_schema_extra={"format": "file-path"}
        )
        lineage: str | None = Field(
            None, description="File of lineage", min_length=1, json_schema_extra={"format": "file-path"}
        )
        max_line_mib: float = Field(16, gt=0, description="Longer lines are refused")

        @model_validator(mode="after")
        def _something(self) -> Self:
            if not (self.resources or self.lineage):
                raise ValueError("give resources, lineage, or both")
            return self

    def extract(self) -> None:
        for path, _ in self._files():
            _open(path).close()  # a missing second file must not cost the reading of the first
        if self.config.resources:
            self._read(self.path(self.config.resources), Resource, self.declare_resource)
        if self.config.lineage:
            self._read(self.path(self.config.lineage), DeclaredLineage, self.declare_lineage)

    def check(self) -> Iterable[CheckResult]:
        for path, model in self._files():
            capability = f"read {'resources' if model is Resource else 'lineage'}"
            try:
                yield self._first_line(path, model, capability)
            except ConnectorError as error:
                yield CheckResult(capability, False, error.message, error.hint)

    def fingerprint(self) -> str | None:
        return " ".join(file_state(path) for path, _ in self._files())

    def _files(self) -> list[tuple[Path, type[BaseModel]]]:
        named = ((self.config.resources, Resource), (self.config.lineage, DeclaredLineage))
        return [(self.path(name), model) for name, model in named if name]

    def _read(self, path: Path, model: type[M], declare: Callable[[M], None]) -> None:
        validate = model.model_validate_json
        for number, line in _lines(path, self._limit):
            if line is None:
                cause = f"longer than {self.config.max_line_mib:g} MiB; raise `max_line_mib` to take it"
                self.reject(f"{path.name}:{number}", cause)
                continue
            try:
                declared = validate(line)
            except ValidationError as error:
                self.reject(f"{path.name}:{number}", first_fault(error))
                continue
            declare(declared)

    def _first_line(self, path: Path, model: type[BaseModel], capability: str) -> CheckResult:
        for number, line in islice(_lines(path, self._limit), 1):
            try:
                model.model_validate_json(line or b"")
            except ValidationError as error:
                hint = f"each line must be one {model.__name__} as JSON"
                return CheckResult(capability, False, f"{path}:{number}: {first_fault(error)}", hint)
            return CheckResult(capability, True, str(path))
        return CheckResult(capability, True, f"{path} is empty")

    @property
    def _limit(self) -> int:
        return int(self.config.max_line_mib * 1024 * 1024)


def _lines(path: Path, limit: int) -> Iterator[tuple[int, bytes | None]]:
    """The lines that are not blank, by number from 1; None in place of one longer than `limit` bytes."""
    try:
        with _open(path) as stream:
            yield from _split(stream, limit)
    except (EOFError, zlib.error, gzip.BadGzipFile) as error:
        hint = "write the file again; nothing of it is taken"
        raise UnexpectedAnswer(f"{path} is not a whole gzip file: {error}", hint=hint) from None
    except OSError as error:
        raise Unreachable(f"{path} cannot be read: {error.strerror}", hint="look at its path") from None


def _split(stream: BinaryIO, limit: int) -> Iterator[tuple[int, bytes | None]]:
    number = 0
    while line := stream.readline(limit + 1):
        number += 1
        if len(line) > limit and not line.endswith(b"\n"):
            yield number, None
            while (rest := stream.readline(BUFFER)) and not rest.endswith(b"\n"):
                pass
            continue
        if number == 1:
            line = line.removeprefix(BOM)
        if not line.isspace() and line:
            yield number, line


def _open(path: Path) -> BinaryIO:
    """The file's bytes, buffered, unpacked if its name says gzip."""
    try:
        if path.suffix == ".gz":
            return cast(BinaryIO, BufferedReader(gzip.open(path, "rb"), BUFFER))
        return path.open("rb", BUFFER)
    except OSError as error:
        hint = "look at its path; relative ones start at the project's folder"
        raise Unreachable(f"{path} cannot be read: {error.strerror}", hint=hint) from None
