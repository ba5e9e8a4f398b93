"""A folder of SQL scripts, each declared whole as one statement."""

from __future__ import annotations

import codecs
import hashlib
from collections.abc import Iterable
from pathlib import Path

from pydantic import Field, field_validator

from connectors.builtin.file_state import file_state
from connectors.builtin.folder import checked_glob, find_files, location
from connectors.connector import Connector, ConnectorConfig
from connectors.errors import Unreachable
from connectors.model import CheckResult, Statement


class SqlFiles(Connector):
    """Reads SQL scripts. A script stays whole: its temporary tables live from statement to statement."""

    platform = "sql_files"
    kinds = frozenset({"sql"})
    reads_files = True

    class Config(ConnectorConfig):
        """A folder of SQL scripts, or one script."""

        path: str = Field(
            description="A folder, or one file", min_length=1, json_schema_extra={"format": "path"}
        )
        glob: str = Field("**/*.sql", description="Which files below the folder; hidden ones are left out")
        dialect: str | None = Field(
            None, description="sqlglot's name of the SQL dialect; default: the connection's"
        )
        default_database: str | None = Field(
            None, description="Where the scripts look up names without a database"
        )
        default_schema: str | None = Field(
            None, description="Where the scripts look up names without a schema"
        )
        encoding: str = Field(
            "utf-8", description="The files' character encoding; a byte order mark is dropped"
        )
        max_file_mib: float = Field(10, gt=0, description="Larger files are refused")

        @field_validator("glob")
        @classmethod
        def _relative(cls, glob: str) -> str:
            return checked_glob(glob)

        @field_validator("encoding")
        @classmethod
        def _known(cls, encoding: str) -> str:
            try:
                return codecs.lookup(encoding).name
            except LookupError:
                raise ValueError("is not an encoding that Python knows") from None

    def extract(self) -> None:
        files = self._files()
        if not files:
            self.warn(f"{self._root}: no file matches {self.config.glob!r}")
        for file in files:
            self._declare(file)

    def check(self) -> Iterable[CheckResult]:
        try:
            files = self._files()
        except Unreachable as error:
            return [CheckResult("reach", False, error.message, error.hint)]
        hint = None if files else "look at `path` and `glob`"
        return [
            CheckResult("reach", True),
            CheckResult("find files", bool(files), f"{len(files)} files", hint),
        ]

    def fingerprint(self) -> str | None:
        digest = hashlib.blake2b(digest_size=16)
        if not self._root.exists():
            return "absent"
        for file in self._files():
            digest.update(
                f"{location(self._root, file)}\0{file_state(file)}\0".encode("utf-8", "surrogateescape")
            )
        return digest.hexdigest()

    @property
    def _root(self) -> Path:
        return self.path(self.config.path)

    def _files(self) -> list[Path]:
        return find_files(self._root, self.config.glob, self.warn)

    def _declare(self, file: Path) -> None:
        place = location(self._root, file)
        sql = self._text(file, place)
        if sql and not sql.isspace():
            self.declare_statement(
                Statement(
                    sql=sql,
                    dialect=self.config.dialect,
                    default_database=self.config.default_database,
                    default_schema=self.config.default_schema,
                    location=place,
                )
            )

    def _text(self, file: Path, place: str) -> str | None:
        limit = int(self.config.max_file_mib * 1024 * 1024)
        try:
            with file.open("rb") as stream:
                content = stream.read(limit + 1)
        except OSError as error:
            self.reject(place, f"cannot be read: {error.strerror}")
            return None
        if len(content) > limit:
            self.reject(
                place, f"is larger than {self.config.max_file_mib:g} MiB; raise `max_file_mib` to take it"
            )
            return None
        try:
            return content.decode(self.config.encoding).removeprefix("\ufeff")
        except UnicodeDecodeError as error:
            self.reject(place, f"is not {self.config.encoding} at byte {error.start}; look at `encoding`")
            return None
