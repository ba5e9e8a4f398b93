"""The shop's warehouse."""

from collections.abc import Iterable

from connectors.builtin.database import DuckDB
from connectors.model import CheckResult
from pipelines.demo.data import make_data


class Warehouse(DuckDB):
    """The built-in connector for DuckDB, which makes the demo's data where it is missing."""

    def extract(self) -> None:
        make_data(self.context.folder)
        super().extract()

    def check(self) -> Iterable[CheckResult]:
        make_data(self.context.folder)
        return super().check()
