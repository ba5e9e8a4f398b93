"""The command line. Commands import what they need when they run: `--help` stays quick."""

from pipelines.cli.main import main

__all__ = ["main"]
