"""What lies beside a file and says which deliveries it holds.

The file and its note cannot change at once. So a note first says what the file is about to be, by its digest; whoever
reads it looks at the file to learn whether that came to pass.
"""

from __future__ import annotations

import json

from connectors.errors import DatasetError
from connectors.sinks.file_places import FilePlace
from connectors.sinks.workplace import BESIDE


class Note:
    """The note of the file `file`, of the dataset whose file name is `name`."""

    def __init__(self, place: FilePlace, name: str, file: str) -> None:
        self._place = place
        self._name = name
        self._file = file
        self._path = f"{BESIDE}/{file}.json"

    def held(self) -> dict[str, int]:
        """By partition the number of the last delivery that the file holds."""
        content = self._place.read_small(self._path)
        if content is None or not self._place.exists(self._file):
            return {}
        try:
            note = json.loads(content)
            held = {str(partition): int(number) for partition, number in note["held"].items()}
            about = note.get("about")
            if about and self._place.digest(self._file) == about["digest"]:
                held[about["partition"]] = about["number"]
        except (ValueError, KeyError, TypeError, AttributeError):
            raise DatasetError(
                f"{self._place.path(self._path)} is not a note of deliveries",
                hint="remove it: what the file holds is then written anew",
            ) from None
        return held

    def announce(self, held: dict[str, int], partition: str, number: int, digest: str) -> None:
        """Says what the file is about to be."""
        self._write({"held": held, "about": {"partition": partition, "number": number, "digest": digest}})

    def confirm(self, held: dict[str, int]) -> None:
        """Says what the file is."""
        self._write({"held": held})

    def _write(self, note: dict[str, object]) -> None:
        self._place.write_small(f"{self._name}.note", self._path, json.dumps(note).encode())
