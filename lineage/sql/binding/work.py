"""How much binding one statement may take: stars over stars can name a billion columns in ten lines."""

from __future__ import annotations

from typing import Any, Final

from lineage.sql.binding.columns import OpenStar

# Steps of a statement: some tenths of a microsecond each. 300,000 outputs and what they depend on come to as many.
MAX_WORK: Final = 1_000_000
_FEW: Final = 20  # outputs, of which it is not looked up what each depends on
_PER_COLUMN: Final = 3  # steps that a column costs now and when it is shown


class TooMuchWork(Exception):
    """The statement's columns are not told; its tables are."""


class Work:
    """What has been done for one statement."""

    __slots__ = ("done",)

    def __init__(self) -> None:
        self.done = 0

    def spend(self, steps: int) -> None:
        """Count steps. Raises TooMuchWork."""
        self.done += steps
        if self.done > MAX_WORK:
            raise TooMuchWork(
                "its columns depend on too many others: only its tables are told; select fewer columns by name"
            )

    def spend_on_items(self, items: list[Any]) -> None:
        """Count the outputs of a scope, and what they depend on."""
        if len(items) < _FEW:
            for item in items:
                if type(item) is OpenStar:
                    break
            else:
                self.done += _PER_COLUMN * len(items)
                return
        self.spend(
            _PER_COLUMN
            * sum([1 + (item.weight if type(item) is OpenStar else len(item[2])) for item in items])
        )
