"""Route: the first records of a data set."""

from __future__ import annotations

from typing import Any

from fastapi import APIRouter, Request
from starlette.responses import Response

from lineage.store import Store, dataset_scope
from pipelines.masking import hiding, masked
from pipelines.server.nexla.answering import Here, answer, flag, whole
from pipelines.server.nexla.desk import known
from pipelines.server.nexla.estate import DataSet, Estate

MOST = 1000
_MEMORY_BYTES = 256 * 1024**2
router = APIRouter()


@router.get("/data_sets/{number:int}/samples")
def samples(request: Request, here: Here, number: int) -> Response:
    """Of what is stored; none before the first run. Values that are personal, or secret by their column, are masked."""
    one = known(here.estate.sets, number, "data set")
    count = whole(request, "count", 10, most=MOST)
    flag(request, "live")  # what is stored is all there is
    rows = first_records(here.served.store, here.estate, one, count)
    if not flag(request, "include_metadata"):
        return answer(rows)
    last = here.runs.metrics("run", dataset=one.key, limit=1)
    run = last[0].run_number if last else None
    told = {
        "resourceType": "DATASET",
        "resourceId": number,
        "runId": run,
        "ingestTime": run,
        "sourceKey": one.key,
    }
    return answer(
        [{"rawMessage": row, "nexlaMetaData": {**told, "sourceOffset": at}} for at, row in enumerate(rows)]
    )


def first_records(store: Store, estate: Estate, one: DataSet, count: int) -> list[dict[str, Any]]:
    """At most so many of the records that are stored of a data set, masked."""
    # Records are read when they are asked for: not by every server that starts.
    from pipelines.datasets.stored import engine_over
    from pipelines.datasets.work import shown_rows

    connection, _, table = one.key.partition("/")
    header = store.snapshots.newest(connection if one.connection else dataset_scope(table))
    stored = store.snapshots.datasets(header).get(table) if header else None
    if stored is None or not (stored.settled or stored.unsettled) or not count:
        return []
    rows: list[dict[str, Any]] = []
    with engine_over(store, {"records": stored}, _MEMORY_BYTES) as engine:
        for batch in engine.sql(f"FROM records LIMIT {count}").to_arrow_reader(count):
            rows += shown_rows(batch)
    readers = [d for d in estate.project.datasets.values() if one.key in [ref.id for ref in d.reads]]
    personal = {
        name for d in (*readers, *([one.derived] if one.derived else [])) for name in d.model.personal
    }
    is_hidden = hiding(personal)
    return [masked(row, is_hidden) for row in rows]
