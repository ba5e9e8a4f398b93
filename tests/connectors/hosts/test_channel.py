from __future__ import annotations

import io

import pytest
from hypothesis import given
from hypothesis import strategies as st

from connectors.hosts.channel import TooLong, pack, unpack

messages = st.lists(st.tuples(st.dictionaries(st.text(), st.text()), st.binary(max_size=300)), max_size=10)


@given(messages, st.integers(1, 50))
def test_what_was_packed_comes_out_however_it_is_cut(sent, step):
    stream = io.BytesIO(b"".join(pack(message, body) for message, body in sent))
    assert list(unpack(lambda size: stream.read(min(size, step)), 1 << 20)) == sent


@given(messages.filter(bool), st.integers(1, 8))
def test_a_message_that_the_end_cuts_off_is_not_given(sent, missing):
    stream = io.BytesIO(b"".join(pack(message, body) for message, body in sent)[:-missing])
    found = list(unpack(stream.read, 1 << 20))
    assert len(found) < len(sent)
    assert found == sent[: len(found)]


def test_a_message_over_the_limit_is_refused_before_it_is_read():
    stream = io.BytesIO(pack({}, b"0" * 1000))
    with pytest.raises(TooLong):
        list(unpack(stream.read, 100))


@pytest.mark.parametrize("text", [b"[]", b"{", b"\xff"])
def test_what_is_no_message_is_a_value_error(text):
    stream = io.BytesIO(len(text).to_bytes(4, "big") + bytes(4) + text)
    with pytest.raises(ValueError):  # noqa: PT011 - of json, of unicode or of ours
        list(unpack(stream.read, 100))
