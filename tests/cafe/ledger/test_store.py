"""What goes into the store comes out of it, on each database."""

from __future__ import annotations

import pytest

from cafe.ledger.errors import LedgerError, RowRefused, StaleEpoch
from cafe.ledger.records import Snapshot
from cafe.ledger.schema import STATUSES
from cafe.ledger.statements import CHANGING
from cafe.ledger.store import Store
from cafe.orders.order import Action, Status
from tests.cafe.ledger.lives import NOON, Writer, failure_of

COUNTED: dict[str, int] = dict.fromkeys(STATUSES, 0)


def test_a_new_ledger_begins_with_nothing(store: Store) -> None:
    assert store.load() == Snapshot(
        epoch=1, last_sequence=0, last_number=0, live=(), by_status=COUNTED, brewing_seconds=()
    )


def test_an_order_is_found_as_it_stood_at_the_last_commit(store: Store) -> None:
    writer, epoch = Writer(), store.load().epoch
    placed = writer.place("a")
    store.commit(epoch, [placed])
    assert store.find("a") == placed.order
    started = writer.start(placed.order)
    store.commit(epoch, [started])
    assert store.find("a") == started.order
    assert store.find("b") is None


def test_a_row_comes_back_with_every_type_as_it_went_in(store: Store) -> None:
    started = Writer().place("a", key="k", at=0.1 + 0.2)
    order = started.order._replace(abandoned=True, lapsed=True, number=2**40, name="'; -- ☕ %s ?")
    store.commit(store.load().epoch, [started._replace(order=order)])
    found = store.find("a")
    assert found == order
    assert found is not None
    assert [type(value) for value in found] == [type(value) for value in order]


def test_every_column_that_may_change_is_changed(store: Store) -> None:
    writer, epoch = Writer(), store.load().epoch
    placed = writer.place("a")
    started = writer.start(placed.order)
    changed = started.order._replace(
        bound=False, abandoned=True, lapsed=True, status="ready", ended_at=NOON + 99
    )
    store.commit(epoch, [placed])
    store.commit(epoch, [started._replace(order=changed)])
    assert store.find("a") == changed
    differing = {
        name for name in changed._fields if getattr(changed, name) != getattr(placed.order, name)
    }
    assert differing == set(CHANGING)


def test_a_status_and_an_action_of_the_order_model_are_written_as_their_words(store: Store) -> None:
    placed = Writer().place("a")
    event = placed.event._replace(action=Action.PLACE, after=Status.WAITING)
    epoch = store.load().epoch
    store.commit(epoch, [placed._replace(event=event)])
    # Only if the last event reads as it was written is the next commit allowed.
    store.load()
    assert store.load().by_status == COUNTED | {"waiting": 1}


def test_a_group_may_hold_whole_lives(store: Store) -> None:
    writer, epoch = Writer(), store.load().epoch
    store.commit(epoch, [*writer.life("a"), *writer.life("b")])
    assert store.load().by_status == COUNTED | {"delivered": 2}


def test_an_empty_group_is_written_too(store: Store) -> None:
    epoch = store.load().epoch
    store.commit(epoch, [])
    store.commit(epoch, Writer().life("a"))
    store.commit(epoch, [])
    assert store.load().last_sequence == 4


def test_the_snapshot_has_live_orders_by_number_and_the_last_of_everything(store: Store) -> None:
    writer, epoch = Writer(), store.load().epoch
    first, second, third = (writer.place(order_id) for order_id in "zyx")
    started = writer.start(first.order)
    cancelled = writer.cancel(second.order)
    life = writer.life("w")
    store.commit(epoch, [first, second, third, started, cancelled, *life])
    assert store.load() == Snapshot(
        epoch=2,
        last_sequence=9,
        last_number=4,
        live=(started.order, third.order),
        by_status=COUNTED | {"waiting": 1, "preparation": 1, "delivered": 1, "cancelled": 1},
        brewing_seconds=(40.0,),
        last_at=life[-1].event.at,
    )


def test_the_last_twenty_brewing_times_are_there_oldest_first(store: Store) -> None:
    writer, epoch = Writer(), store.load().epoch
    for seconds in range(25):
        store.commit(epoch, writer.life(f"order {seconds}", brewed=float(seconds)))
    assert store.load().brewing_seconds == tuple(map(float, range(5, 25)))


def test_the_same_records_again_change_nothing(store: Store) -> None:
    writer, epoch = Writer(), store.load().epoch
    records = writer.life("a", key="k")
    store.commit(epoch, records)
    store.commit(epoch, records)
    store.commit(epoch, records[:2])
    assert store.find("a") == records[-1].order
    snapshot = store.load()
    assert (snapshot.last_sequence, snapshot.by_status["delivered"]) == (4, 1)


