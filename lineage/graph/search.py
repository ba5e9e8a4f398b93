"""Resources by words and by fields, as `headwater find` takes them: `orders type:table owner:ada`."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from fnmatch import fnmatchcase
from functools import reduce
from typing import Any

import orjson
import pyarrow as pa
import pyarrow.compute as pc

from connectors.errors import LineageError
from lineage.graph.shown import node_dict

_FIELD = re.compile(r"([A-Za-z_]+):(?!//)(.*)", re.DOTALL)
_READ = ("id", "title", "description", "definition", "native_type", "entity_type", "owners", "tags")
_STORED = ("key", "connection", "entity_type", "title", "database", "schema")


@dataclass(frozen=True)
class Field:
    """One that can be asked for: what a resource, and each that describes it, has there.

    A value is to be the whole, or with `holds` a part; `*` in it stands for anything.
    """

    values: Callable[[Mapping[str, Any]], Iterable[Any]]
    holds: bool = False


def _named(*names: str) -> Callable[[Mapping[str, Any]], Iterable[Any]]:
    return lambda one: (one.get(name) for name in names)


FIELDS: Mapping[str, Field] = {
    "type": Field(_named("entity_type", "native_type")),
    "owner": Field(lambda one: one.get("owners") or (), holds=True),
    "column": Field(lambda one: ()),  # a table has no list of them: see `_with_column`
    "tag": Field(lambda one: one.get("tags") or ()),
    "connection": Field(
        lambda one: (one.get("connection"), *(a.partition("/")[0] for a in one.get("aliases", ())))
    ),
    "schema": Field(_named("schema")),
    "database": Field(_named("database")),
    "title": Field(_named("title"), holds=True),
    "id": Field(lambda one: (one.get("id"), *one.get("aliases", ())), holds=True),
    "text": Field(_named(*_READ), holds=True),
}


@dataclass(frozen=True)
class Term:
    """A word, or a field and its value."""

    field: str
    value: str

    def fits(self, text: Any) -> bool:
        """Whether a value of the field is meant, whatever its case."""
        have, want = str(text).lower(), self.value.lower()
        holds = FIELDS[self.field].holds
        if "*" in want and self.field != "text":
            pattern = want.replace("[", "[[]").replace("?", "[?]")
            return fnmatchcase(have, f"*{pattern}*" if holds else pattern)
        return want in have if holds else want == have

    def is_in(self, resource: Mapping[str, Any]) -> bool:
        """Whether the resource, or one that describes it, has it."""
        described = (resource, *resource.get("facets", {}).values())
        values = (value for one in described for value in FIELDS[self.field].values(one))
        return any(self.fits(value) for value in values if value is not None)


def parse_words(words: Sequence[str]) -> list[Term]:
    """Words as they are typed: `field:value`, else text. An address (`s3://...`) is text.

    Raises LineageError for a field that there is not, and for one without a value.
    """
    terms = []
    for word in words:
        match = _FIELD.fullmatch(word)
        name, value = (match[1].lower(), match[2]) if match else ("text", word)
        if name not in FIELDS:
            fields = ", ".join(FIELDS)
            raise LineageError(
                f"{name} is not a field; there are {fields}", hint=f"as mere text: 'text:{word}'"
            )
        if match and not value:
            raise LineageError(f"{name}: has no value", hint=f"write it without a space, as in {name}:orders")
        terms.append(Term(name, value.encode(errors="replace").decode()))
    return terms


def search(nodes: pa.Table, terms: Sequence[Term]) -> list[dict[str, Any]]:
    """The resources, of rows as they are stored, in which every term is.

    Those whose title is a term come first, then tables before their columns.
    """
    if not terms:
        return []
    keep = reduce(pc.and_, _hits(nodes, terms))
    rest = [term for term in terms if term.field != "column"]
    shown = (node_dict(row) for row in nodes.filter(keep).to_pylist())
    found = [one for one in shown if all(term.is_in(one) for term in rest)]
    found.sort(key=place_among(terms))
    return found


def place_among(terms: Sequence[Term]) -> Callable[[Mapping[str, Any]], tuple[bool, bool, str]]:
    """Where a resource stands among those in which the terms are."""
    titles = {term.value.lower() for term in terms if term.field in ("text", "title")}
    return lambda r: ((r["title"] or "").lower() not in titles, r["entity_type"] == "column", r["id"])


def _hits(nodes: pa.Table, terms: Sequence[Term]) -> Iterable[pa.ChunkedArray]:
    """Of each term the rows in which it may be: so few are taken apart."""
    text: pa.ChunkedArray | None = None
    for term in terms:
        if term.field == "column":
            yield _with_column(nodes, term)
            continue
        if text is None:
            names = (*_STORED, "body", "facets")
            parts = [pc.fill_null(nodes[name], "") for name in names]
            text = pc.binary_join_element_wise(*parts, pc.binary_join(nodes["aliases"], " "), "\n")
        needle = max(term.value.split("*"), key=len) if term.field != "text" else term.value
        written = orjson.dumps(needle).decode()[1:-1]  # as it stands within JSON
        hit = pc.match_substring(text, needle, ignore_case=True)
        yield hit if written == needle else pc.or_(hit, pc.match_substring(text, written, ignore_case=True))


def _with_column(nodes: pa.Table, term: Term) -> pa.ChunkedArray:
    """The columns of the name, and the tables that hold one."""
    is_column = pc.equal(nodes["entity_type"], "column")
    titles = pc.unique(nodes["title"].filter(is_column)).drop_null()
    meant = [title for title in titles.to_pylist() if term.fits(title)]
    named = pc.and_(is_column, pc.is_in(nodes["title"], pa.array(meant, pa.string())))
    held_by = nodes["parent_id"].filter(named)
    return pc.or_(named, pc.is_in(nodes["key"], pc.unique(held_by.combine_chunks())))
