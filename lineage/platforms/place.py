"""What an address says of where something is."""

from __future__ import annotations

from typing import NamedTuple


class Place(NamedTuple):
    """Where something is: OpenLineage's `namespace` of the system, and what else an address says.

    `path` is a file's or object's; then the namespace (a bucket, a file system) is not the thing's alone.
    """

    namespace: str
    database: str | None = None
    schema: str | None = None
    path: str | None = None


def namespace_of(naming: str, **known: str) -> str:
    """The namespace that the official client gives; a class asks for a table's name too, which is not part of it."""
    from openlineage.client.naming import dataset

    kind = getattr(dataset, naming)
    names = (attribute.name for attribute in kind.__attrs_attrs__)
    return str(kind(**{name: known.get(name) or "-" for name in names}).get_namespace())
