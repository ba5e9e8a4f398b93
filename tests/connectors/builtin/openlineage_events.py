"""Events as producers write them, and a connector that reads them."""

from __future__ import annotations

import json
import re
from datetime import UTC, datetime
from typing import Any

from connectors.builtin.openlineage import OpenLineage
from connectors.model import DeclaredLineage, Window
from connectors.testing import Extract, run_connector

# A day that has ended, whatever the clock of the machine says.
DAY = Window("2025-11-20", datetime(2025, 11, 20, tzinfo=UTC), datetime(2025, 11, 21, tzinfo=UTC))
PG = "postgres://db:5432"
PRODUCER = "https://example.com/test"


def facet(**said: Any) -> dict[str, Any]:
    return {"_producer": PRODUCER, "_schemaURL": "https://openlineage.io/spec/facets/1-0-0/X.json", **said}


def dataset(name: str, namespace: str = PG, **facets: Any) -> dict[str, Any]:
    return {"namespace": namespace, "name": name, "facets": facets}


def event(
    kind: str = "COMPLETE",
    at: str = "2025-11-20T12:00:00Z",
    *,
    inputs: list[Any] = [],  # noqa: B006 - not changed
    outputs: list[Any] = [],  # noqa: B006
    run: str = "r1",
    job: str = "load",
    namespace: str = "airflow",
    job_facets: Any = None,
    run_facets: Any = None,
) -> dict[str, Any]:
    return {
        "eventType": kind,
        "eventTime": at,
        "producer": PRODUCER,
        "schemaURL": "https://openlineage.io/spec/2-0-2/OpenLineage.json#/$defs/RunEvent",
        "run": {"runId": run, "facets": run_facets or {}},
        "job": {"namespace": namespace, "name": job, "facets": job_facets or {}},
        "inputs": inputs,
        "outputs": outputs,
    }


def columns(target: str, **sources: Any) -> dict[str, Any]:
    """A dataset whose columns are made of `(name, field, transformations)` each."""
    fields = {
        column: {"inputFields": [{"namespace": PG, "name": n, "field": f, **rest} for n, f, rest in given]}
        for column, given in sources.items()
    }
    return dataset(target, columnLineage=facet(fields=fields))


def as_lines(*events: Any) -> str:
    return "".join(json.dumps(one) + "\n" for one in events)


def read(folder: Any, *events: Any, window: Window = DAY, **config: Any) -> Extract:
    """What the connector declares of events in one file."""
    (folder / "events.jsonl").write_text(as_lines(*events))
    return run_connector(OpenLineage, {"path": "events.jsonl", **config}, window=window, folder=folder)


def edges(found: Extract) -> set[tuple[str, str]]:
    """Pairs of keys, without the namespaces."""
    return {ends(one) for one in found.declarations}


def ends(one: DeclaredLineage) -> tuple[str, str]:
    """The keys of both ends, without the namespaces."""
    return short(one.from_identifier.databuilder_id), short(one.to_identifier.databuilder_id)


def short(key: str) -> str:
    return re.sub(r'^("[^"]*"|[a-z0-9]+:[^."]*)\.', "", key)
