"""What Dagster loads: `dagster dev`, `dagster asset materialize -m pipelines.definitions`."""

from pipelines.loading import load_default

defs = load_default()
