"""What the facets of datasets, jobs and runs say, whatever version of the specification wrote them.

A facet may be missing, null, or of another shape than expected: then it says nothing. Nothing is guessed.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from functools import lru_cache
from typing import Any, NamedTuple, cast

from connectors.model.logins import without_login, without_logins
from connectors.model.platform_names import FILES, dataset_parts, in_one_spelling, scheme_of
from connectors.model.reference import Clause

_CLAUSES: dict[str, Clause] = {
    "FILTER": "where",
    "JOIN": "join",
    "GROUP_BY": "group_by",
    "SORT": "order_by",
    "WINDOW": "window",
    "CONDITIONAL": "case",
}


class DatasetId(NamedTuple):
    """A dataset as an event names it."""

    namespace: str
    name: str


class Field(NamedTuple):
    """A column of a dataset, top level."""

    name: str
    type: str | None
    description: str | None
    position: int


class Symlink(NamedTuple):
    """Another name of a dataset: of type TABLE or LOCATION."""

    id: DatasetId
    type: str


class Flow(NamedTuple):
    """Data flows from a dataset, or a column of it, to a column, or to the whole dataset that the facet is of.

    `clauses` are sorted; `indirect` says that the value itself does not flow.
    """

    source: DatasetId
    source_field: str | None
    field: str | None
    indirect: bool
    clauses: tuple[Clause, ...]
    expression: str | None


def mapping(value: Any) -> Mapping[str, Any]:
    """The value where it is an object, else an empty one."""
    return value if isinstance(value, dict) else {}


def objects(value: Any) -> Iterator[Mapping[str, Any]]:
    """The objects of a list, those of another kind left out."""
    return (one for one in value if isinstance(one, dict)) if isinstance(value, list) else iter(())


def text(value: Any) -> str | None:
    """The value where it is a text with something in it."""
    return value if isinstance(value, str) and value.strip() else None


def facets_of(value: Any) -> Mapping[str, Mapping[str, Any]]:
    """The facets of a dataset, job or run; one that was deleted, or is no object, says nothing more."""
    return {
        name: {} if facet.get("_deleted") is True else facet
        for name, facet in mapping(mapping(value).get("facets")).items()
        if isinstance(facet, dict)
    }


def dataset_id(value: Mapping[str, Any]) -> DatasetId | None:
    """The dataset that an object names; None where it names none."""
    namespace, name = text(value.get("namespace")), text(value.get("name"))
    return _known_as(namespace, name) if namespace and name else None


@lru_cache(maxsize=10_000)
def _known_as(namespace: str, name: str) -> DatasetId:
    """A dataset in one spelling, without a login, which some producers leave in namespaces; a path without slashes that
    say nothing.
    """
    parts = dataset_parts(namespace, name)
    is_path = scheme_of(namespace) in FILES and parts.schema is None
    return DatasetId(
        in_one_spelling(without_login(namespace)), without_logins(parts.table if is_path else name)
    )


def fields_of(schema: Mapping[str, Any]) -> tuple[Field, ...]:
    """The columns of a schema facet. Positions count from 1 where the facet has none; of one name the first counts."""
    found: dict[str, Field] = {}
    for place, one in enumerate(objects(schema.get("fields")), start=1):
        if name := text(one.get("name")):
            given = one.get("ordinal_position")
            position = given if type(given) is int else place
            found.setdefault(name, Field(name, text(one.get("type")), text(one.get("description")), position))
    return tuple(found.values())


def owners_of(ownership: Mapping[str, Any]) -> tuple[str, ...]:
    """Who owns it, in the facet's order."""
    names = (text(one.get("name")) for one in objects(ownership.get("owners")))
    return tuple(dict.fromkeys(name for name in names if name))


def tags_of(tags: Mapping[str, Any]) -> tuple[str, ...]:
    """The tags of the whole thing, as key, or key:value where the value says more than that it is there."""
    found: dict[str, None] = {}
    for one in objects(tags.get("tags")):
        key, value = text(one.get("key")), text(one.get("value"))
        if key and not text(one.get("field")):
            found[key if value is None or value.lower() == "true" else f"{key}:{value}"] = None
    return tuple(found)


def symlinks_of(symlinks: Mapping[str, Any]) -> tuple[Symlink, ...]:
    """Its other names."""
    found = ((dataset_id(one), text(one.get("type"))) for one in objects(symlinks.get("identifiers")))
    return tuple(Symlink(other, (kind or "").upper()) for other, kind in found if other)


def column_flows(facet: Mapping[str, Any]) -> Iterator[Flow]:
    """The flows of a columnLineage facet, of each version."""
    for name, given in mapping(facet.get("fields")).items():
        field = mapping(given)
        for source in objects(field.get("inputFields")):
            # Before version 1.1.0 a column had one description for all of its inputs.
            yield from _flows(source, name, text(field.get("transformationDescription")))
    for source in objects(facet.get("dataset")):
        yield from _flows(source, None, None)


def lineage_flows(facet: Mapping[str, Any]) -> Iterator[Flow]:
    """The flows of a dataset's lineage facet, which names what the dataset and its columns are made of."""
    for source in objects(facet.get("inputs")):
        yield from _flows(source, None, None)
    for name, given in mapping(facet.get("fields")).items():
        for source in objects(mapping(given).get("inputs")):
            yield from _flows(source, name, None)


def _flows(source: Mapping[str, Any], field: str | None, description: str | None) -> Iterator[Flow]:
    """One flow, or two: a column may both be in the values and decide which there are."""
    found = dataset_id(source)
    if found is None or source.get("type") not in (None, "DATASET"):
        return
    column = text(source.get("field"))
    given = list(objects(source.get("transformations")))
    indirect = [one for one in given if str(one.get("type")).upper() == "INDIRECT"]
    direct = [one for one in given if one not in indirect]
    if direct or not indirect:
        told = dict.fromkeys(words for one in direct if (words := text(one.get("description"))))
        yield Flow(found, column, field, False, (), "; ".join(told) or description)
    if indirect:
        kinds = (_CLAUSES.get(str(one.get("subtype")).upper()) for one in indirect)
        clauses = cast("tuple[Clause, ...]", tuple(sorted({kind for kind in kinds if kind})))
        told = dict.fromkeys(words for one in indirect if (words := text(one.get("description"))))
        yield Flow(found, column, field, True, clauses, "; ".join(told) or None)
