"""The deliveries that a Delta table's log tells of.

Delta keeps, for each application id, the version that it last wrote ("txn" actions), in each checkpoint and in the
commits after it. deltalake gives one of a known id, and no list: so the log is read.
https://github.com/delta-io/delta/blob/master/PROTOCOL.md#transaction-identifiers
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping

import pyarrow.fs as pafs
import pyarrow.parquet as pq
from deltalake import DeltaTable
from deltalake.fs import DeltaStorageHandler

_LOG = "_delta_log"
_COMMIT = re.compile(r"(\d{20})\.json")
_CHECKPOINT = re.compile(r"(\d{20})\.checkpoint(\..*)?\.parquet")


def application_id(dataset: str, partition: str) -> str:
    """The id under which the deliveries of a partition are counted."""
    return json.dumps(["headwater", dataset, partition], ensure_ascii=False)


def delivered_by_partition(table: DeltaTable, dataset: str, options: Mapping[str, str]) -> dict[str, int]:
    """By partition the number of the last delivery that the table holds."""
    held: dict[str, int] = {}
    for app_id, number in _transactions(table, options):
        try:
            told = json.loads(app_id)
        except ValueError:  # another program's
            continue
        if isinstance(told, list) and len(told) == 3 and told[:2] == ["headwater", dataset]:
            held[str(told[2])] = number
    return held


def _transactions(table: DeltaTable, options: Mapping[str, str]) -> Iterator[tuple[str, int]]:
    """Ids and versions, an id's last one last."""
    files = pafs.PyFileSystem(DeltaStorageHandler(table.table_uri, dict(options) or None))
    names = [one.base_name for one in files.get_file_info(pafs.FileSelector(_LOG, allow_not_found=True))]
    version = table.version()
    checkpoints = [(int(found[1]), found[0]) for found in map(_CHECKPOINT.fullmatch, names) if found]
    last = max((at for at, _ in checkpoints if at <= version), default=-1)
    for _, name in sorted(one for one in checkpoints if one[0] == last):
        with files.open_input_file(f"{_LOG}/{name}") as stream:
            file = pq.ParquetFile(stream)
            if "txn" not in file.schema_arrow.names:
                continue
            for batch in file.iter_batches(columns=["txn"]):
                for txn in batch.column(0).drop_null().to_pylist():
                    if txn["appId"] is not None:
                        yield txn["appId"], txn["version"]
    for at, name in sorted((int(found[1]), found[0]) for found in map(_COMMIT.fullmatch, names) if found):
        if last < at <= version:
            with files.open_input_stream(f"{_LOG}/{name}") as stream:
                for line in bytes(stream.read()).splitlines():
                    if line.startswith(b'{"txn"'):
                        txn = json.loads(line)["txn"]
                        yield txn["appId"], txn["version"]
