from __future__ import annotations

import os

import pytest

from connectors.builtin.file_state import HASHED_BYTES, file_state


@pytest.fixture
def file(tmp_path):
    path = tmp_path / "file"
    path.write_bytes(b"one")
    return path


def test_a_touched_file_is_unchanged_and_another_content_is_not(file):
    before = file_state(file)
    os.utime(file, (1, 1))
    assert file_state(file) == before
    file.write_bytes(b"two")
    assert file_state(file) != before


def test_a_very_large_file_is_judged_by_size_and_time(file):
    os.truncate(file, HASHED_BYTES + 1)
    before = file_state(file)
    os.utime(file, (1, 1))
    assert file_state(file) != before


def test_a_file_that_is_not_there_or_no_file_has_a_state_too(file, tmp_path):
    assert file_state(tmp_path / "gone") == "absent"
    assert file_state(tmp_path).startswith("unreadable")
