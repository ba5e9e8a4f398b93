"""Column edges as OpenLineage's columnLineage facet.

What each clause is called there: https://openlineage.io/docs/spec/facets/dataset-facets/column_lineage_facet
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from openlineage.client.facet_v2 import column_lineage_dataset

from lineage.formats.openlineage.naming import Names

ColumnLineage = column_lineage_dataset.ColumnLineageDatasetFacet
InputField = column_lineage_dataset.InputField
Transformation = column_lineage_dataset.Transformation
_SUBTYPES = {
    **dict.fromkeys(("where", "having", "qualify"), "FILTER"),
    "join": "JOIN",
    "group_by": "GROUP_BY",
    "order_by": "SORT",
    "window": "WINDOW",
    "case": "CONDITIONAL",
}
_READ = frozenset({"sql", "transform"})  # of these a missing expression says that the column is a plain copy


def column_lineage(edges: Iterable[Mapping[str, Any]], names: Names, producer: str) -> ColumnLineage | None:
    """The facet of one table from the column edges that lead to it; None without any.

    An edge to the table itself decides over all of its rows: it stands under `dataset`. One that comes from a whole
    table has no place in the facet; the job's inputs have it.
    """
    fields: dict[str, list[InputField]] = {}
    whole: list[InputField] = []
    for edge in edges:
        start, end = names.place(edge["from"]), names.place(edge["to"])
        if start is None or end is None or start[1] is None:
            continue
        into = whole if end[1] is None else fields.setdefault(end[1], [])
        told = list(_transformations(edge))
        into.append(InputField(*names.dataset(start[0]), field=start[1], transformations=told))
    if not fields and not whole:
        return None
    return ColumnLineage(
        fields={name: column_lineage_dataset.Fields(inputFields=inputs) for name, inputs in fields.items()},
        dataset=whole,
        producer=producer,
    )


def _transformations(edge: Mapping[str, Any]) -> Iterable[Transformation]:
    direct = edge["kind"] == "direct"
    if direct:
        yield Transformation("DIRECT", _direct_subtype(edge), description=edge["expression"])
    kinds = dict.fromkeys(_SUBTYPES.get(clause) for clause in edge["clauses"])
    for kind in kinds or ({} if direct else {None: None}):
        yield Transformation("INDIRECT", kind)


def _direct_subtype(edge: Mapping[str, Any]) -> str | None:
    """None where nobody has said how: a declaration tells that a column comes from another, and no more."""
    if edge["expression"]:
        return "TRANSFORMATION"
    return "IDENTITY" if any(why["origin"] in _READ for why in edge["provenance"]) else None
