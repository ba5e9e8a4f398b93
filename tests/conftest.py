from __future__ import annotations

import os
from collections.abc import Iterator

import pytest


@pytest.fixture(autouse=True, scope="module")
def environment_kept() -> Iterator[None]:
    """What a file's tests leave in the environment (a launcher names its project there) is none of the next one's."""
    before = dict(os.environ)
    yield
    for name in set(os.environ) - before.keys():
        del os.environ[name]
    os.environ.update(before)
