"""Derived datasets and their sinks: what a dataset's and a sink's asset do, without Dagster."""
