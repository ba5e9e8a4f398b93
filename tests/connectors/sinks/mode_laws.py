"""What holds for every sink of what each mode does, and of deliveries that are repeated or fail."""

from __future__ import annotations

import pytest

from connectors.errors import DatasetError
from connectors.sinks import Delivered, Delivery
from tests.connectors.sinks.deliveries import SCHEMA, delivery, failing, modes, records, row


class ModeLaws:
    def test_replace_leaves_what_the_last_delivery_gave(self, opened):
        sink = opened.make("replace")
        assert sink.deliver(delivery([row(1), row(2)])).rows == 2
        assert sink.deliver(delivery([row(3, None), row(4, "")], 2)).rows == 2
        assert opened.rows("replace") == [("3", None), ("4", "")]

    def test_append_adds(self, opened):
        sink = opened.make("append")
        sink.deliver(delivery([row(1)], 1))
        sink.deliver(delivery([row(1), row(2)], 2))
        sink.deliver(delivery([row(3)], 1, partition="2026-11-21"))
        assert [one[0] for one in opened.rows("append")] == ["1", "1", "2", "3"]
        assert sink.delivered("orders") == {"2026-11-20": 2, "2026-11-21": 1}

    def test_upsert_replaces_by_key_and_keeps_the_rest(self, opened):
        sink = opened.make("upsert", ["id"])
        sink.deliver(delivery([row(1, "a"), row(2, "b")], 1))
        done = sink.deliver(delivery([row(2, 'new "b", \n'), row(3, "c")], 2))
        assert (done.rows, done.deleted) == (2, None)
        assert opened.rows("upsert") == [("1", "a"), ("2", 'new "b", \n'), ("3", "c")]

    def test_delete_stale_deletes_what_is_not_given_any_more(self, opened):
        sink = opened.make("delete_stale", ["id"])
        sink.deliver(delivery([row(1), row(2), row(5)], 1, stale=[]))
        assert sink.delivered("orders") == {"2026-11-20": 1}
        done = sink.deliver(delivery([row(2, "y")], 2, stale=[1, 2, 99]))
        assert (done.rows, done.deleted) == (1, 1)
        assert opened.rows("delete_stale") == [("2", "y"), ("5", "x")]

    @modes
    def test_a_delivery_given_twice_is_done_once(self, opened, mode, key):
        sink = opened.make(mode, key)
        assert not sink.deliver(delivery([row(1)], 5, stale=[])).already
        assert opened.make(mode, key).deliver(delivery([row(1)], 5, stale=[])) == Delivered(
            0, sink.target("orders").uri, already=True
        )
        assert sink.deliver(delivery([row(9)], 4, stale=[])).already
        assert opened.rows(mode) == [("1", "x")]
        assert sink.delivered("orders") == {"2026-11-20": 5}

    @modes
    def test_records_that_fail_midway_leave_what_was_there(self, opened, mode, key):
        sink = opened.make(mode, key)
        sink.deliver(delivery([row(1)], 1, stale=[]))
        with pytest.raises(DatasetError, match="its records cannot be read: ValueError"):
            sink.deliver(Delivery("orders", "2026-11-20", 2, SCHEMA, failing, records([], SCHEMA)))
        assert opened.rows(mode) == [("1", "x")]
        assert sink.delivered("orders") == {"2026-11-20": 1}
        sink.deliver(delivery([row(2)], 2, stale=[]))
        assert ("2", "x") in opened.rows(mode)

    @modes
    def test_a_first_delivery_that_fails_leaves_nothing_delivered(self, opened, mode, key):
        sink = opened.make(mode, key)
        assert sink.delivered("orders") == {}
        with pytest.raises(DatasetError, match="its records cannot be read: ValueError"):
            sink.deliver(Delivery("orders", "2026-11-20", 2, SCHEMA, failing, records([], SCHEMA)))
        assert sink.delivered("orders") == {}
        assert sink.deliver(delivery([row(2)], 2, stale=[])).rows == 1
        assert opened.rows(mode) == [("2", "x")]

    @modes
    def test_a_dataset_without_records_is_delivered(self, opened, mode, key):
        sink = opened.make(mode, key)
        assert sink.deliver(delivery([], 1, stale=[])).rows == 0
        assert opened.rows(mode) == []
        assert sink.delivered("orders") == {"2026-11-20": 1}
        sink.deliver(delivery([row(1)], 2, stale=[]))
        assert opened.rows(mode) == [("1", "x")]
