"""A JSON Schema of records: read, checked without a network, and what it says of the columns."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any
from urllib.parse import quote, unquote

import jsonschema_rs

from connectors.datasets.json_schema_file import read_document, unusable
from connectors.errors import DatasetError

MASK = "the value"
_URI = "urn:headwater:record"
# Draft 7 and older read nothing beside a $ref.
_REF_ALONE = (jsonschema_rs.Draft4Validator, jsonschema_rs.Draft6Validator, jsonschema_rs.Draft7Validator)
_ANNOTATIONS = {"$schema", "$comment", "$anchor", "$defs", "definitions", "title", "description", "format"}
_ANNOTATIONS |= {"default", "examples", "deprecated", "readOnly", "writeOnly"}
_BY_COLUMN = _ANNOTATIONS | {"type", "properties", "required", "additionalProperties", "allOf", "$ref"}
# Keywords whose verdict hangs on properties that they do not name.
_WHOLE_RECORD = {
    "additionalProperties",
    "patternProperties",
    "minProperties",
    "maxProperties",
    "propertyNames",
}
_WHOLE_RECORD |= {"unevaluatedProperties", "enum", "const", "not", "dependencies", "dependentSchemas"}
_WHOLE_RECORD |= {"$dynamicRef", "$recursiveRef"}
_CONJUNCTIVE, _ALTERNATIVE = ("allOf",), ("anyOf", "oneOf")


@dataclass(frozen=True)
class Place:
    """A subschema by its pointer in the document. `firm` when it holds for every record, not for an alternative."""

    pointer: str
    firm: bool = True


Places = Sequence[Place]
ROOT: Places = (Place(""),)


class JsonSchema:
    """A schema that is valid, of a draft that `$schema` names (default 2020-12), with references to itself only.

    `format` is an annotation. Patterns are ECMA 262 as jsonschema-rs reads it.
    """

    def __init__(self, document: Mapping[str, Any] | bool) -> None:
        """Checks the schema; raises DatasetError with the path of what is wrong in it."""
        if isinstance(document, Mapping):
            # Under a name of its own a document finds itself again without being fetched.
            document = {key: value for key, value in document.items() if key not in ("$id", "id")}
        self.document: dict[str, Any] | bool = document
        try:
            jsonschema_rs.validator_for(document, offline=True)  # what this says is of the schema: not masked
            self._root = jsonschema_rs.validator_for(
                document, validate_formats=False, mask=MASK, offline=True
            )
        except jsonschema_rs.ValidationError as error:
            raise unusable(error) from None
        except (ValueError, RecursionError, OverflowError) as error:
            raise DatasetError(
                f"schema is no JSON: {str(error).splitlines()[0]}",
                hint="write it in JSON's types",
                path=("schema",),
            ) from None
        self._ref_alone = isinstance(self._root, _REF_ALONE)
        self._nulls: dict[str, bool] = {}

    @classmethod
    def read(cls, given: str | Mapping[str, Any] | bool, folder: Path) -> JsonSchema:
        """From a file's name, looked for below the folder, or the schema itself. Raises DatasetError."""
        return cls(read_document(folder / given) if isinstance(given, str) else given)

    def __reduce__(self) -> tuple[Any, ...]:
        return type(self), (self.document,)

    @property
    def root(self) -> jsonschema_rs.Validator:
        """Of a record. Its messages say `the value` in place of values."""
        return self._root

    @cached_property
    def records(self) -> jsonschema_rs.Validator:
        """Of a list of records: valid when each is."""
        whole = {"$ref": _URI} if isinstance(self.document, dict) else self.document
        return self._probe({"items": whole})

    def column(self, places: Iterable[Place]) -> jsonschema_rs.Validator:
        """Of a list of a column's values: valid when each is valid at all of the places."""
        return self._probe({"items": {"allOf": [{"$ref": _uri(place)} for place in places]}})

    def value(self, places: Iterable[Place]) -> jsonschema_rs.Validator:
        """Of one value of a column."""
        return self._probe({"allOf": [{"$ref": _uri(place)} for place in places]})

    def of_property(self, places: Places, name: str) -> Places:
        """The subschemas that a property of the records (or objects) at these places has for its own.

        They are found through `$ref`, `allOf`, `anyOf`, `oneOf`, `if`, `then` and `else`, under `properties`,
        `patternProperties`, and where neither has the name `additionalProperties`, `unevaluatedProperties`.
        """
        found: list[Place] = []
        for place, node in self._in_place(places):
            found += [Place(f"{place.pointer}/{way}", place.firm) for way in self._ways(node, name)]
        return tuple(dict.fromkeys(found))

    def of_items(self, places: Places) -> Places:
        """The subschemas of a list's elements."""
        found: list[Place] = []
        for place, node in self._in_place(places):
            for keyword in ("items", "additionalItems", "prefixItems", "contains", "unevaluatedItems"):
                match node.get(keyword):
                    case list() as several:
                        found += [
                            Place(f"{place.pointer}/{keyword}/{at}", False) for at in range(len(several))
                        ]
                    case dict():
                        firm = place.firm and keyword == "items"
                        found.append(Place(f"{place.pointer}/{keyword}", firm))
        return tuple(dict.fromkeys(found))

    def takes_null(self, places: Places) -> bool:
        """Whether a null is a value to these own subschemas of a property, and not its absence.

        All that always hold must accept null; where there are alternatives only, one of them.
        """
        firm = [place for place in places if place.firm]
        if firm:
            return all(self._accepts_null(place) for place in firm)
        return any(self._accepts_null(place) for place in places)

    @cached_property
    def by_column(self) -> Sequence[tuple[Place, Mapping[str, Any]]] | None:
        """The nodes that a record is held to, when their verdict is that of each column; None when it is not.

        That is so for `type`, `properties`, `required` and `additionalProperties`, which speak of one property each.
        """
        if not isinstance(self.document, dict) or _has_own_names(self.document):
            return None
        nodes = list(self._in_place(ROOT))
        for place, node in nodes:
            if "$ref" in node and self._target(node["$ref"]) is None:
                return None
            types = node.get("type", "object")
            plain = {"$ref"} if self._ref_alone and "$ref" in node else set(node)
            if not place.firm or not plain <= _BY_COLUMN or "object" not in (types, *types):
                return None
        if any(child is False for _, node in nodes for child in node.get("allOf", ())):
            return None
        return nodes or None

    def own(self, name: str) -> Places:
        """With `by_column`: the places that a column's values are held to."""
        found: list[Place] = []
        for place, node in self.by_column or ():
            if name in node.get("properties", {}):
                found.append(Place(f"{place.pointer}/properties/{_escape(name)}"))
            elif "additionalProperties" in node:
                found.append(Place(f"{place.pointer}/additionalProperties"))
        return tuple(found)

    def looked_at(self, columns: Iterable[str]) -> frozenset[str]:
        """The columns that the verdict of a record can hang on."""
        columns = frozenset(columns)
        named: set[str] = set()
        if _has_own_names(self.document):
            return columns
        for _, node in self._in_place(ROOT):
            if not _WHOLE_RECORD.isdisjoint(node) or ("$ref" in node and self._target(node["$ref"]) is None):
                return columns
            named |= {*node.get("properties", {}), *node.get("required", ())}
            for name, others in node.get("dependentRequired", {}).items():
                named |= {name, *others}
        return columns & named

    def _accepts_null(self, place: Place) -> bool:
        known = self._nulls.get(place.pointer)
        if known is None:
            known = self._nulls[place.pointer] = self.value((place,)).is_valid(None)
        return known

    def _probe(self, schema: dict[str, Any]) -> jsonschema_rs.Validator:
        # `items` with one schema and `allOf` mean the same in every draft; draft 4 has them too.
        if isinstance(self.document, dict) and "$schema" in self.document:
            schema = {"$schema": self.document["$schema"], **schema}
        registry = self._registry if isinstance(self.document, dict) else None
        return jsonschema_rs.validator_for(
            schema, validate_formats=False, registry=registry, offline=True, mask=MASK
        )

    @cached_property
    def _registry(self) -> jsonschema_rs.Registry:
        return jsonschema_rs.Registry([(_URI, self.document)], retriever=_fetch_nothing)

    def _in_place(self, places: Places) -> Iterator[tuple[Place, dict[str, Any]]]:
        """The nodes that apply to the same value: those at the places, and what they refer to and are made of."""
        todo, seen = list(places), set[Place]()
        while todo:
            place = todo.pop()
            node = self._node(place.pointer)
            if place in seen or not isinstance(node, dict):
                continue
            seen.add(place)
            for keyword in ("$ref", "$dynamicRef", "$recursiveRef"):
                target = self._target(node.get(keyword))
                if target is not None:
                    todo.append(Place(target, place.firm))
            yield place, node
            if self._ref_alone and "$ref" in node:
                continue
            for keyword in _CONJUNCTIVE + _ALTERNATIVE:
                firm = place.firm and keyword in _CONJUNCTIVE
                options = node.get(keyword, ())
                todo += [Place(f"{place.pointer}/{keyword}/{at}", firm) for at in range(len(options))]
            todo += [
                Place(f"{place.pointer}/{keyword}", False)
                for keyword in ("if", "then", "else")
                if keyword in node
            ]

    def _ways(self, node: Mapping[str, Any], name: str) -> list[str]:
        """The pointers, from a node, to what it says of a property."""
        if self._ref_alone and "$ref" in node:
            return []
        ways = [f"properties/{_escape(name)}"] if name in node.get("properties", {}) else []
        for regex in node.get("patternProperties", {}):
            if jsonschema_rs.validator_for({"pattern": regex}).is_valid(name):
                ways.append(f"patternProperties/{_escape(regex)}")
        for keyword in ("additionalProperties", "unevaluatedProperties"):
            if not ways and isinstance(node.get(keyword), dict):
                ways.append(keyword)
        return ways

    def _target(self, reference: Any) -> str | None:
        """The pointer of what a reference within the document names; None for an unknown one."""
        if not isinstance(reference, str) or not reference.startswith("#"):
            return None
        fragment = reference[1:]
        if not fragment or fragment.startswith("/"):
            return unquote(fragment)
        return self._anchors.get(fragment)

    @cached_property
    def _anchors(self) -> dict[str, str]:
        return dict(_anchors(self.document, ""))

    def _node(self, pointer: str) -> Any:
        node: Any = self.document
        for part in pointer.split("/")[1:]:
            part = part.replace("~1", "/").replace("~0", "~")
            if isinstance(node, list):
                node = node[int(part)] if part.isdigit() and int(part) < len(node) else None
            else:
                node = node.get(part) if isinstance(node, dict) else None
        return node


def _anchors(node: Any, pointer: str) -> Iterator[tuple[str, str]]:
    if isinstance(node, dict):
        for keyword in ("$anchor", "$dynamicAnchor"):
            if isinstance(node.get(keyword), str):
                yield node[keyword], pointer
        for key, child in node.items():
            yield from _anchors(child, f"{pointer}/{_escape(str(key))}")
    elif isinstance(node, list):
        for at, child in enumerate(node):
            yield from _anchors(child, f"{pointer}/{at}")


def _has_own_names(node: Any, *, top: bool = True) -> bool:
    """Whether a part has an `$id`: references in it and to it are then not pointers into the document."""
    if isinstance(node, dict):
        named = not top and any(isinstance(node.get(key), str) for key in ("$id", "id"))
        return named or any(_has_own_names(child, top=False) for child in node.values())
    return isinstance(node, list) and any(_has_own_names(child, top=False) for child in node)


def _escape(name: str) -> str:
    return name.replace("~", "~0").replace("/", "~1")


def _uri(place: Place) -> str:
    return f"{_URI}#{quote(place.pointer, safe='/~')}"


def _fetch_nothing(uri: str) -> Any:
    raise ValueError(f"{uri} is not read")
