"""The names that a dataset and a partition have in a folder."""

from __future__ import annotations

import re

from connectors.errors import DatasetError

LONGEST_BYTES = 150  # a file's name may have 255, and the longest of ours adds a partition's
# What a name may hold beside letters and digits of any script. Delta refuses %, [ and ] in paths.
_PLAIN = set(" _-.'(),=+@&")


def file_name(name: str) -> str:
    """A name for a file or folder, one for each name; other signs are written ~XX as the bytes of UTF-8.

    Raises DatasetError for one that is too long for a file, or empty.
    """
    if not name:
        raise DatasetError("a dataset without a name cannot be a file's name")
    written = "".join(_written(sign, first=at == 0) for at, sign in enumerate(name))
    # Readers leave out what begins with a dot or an underscore, and some systems cut a dot or space at the end.
    if written[-1] in " .":
        written = written[:-1] + _escaped(written[-1])
    if len(written.encode()) > LONGEST_BYTES:
        raise DatasetError(
            f"the name {name[:60]}... is too long for a file", hint="name the dataset otherwise"
        )
    return written


def name_of(written: str) -> str:
    """The name that `file_name` wrote."""
    whole = re.sub("(?:~[0-9A-F]{2})+", lambda run: bytes.fromhex(run[0].replace("~", "")).decode(), written)
    return whole


def _written(sign: str, *, first: bool) -> str:
    if (sign.isalnum() or sign in _PLAIN) and not (first and sign in "._ "):
        return sign
    return _escaped(sign)


def _escaped(sign: str) -> str:
    return "".join(f"~{byte:02X}" for byte in sign.encode("utf-8", "surrogatepass"))
