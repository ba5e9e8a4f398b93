from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from connectors.model.naming import dotted


@pytest.mark.parametrize(
    ("parts", "key"),
    [
        (("shop", "sales", "orders"), "shop.sales.orders"),
        (("shop", None, "orders"), "shop.orders"),
        (("shop", "we.ird"), 'shop."we.ird"'),
        (('say "hi"',), '"say ""hi"""'),
        (("two words",), '"two words"'),
        (("Ünïcode", ""), 'Ünïcode.""'),
    ],
)
def test_parts_that_could_be_misread_are_quoted(parts, key):
    assert dotted(*parts) == key


@given(st.lists(st.text(max_size=8), max_size=4), st.lists(st.text(max_size=8), max_size=4))
def test_different_parts_give_different_keys(some, others):
    assert (dotted(*some) == dotted(*others)) == (some == others) or not (some and others)
