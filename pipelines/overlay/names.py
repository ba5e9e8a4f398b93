"""The names of objects in headwater.yaml, made of what users call them."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Container

_LONGEST = 90  # a number may follow


def unused_key(kind: str, name: str, taken: Container[str]) -> str:
    """A name for the file, such as bench_source for `Bench source!`; with a number behind it where it is taken."""
    plain = unicodedata.normalize("NFKD", name).encode("ascii", "ignore").decode().lower()
    words = re.sub(r"[^a-z0-9]+", "_", plain).strip("_")
    key = (words if words[:1].isalpha() else f"{kind}_{words}")[:_LONGEST].strip("_")
    number, found = 1, key
    while found in taken:
        number += 1
        found = f"{key}_{number}"
    return found
