"""What a person writes under `validation`: the rules that records are held to."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from datetime import date
from decimal import Decimal
from pathlib import Path
from typing import Annotated, Any, Literal, Self

import pyarrow as pa
import pyarrow.compute as pc
from pydantic import (
    AfterValidator,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    PrivateAttr,
    ValidationError,
    model_validator,
)

from connectors.datasets.json_schema import JsonSchema
from connectors.datasets.names import suggestion
from connectors.errors import DatasetError

OnInvalid = Literal["quarantine", "fail", "warn"]
_KINDS = ("not_null", "unique", "range", "pattern", "reference")


def _bound(given: Any) -> Any:
    """A number, a date, a timestamp, or a text that holds one of the latter; which of them the column's type says."""
    if isinstance(given, bool) or not isinstance(given, int | float | Decimal | date | str | None):
        raise ValueError("is no bound; write a number, a date or a timestamp")
    if isinstance(given, float | Decimal) and not math.isfinite(given):
        raise ValueError("is no bound; leave the end out that has none")
    return given


def _re2(regex: str) -> str:
    if "\0" in regex:
        raise ValueError("holds a zero character; remove it")
    try:
        # DuckDB reads the same language; this one can be asked without an engine.
        pc.match_substring_regex(pa.array([""]), regex)  # type: ignore[attr-defined, unused-ignore]
    except pa.ArrowInvalid as error:
        said = str(error).splitlines()[0].removeprefix("Invalid regular expression: ")
        raise ValueError(f"is no regular expression of RE2: {said}; mend it") from None
    return regex


def _once(columns: list[str]) -> list[str]:
    for at, column in enumerate(columns):
        if column in columns[:at]:
            raise ValueError(f"names {column} twice; remove one")
    return columns


def _same_names(given: Any) -> Any:
    if isinstance(given, list) and all(isinstance(name, str) for name in given):
        return {name: name for name in given}
    return given


Bound = Annotated[Any, BeforeValidator(_bound)]
Columns = Annotated[list[str], Field(min_length=1), AfterValidator(_once)]


class _Part(BaseModel):
    model_config = ConfigDict(extra="forbid", hide_input_in_errors=True, frozen=True)


class Range(_Part):
    """Both ends belong to it; one of them may be left out. A null is in every range, NaN in none."""

    column: str
    min: Bound = None
    max: Bound = None

    @model_validator(mode="after")
    def _has_an_end(self) -> Self:
        if self.min is None and self.max is None:
            raise ValueError("has no end; give min, max or both")
        return self


class Pattern(_Part):
    """A regular expression (RE2) that is found somewhere in each text of a column; `^` and `$` anchor it."""

    column: str
    regex: Annotated[str, AfterValidator(_re2)]


class Reference(_Part):
    """Each key is there in another dataset. `on` maps columns to that dataset's; a list names equal ones.

    A key of which a column is null refers to nothing and is right.
    """

    dataset: str = Field(min_length=1)
    on: Annotated[dict[str, str], Field(min_length=1), BeforeValidator(_same_names)]


class Constraint(_Part):
    """One rule; exactly one of its fields is given."""

    not_null: Columns | None = None
    unique: Columns | None = None
    range: Range | None = None
    pattern: Pattern | None = None
    reference: Reference | None = None

    @model_validator(mode="after")
    def _one_kind(self) -> Self:
        given = [kind for kind in _KINDS if getattr(self, kind) is not None]
        if len(given) != 1:
            raise ValueError(
                f"has {', '.join(given)}; write each as a list entry of its own"
                if given
                else f"is empty; write one of {', '.join(_KINDS)}"
            )
        return self


class Rules(_Part):
    """The rules of a dataset: a JSON Schema for each record, constraints, and what becomes of invalid records."""

    schema_given: str | dict[str, Any] | bool | None = Field(None, alias="schema")
    constraints: tuple[Constraint, ...] = ()
    on_invalid: OnInvalid = "quarantine"
    _json_schema: JsonSchema | None = PrivateAttr(None)

    @property
    def json_schema(self) -> JsonSchema | None:
        """The JSON Schema of a record, read and checked."""
        return self._json_schema

    @classmethod
    def read(cls, given: Mapping[str, Any], folder: Path) -> Rules:
        """The rules as written; a schema's file is looked for below `folder`.

        Raises DatasetError for the first fault; its `path` in the context leads to it within `given`.
        """
        try:
            rules = cls.model_validate(given)
        except ValidationError as error:
            raise _fault(error) from None
        if rules.schema_given is not None:
            rules._json_schema = JsonSchema.read(rules.schema_given, folder)
        return rules


def _fault(error: ValidationError) -> DatasetError:
    fault = error.errors(include_url=False, include_input=False, include_context=False)[0]
    # Which of a union's types did not fit is no place in what was written.
    kinds = {"str", "bool", "[key]"} | {f"dict[{kind}]" for kind in ("str,any", "str,str")}
    path = tuple(str(part) for part in fault["loc"] if part not in kinds)
    where = ".".join(path) or "validation"
    said = str(fault["msg"]).removeprefix("Value error, ")
    match fault["type"]:
        case "extra_forbidden":
            hint = suggestion(path[-1], list(_keys(path[:-1])))
            return DatasetError(f"{where} is not a known key", hint=hint, path=path)
        case "missing":
            return DatasetError(f"{where} is missing", hint="add it", path=path)
        case "model_type" | "dict_type":
            return DatasetError(f"{where} is no mapping", hint="write keys and values below it", path=path)
        case "list_type" | "tuple_type":
            return DatasetError(f"{where} is no list", hint="write its entries with - or in [ ]", path=path)
        case "too_short" | "string_too_short":
            return DatasetError(f"{where} is empty", hint="fill it or remove it", path=path)
        case "value_error":
            said, _, hint = said.partition("; ")
            return DatasetError(f"{where} {said}", hint=hint or None, path=path)
    if path == ("schema",):
        hint = "write a file's name, or the schema itself as a mapping"
        return DatasetError("schema is neither", hint=hint, path=path)
    return DatasetError(f"{where}: {said[0].lower()}{said[1:]}", path=path)


def _keys(path: tuple[str, ...]) -> Iterator[str]:
    models: dict[int, type[BaseModel]] = {0: Rules, 2: Constraint}
    by_kind: dict[str, type[BaseModel]] = {"range": Range, "pattern": Pattern, "reference": Reference}
    model = models.get(len(path)) or by_kind.get(path[-1], Constraint)
    for name, field in model.model_fields.items():
        yield field.alias or name
