"""The asset keys of a project."""

from __future__ import annotations

import re
from dataclasses import dataclass

import dagster as dg


@dataclass(frozen=True)
class AssetKeys:
    """Keys as the contract names them, behind a prefix when a project is merged into other definitions."""

    prefix: str | None = None

    def resources(self, connection: str) -> dg.AssetKey:
        """What a connection gave; materialized by a success only."""
        return self._key("resources", connection)

    def flow_run(self, connection: str) -> dg.AssetKey:
        """A connection's run; always materialized."""
        return self._key("flow_runs", connection)

    @property
    def flow_runs(self) -> dg.AssetKey:
        """Below it lie the keys of all runs: of connections, of datasets, of sinks."""
        return self._key("flow_runs")

    @property
    def graph(self) -> dg.AssetKey:
        return self._key("lineage_graph")

    def of_connection(self, connection: str) -> tuple[dg.AssetKey, dg.AssetKey]:
        """Both keys of a connection."""
        return self.resources(connection), self.flow_run(connection)

    def dataset(self, name: str) -> tuple[dg.AssetKey, dg.AssetKey]:
        """A derived dataset, materialized by a success only; and its run, always."""
        return self._key("datasets", name), self._key("flow_runs", "datasets", name)

    def sink(self, sink: str, dataset: str) -> tuple[dg.AssetKey, dg.AssetKey]:
        """What a sink was given of a dataset, materialized by a success only; and its run, always."""
        return self._key("sinks", sink, dataset), self._key("flow_runs", "sinks", sink, dataset)

    def run_name(self, key: dg.AssetKey) -> str:
        """Whose run a key is: a connection's name, `datasets/<name>` or `sinks/<sink>/<dataset>`."""
        return "/".join(key.path[2 if self.prefix else 1 :])

    def name(self, text: str) -> str:
        """A name for a schedule, sensor, job or step: behind the prefix, so that several projects can be merged."""
        return re.sub(r"\W", "_", f"{self.prefix}_{text}") if self.prefix else text

    def _key(self, *parts: str) -> dg.AssetKey:
        return dg.AssetKey([*([self.prefix] if self.prefix else []), *parts])
