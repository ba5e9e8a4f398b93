from __future__ import annotations

import os
from collections.abc import Iterator

import pytest
from alembic.config import Config
from alembic.script import ScriptDirectory


@pytest.fixture(autouse=True, scope="session")
def migrations_read_once() -> Iterator[None]:
    """Alembic reads all of Dagster's migrations for each database that Dagster makes, and it makes one for each run: a
    fifth of the time of tests that sync.
    """
    known: dict[str | None, ScriptDirectory] = {}
    read = ScriptDirectory.from_config

    def from_config(config: Config) -> ScriptDirectory:
        place = config.get_main_option("script_location")
        return known.get(place) or known.setdefault(place, read(config))

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(ScriptDirectory, "from_config", from_config)
        yield


@pytest.fixture(autouse=True, scope="module")
def environment_kept() -> Iterator[None]:
    """What a file's tests leave in the environment (a launcher names its project there) is none of the next one's."""
    before = dict(os.environ)
    yield
    for name in set(os.environ) - before.keys():
        del os.environ[name]
    os.environ.update(before)
