"""Reads a dbt project's artifacts and declares what its models are and what they are made of."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from functools import cached_property
from pathlib import Path
from typing import Self

from pydantic import Field, ValidationError, model_validator

from connectors.builtin.dbt.artifacts import (
    A,
    Catalog,
    CatalogTable,
    Manifest,
    Node,
    RunResult,
    RunResults,
    read_artifact,
)
from connectors.builtin.dbt.declarations import (
    column_resources,
    exposure_resource,
    owners_of,
    relation_resource,
    test_resource,
)
from connectors.builtin.file_state import file_state
from connectors.connector import Connector, ConnectorConfig, first_fault
from connectors.errors import ConnectorError
from connectors.model import CheckResult, DeclaredLineage, InternalResource, TablesFromSQLQuery

RELATIONS = frozenset({"model", "seed", "snapshot", "source"})
# Adapters whose SQL goes by another name with sqlglot.
_DIALECTS = {
    "sqlserver": "tsql",
    "synapse": "tsql",
    "fabric": "tsql",
    "fabricspark": "spark",
    "glue": "spark",
}


class Dbt(Connector):
    """Reads manifest.json and, where there, catalog.json and run_results.json. dbt itself is not needed."""

    platform = "dbt"
    kinds = frozenset({"dbt"})
    reads_files = True

    class Config(ConnectorConfig):
        """The artifacts of a dbt project."""

        project: str | None = Field(None, description="The project's folder, in which `target` is looked up")
        target: str | None = Field(None, description="The folder of the artifacts; in a project: target")
        manifest: str | None = Field(None, description="manifest.json, where it lies elsewhere")
        catalog: str | None = Field(None, description="catalog.json, where it lies elsewhere")
        run_results: str | None = Field(None, description="run_results.json, where it lies elsewhere")
        dialect: str | None = Field(
            None, description="sqlglot's name of the SQL dialect; default: the adapter's"
        )

        @model_validator(mode="after")
        def _something(self) -> Self:
            if not (self.project or self.target or self.manifest):
                raise ValueError("give the dbt project's folder as project, or its artifacts' as target")
            return self

    def extract(self) -> None:
        manifest = read_artifact(self._path("manifest"), Manifest)
        catalog, results = self._catalog(), self._results()
        nodes = {node.unique_id: node for node in self._nodes(manifest)}
        group_owners = _group_owners(manifest)
        for node in nodes.values():
            owners = owners_of(node, group_owners)
            result = results.get(node.unique_id)
            if node.resource_type in RELATIONS:
                self.declare_resource(relation_resource(node, owners, result))
                for column in column_resources(node, catalog.get(node.unique_id)):
                    self.declare_resource(column)
            elif node.resource_type == "exposure":
                self.declare_resource(exposure_resource(node, owners))
            else:
                self.declare_resource(test_resource(node, owners, result, nodes))
        self._declare_lineage(manifest, nodes)

    def check(self) -> Iterable[CheckResult]:
        try:
            manifest = read_artifact(self._path("manifest"), Manifest)
        except ConnectorError as error:
            return [CheckResult("read manifest", False, error.message, error.hint)]
        count = f"{len(manifest.nodes)} nodes, {len(manifest.sources)} sources"
        return [
            CheckResult("read manifest", True, count),
            self._check_optional("read catalog", "catalog", Catalog, "types of columns are not known"),
            self._check_optional(
                "read run results", "run_results", RunResults, "results of runs are not known"
            ),
        ]

    def fingerprint(self) -> str | None:
        return " ".join(file_state(self._path(name)) for name in ("manifest", "catalog", "run_results"))

    # -- the files

    @cached_property
    def _folder(self) -> Path:
        if self.config.project:
            return self.path(self.config.project) / (self.config.target or "target")
        if self.config.target:
            return self.path(self.config.target)
        return self._path("manifest").parent

    def _path(self, name: str) -> Path:
        named = getattr(self.config, name)
        return self.path(named) if named else self._folder / f"{name}.json"

    def _optional(self, name: str, model: type[A]) -> A | None:
        """Absence says that dbt did not write it, unless the configuration names it."""
        path = self._path(name)
        return read_artifact(path, model) if getattr(self.config, name) or path.exists() else None

    def _check_optional(self, capability: str, name: str, model: type[A], without: str) -> CheckResult:
        try:
            found = self._optional(name, model)
        except ConnectorError as error:
            return CheckResult(capability, False, error.message, error.hint)
        return CheckResult(capability, True, "" if found else f"{self._path(name)} is not there: {without}")

    def _catalog(self) -> Mapping[str, CatalogTable]:
        catalog = self._optional("catalog", Catalog)
        return {**catalog.nodes, **catalog.sources} if catalog else {}

    def _results(self) -> Mapping[str, RunResult]:
        results = self._optional("run_results", RunResults)
        return {result.unique_id: result for result in results.results} if results else {}

    def _nodes(self, manifest: Manifest) -> Iterator[Node]:
        declared = RELATIONS | {"test", "exposure"}
        for key, raw in sorted({**manifest.nodes, **manifest.sources, **manifest.exposures}.items()):
            if raw.get("resource_type") not in declared:
                continue
            try:
                yield Node.model_validate(raw)
            except ValidationError as error:
                self.reject(f"{self._path('manifest').name} {key}", first_fault(error))

    # -- lineage

    def _declare_lineage(self, manifest: Manifest, nodes: Mapping[str, Node]) -> None:
        dialect = self.config.dialect or _dialect(manifest.metadata.adapter_type)
        for node in nodes.values():
            if node.resource_type == "test":
                continue  # no data comes out of a test
            for parent in _parents(node, manifest):
                self._declare_pair(parent, node)
            if (sql := _query_of(node)) is not None:
                self._declare_sql(sql, dialect, node)

    def _declare_pair(self, parent: str, node: Node) -> None:
        self.declare_lineage(
            DeclaredLineage(
                from_identifier=InternalResource(databuilder_id=parent),
                to_identifier=InternalResource(databuilder_id=node.unique_id),
            )
        )

    def _declare_sql(self, sql: str, dialect: str | None, node: Node) -> None:
        self.declare_lineage(
            DeclaredLineage(
                from_identifier=TablesFromSQLQuery(
                    sql=sql,
                    dialect=dialect,
                    default_database=node.database or None,
                    default_schema=node.schema_name or None,
                ),
                to_identifier=InternalResource(databuilder_id=node.unique_id),
            )
        )


def _dialect(adapter: str | None) -> str | None:
    return _DIALECTS.get(adapter, adapter) if adapter else None


def _query_of(node: Node) -> str | None:
    """The compiled SQL of what dbt makes a table from. An ephemeral model's stands within its users'."""
    makes_table = node.resource_type in ("model", "snapshot") and not node.ephemeral
    return node.compiled_code if makes_table and node.language in (None, "sql") else None


def _group_owners(manifest: Manifest) -> dict[str, list[str]]:
    return {group.name: group.owner.names for group in manifest.groups.values() if group.owner}


def _parents(node: Node, manifest: Manifest) -> list[str]:
    """What a node is made of; metrics and the like are passed through to what they are made of."""
    between = {**manifest.metrics, **manifest.semantic_models, **manifest.saved_queries}
    found: dict[str, None] = {}
    seen: set[str] = set()
    waiting = list(reversed(node.depends_on.nodes))
    while waiting:
        parent = waiting.pop()
        if parent in seen:
            continue
        seen.add(parent)
        if parent in between:
            waiting.extend(reversed(between[parent].depends_on.nodes))
        else:
            found[parent] = None
    return list(found)
