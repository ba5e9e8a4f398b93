"""A Delta table made of files that are there already: copied as they are, and committed."""

from __future__ import annotations

import os
import shutil
import uuid
from pathlib import Path

from deltalake import CommitProperties, DeltaTable, Schema
from deltalake.transaction import AddAction, create_table_with_add_actions

from connectors.sinks.sink import Delivery


def take_over(table: DeltaTable | None, uri: str, delivery: Delivery, commit: CommitProperties) -> int:
    """Makes the delivery's files the table's content, in one commit; gives how many records they hold.

    Copying is a tenth of the work of writing the records anew. What a killed one leaves is no part of the table.
    """
    Path(uri).mkdir(parents=True, exist_ok=True)
    actions: list[AddAction] = []
    for file in delivery.files:
        name = f"part-{uuid.uuid4()}.parquet"
        copy = Path(uri) / name
        shutil.copyfile(file.path, copy)
        with copy.open("rb") as written:
            os.fsync(written.fileno())
        at = int(copy.stat().st_mtime * 1000)
        actions.append(AddAction(name, file.size_bytes, {}, at, True, file.statistics))
    schema = Schema.from_arrow(delivery.schema.remove_metadata())
    if table is None:
        # On no table "error": another that makes it meanwhile is not written over.
        create_table_with_add_actions(uri, schema, actions, mode="error", commit_properties=commit)
    else:
        table.create_write_transaction([*actions], "overwrite", schema, commit_properties=commit)
    return sum(file.rows for file in delivery.files)
