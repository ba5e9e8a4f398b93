"""An embedded DuckDB that reads nothing but what it is given, and stops at its limits."""

from __future__ import annotations

import tempfile
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import duckdb
import pyarrow as pa

from connectors.datasets.names import literal
from connectors.errors import DatasetError

GIB = 1024**3
# Beside the memory: what sorts, joins and groups may put on disk.
SPILL_BYTES = 20 * GIB
# DuckDB hears an interrupt only while a statement runs, so one sent between two statements is sent again.
AGAIN_S = 0.2


def open_engine(
    memory_bytes: int = GIB,
    threads: int | None = None,
    temp_folder: Path | None = None,
    files: Sequence[str] = (),
) -> duckdb.DuckDBPyConnection:
    """Return a connection in memory that is locked: no files but `files`, no network, no extensions, no Python
    variables.

    Its time zone is UTC. Records go in with `connection.register(name, arrow)`; the memory of what is registered
    is not counted against `memory_bytes`. Without a `temp_folder`, what does not fit in memory goes to the
    system's folder for temporary files.
    """
    folder = temp_folder or Path(tempfile.gettempdir()) / "headwater-duckdb"
    config: dict[str, str | bool | int | float | list[str]] = {
        "memory_limit": f"{memory_bytes}B",
        "temp_directory": str(folder),
        "max_temp_directory_size": f"{SPILL_BYTES}B",
        "autoinstall_known_extensions": False,
        "autoload_known_extensions": False,
        "allow_community_extensions": False,
        "allow_persistent_secrets": False,
        "python_enable_replacements": False,
        # A dataset is a set of records: order costs memory and means nothing.
        "preserve_insertion_order": False,
    }
    if threads is not None:
        config["threads"] = threads
    engine = duckdb.connect(":memory:", config=config)
    paths = ", ".join(map(literal, files))
    for setting in (
        f"allowed_paths = [{paths}]",
        "TimeZone = 'UTC'",
        "enable_progress_bar = false",
        "enable_external_access = false",
        "lock_configuration = true",
    ):
        engine.execute(f"SET {setting}")
    return engine


@contextmanager
def limited(engine: duckdb.DuckDBPyConnection, seconds: float) -> Iterator[None]:
    """Stop what `engine` does in the block after `seconds`; raise DatasetError for it, and for memory that ran out.

    A statement is stopped where DuckDB looks for it, between batches of records. Reading a result through Arrow
    inside the block counts as well.
    """
    done, stopped = threading.Event(), threading.Event()

    def watch() -> None:
        if done.wait(seconds):
            return
        stopped.set()
        while not done.wait(AGAIN_S):
            engine.interrupt()

    watcher = threading.Thread(target=watch, name="headwater-limit", daemon=True)
    watcher.start()
    try:
        yield
    except (duckdb.Error, pa.ArrowException, OSError, RuntimeError) as error:
        if stopped.is_set() and (isinstance(error, duckdb.InterruptException) or "INTERRUPT" in str(error)):
            raise DatasetError(
                f"the query was stopped after {seconds:g} seconds",
                hint="make it read fewer records, or give it more time",
            ) from None
        if isinstance(error, duckdb.OutOfMemoryException) or "Out of Memory" in str(error):
            raise DatasetError(
                "the query needs more memory than it may use",
                hint="make it hold fewer records at once, or give it more memory",
            ) from None
        raise
    finally:
        done.set()
        watcher.join()


_OF_A_VALUE = ("Conversion Error", "Out of Range Error", "Invalid Input Error")


def is_of_a_value(error: Exception) -> bool:
    """Whether an error is of one record's value: what DuckDB says of it holds that value.

    One that comes while a result is read through Arrow is an OSError, whatever it was.
    """
    if isinstance(
        error, duckdb.ConversionException | duckdb.OutOfRangeException | duckdb.InvalidInputException
    ):
        return True
    return isinstance(error, OSError | pa.ArrowException) and any(kind in str(error) for kind in _OF_A_VALUE)


def one_line(error: Exception) -> str:
    """What DuckDB says, in one line: without the kind of error, candidates and the picture of the statement."""
    said = str(error).strip().split("\n", 1)[0]
    kind, colon, rest = said.partition(" Error: ")
    return (rest if colon and len(kind) < 40 else said).rstrip(".! ")
