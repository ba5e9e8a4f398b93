"""The files that dbt writes, read as far as they are used here."""

from __future__ import annotations

import re
from datetime import datetime
from pathlib import Path
from typing import Annotated, Any, TypeVar

import orjson
from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, ValidationError

from connectors.connector import first_fault
from connectors.errors import UnexpectedAnswer, Unreachable

MANIFEST_VERSIONS = range(7, 13)  # dbt 1.3 to 1.11
_SCHEMA = re.compile(r"/dbt/(?P<kind>[a-z-]+)/v(?P<version>\d+)")


def _list(value: Any) -> Any:
    """dbt writes one of several as a plain text, and none as null."""
    return [] if value is None else [value] if isinstance(value, str) else value


def _mapping(value: Any) -> Any:
    return {} if value is None else value


Texts = Annotated[list[str], BeforeValidator(_list)]
Facts = Annotated[dict[str, Any], BeforeValidator(_mapping)]


class Artifact(BaseModel):
    """Part of a dbt file. Newer versions add fields; those are no trouble."""

    model_config = ConfigDict(extra="ignore", hide_input_in_errors=True)


class Owner(Artifact):
    name: str | None = None
    email: Texts = []

    @property
    def names(self) -> list[str]:
        """E-mail addresses, else the name."""
        return self.email or ([self.name] if self.name else [])


class Dependencies(Artifact):
    nodes: Texts = []


class NodeConfig(Artifact):
    materialized: str | None = None
    group: str | None = None
    meta: Facts = {}
    severity: str | None = None


class DocumentedColumn(Artifact):
    name: str
    description: str | None = None
    data_type: str | None = None
    tags: Texts = []


class TestMetadata(Artifact):
    __test__ = False  # not a test of ours
    name: str | None = None


class Node(Artifact):
    """A model, seed, snapshot, source, test or exposure, under the names of all versions."""

    unique_id: str
    resource_type: str
    name: str
    package_name: str | None = None
    original_file_path: str | None = None
    database: str | None = None
    schema_name: str | None = Field(None, alias="schema")
    alias: str | None = None
    identifier: str | None = None
    description: str | None = None
    language: str | None = None
    compiled_code: str | None = None
    tags: Texts = []
    meta: Facts = {}
    config: Annotated[NodeConfig, BeforeValidator(_mapping)] = NodeConfig()
    group: str | None = None
    owner: Owner | None = None
    depends_on: Annotated[Dependencies, BeforeValidator(_mapping)] = Dependencies()
    columns: Annotated[dict[str, DocumentedColumn], BeforeValidator(_mapping)] = {}
    # exposures
    type: str | None = None
    label: str | None = None
    url: str | None = None
    maturity: str | None = None
    # tests
    attached_node: str | None = None
    column_name: str | None = None
    test_metadata: TestMetadata | None = None

    @property
    def ephemeral(self) -> bool:
        """Whether dbt only writes it into the SQL of others."""
        return self.config.materialized == "ephemeral"

    @property
    def relation(self) -> str:
        """The name of its table."""
        return self.identifier or self.alias or self.name


class Dependent(Artifact):
    """A metric, semantic model or saved query: something between models and exposures."""

    depends_on: Annotated[Dependencies, BeforeValidator(_mapping)] = Dependencies()


class Group(Artifact):
    name: str
    owner: Owner | None = None


class Metadata(Artifact):
    dbt_schema_version: str = ""
    adapter_type: str | None = None


class Manifest(Artifact):
    """Nodes stay raw here: one that is not as expected is refused by itself."""

    metadata: Metadata
    nodes: dict[str, Facts]
    sources: dict[str, Facts]
    exposures: dict[str, Facts] = {}
    groups: Annotated[dict[str, Group], BeforeValidator(_mapping)] = {}
    metrics: Annotated[dict[str, Dependent], BeforeValidator(_mapping)] = {}
    semantic_models: Annotated[dict[str, Dependent], BeforeValidator(_mapping)] = {}
    saved_queries: Annotated[dict[str, Dependent], BeforeValidator(_mapping)] = {}


class CatalogColumn(Artifact):
    name: str
    type: str | None = None
    index: int | None = None
    comment: str | None = None


class CatalogTable(Artifact):
    columns: Annotated[dict[str, CatalogColumn], BeforeValidator(_mapping)] = {}


class Catalog(Artifact):
    metadata: Metadata = Metadata()
    nodes: dict[str, CatalogTable] = {}
    sources: dict[str, CatalogTable] = {}


class Timing(Artifact):
    completed_at: datetime | None = None


class RunResult(Artifact):
    unique_id: str
    status: str
    execution_time: float | None = None
    failures: int | None = None
    timing: Annotated[list[Timing], BeforeValidator(_list)] = []

    @property
    def completed_at(self) -> datetime | None:
        return max((t.completed_at for t in self.timing if t.completed_at), default=None)


class RunResults(Artifact):
    metadata: Metadata = Metadata()
    results: list[RunResult] = []


A = TypeVar("A", Manifest, Catalog, RunResults)
_KINDS = {Manifest: "manifest", Catalog: "catalog", RunResults: "run-results"}


def read_artifact(path: Path, model: type[A]) -> A:
    """One of dbt's files; Unreachable when it is not there, UnexpectedAnswer when it is something else."""
    hint = "let dbt write it again: `dbt build`, or `dbt docs generate` for the catalog"
    try:
        content = orjson.loads(path.read_bytes())
        artifact = model.model_validate(content)
    except OSError as error:
        raise Unreachable(f"{path} cannot be read: {error.strerror}", hint=hint) from None
    except orjson.JSONDecodeError as error:
        raise UnexpectedAnswer(f"{path} is not whole JSON: {error}", hint=hint) from None
    except ValidationError as error:
        raise UnexpectedAnswer(
            f"{path} is not a dbt {_KINDS[model]}: {first_fault(error)}", hint=hint
        ) from None
    _must_be_known(path, artifact.metadata.dbt_schema_version, _KINDS[model])
    return artifact


def _must_be_known(path: Path, schema: str, kind: str) -> None:
    found = _SCHEMA.search(schema)
    if not found or found["kind"] != kind:
        raise UnexpectedAnswer(f"{path} does not say that it is a dbt {kind}", hint="look at its path")
    version = int(found["version"])
    if kind == "manifest" and version not in MANIFEST_VERSIONS:
        first, last = MANIFEST_VERSIONS[0], MANIFEST_VERSIONS[-1]
        raise UnexpectedAnswer(
            f"{path} is a dbt manifest of version {version}; versions {first} to {last} can be read",
            hint="write it with dbt 1.3 to 1.11, or use a newer headwater",
        )