def test_records_given_again_with_later_ones_add_the_later_ones(store: Store) -> None:
    writer, epoch = Writer(), store.load().epoch
    records = [*writer.life("a"), *writer.life("b")]
    store.commit(epoch, records[:3])
    store.commit(epoch, records)
    snapshot = store.load()
    assert (snapshot.last_sequence, snapshot.by_status["delivered"]) == (8, 2)


def test_a_commit_of_an_earlier_epoch_is_refused(store: Store) -> None:
    writer, first = Writer(), store.load().epoch
    second = store.load().epoch
    record = writer.place("a")
    assert isinstance(failure_of(store, first, [record]), StaleEpoch)
    assert store.find("a") is None
    store.commit(second, [record])
    assert store.find("a") == record.order


def test_what_the_tables_forbid_is_a_bug_and_leaves_nothing_of_its_group(store: Store) -> None:
    writer, epoch = Writer(), store.load().epoch
    store.commit(epoch, [writer.place("a")])
    writer.number = 0
    later = writer.place("c")
    with pytest.raises(RowRefused) as caught:
        store.commit(epoch, [later, writer.place("b")])
    assert caught.value.reason == "conflict"
    assert (store.find("b"), store.find("c")) == (None, None)
    writer.sequence -= 2
    store.commit(epoch, [writer.place("d")])
    assert store.load().last_sequence == 2


def test_an_error_of_the_tables_tells_no_names(store: Store) -> None:
    writer, epoch = Writer(), store.load().epoch
    store.commit(epoch, [writer.place("a")])
    writer.number = 0
    with pytest.raises(RowRefused) as caught:
        store.commit(epoch, [writer.place("b")])
    assert "Zoë" not in str(caught.value)


def test_a_key_finds_its_order_whatever_becomes_of_it(store: Store) -> None:
    writer, epoch = Writer(), store.load().epoch
    records = writer.life("a", key="k")
    for record in records:
        store.commit(epoch, [record])
        assert store.find_by_key("203.0.113.7", "k", NOON) == record.order


def test_a_key_is_of_one_address(store: Store) -> None:
    store.commit(store.load().epoch, [Writer().place("a", key="k")])
    assert store.find_by_key("203.0.113.8", "k", NOON) is None


def test_a_key_placed_before_the_time_asked_for_is_forgotten(store: Store) -> None:
    store.commit(store.load().epoch, [Writer().place("a", key="k")])
    assert store.find_by_key("203.0.113.7", "k", NOON) is not None
    assert store.find_by_key("203.0.113.7", "k", NOON + 0.001) is None


def test_a_forgotten_key_is_the_next_order_s(store: Store) -> None:
    writer, epoch = Writer(), store.load().epoch
    first = writer.place("a", key="k")
    second = writer.place("b", key="k", at=NOON + 86_401)
    store.commit(epoch, [first])
    store.commit(epoch, [second])
    assert store.find_by_key("203.0.113.7", "k", NOON + 1) == second.order
    store.commit(epoch, [writer.cancel(first.order)])
    assert store.find_by_key("203.0.113.7", "k", NOON + 1) == second.order


@pytest.mark.parametrize("together", [True, False])
def test_a_cancelled_order_s_key_is_free(store: Store, *, together: bool) -> None:
    writer, epoch = Writer(), store.load().epoch
    placed = writer.place("a", key="k")
    records = [placed, writer.cancel(placed.order)]
    for group in [records] if together else [[record] for record in records]:
        store.commit(epoch, group)
    assert store.find_by_key("203.0.113.7", "k", 0.0) is None
    again = writer.place("b", key="k")
    store.commit(epoch, [again])
    assert store.find_by_key("203.0.113.7", "k", 0.0) == again.order


def test_a_key_freed_and_taken_in_one_group_is_the_new_order_s(store: Store) -> None:
    writer, epoch = Writer(), store.load().epoch
    placed = writer.place("a", key="k")
    cancelled, again = writer.cancel(placed.order), writer.place("b", key="k")
    store.commit(epoch, [placed, cancelled, again])
    assert store.find_by_key("203.0.113.7", "k", 0.0) == again.order


def test_a_ping_of_a_healthy_database_says_nothing(store: Store) -> None:
    store.load()
    store.ping()
    assert store.load().last_sequence == 0


def test_a_closed_store_says_so(store: Store) -> None:
    store.close()
    store.close()
    with pytest.raises(LedgerError, match=r"^The ledger is closed\.$"):
        store.ping()
