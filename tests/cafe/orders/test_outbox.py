from __future__ import annotations

from math import inf

from cafe.orders.order import Action, Change, Order
from cafe.orders.outbox import Outbox


def a_change() -> Change:
    return Change(Action.PLACE, None, Order("x", 1, "americano", None, "192.0.2.1", 0.0), 0.0)


def promise(outbox: Outbox, name: str, said: list[str], due: float = 5.0) -> None:
    outbox.promise(lambda: said.append(name), lambda: said.append(f"no {name}"), due)


def test_records_are_numbered_on_from_the_last_and_given_once() -> None:
    outbox = Outbox(1, last_sequence=7)
    outbox.add(a_change())
    outbox.add(a_change())
    assert outbox.has_records
    batch = outbox.take()
    assert [record.event.sequence for record in batch.records] == [8, 9]
    assert (batch.epoch, batch.last, len(outbox)) == (1, 9, 2)
    assert not outbox.has_records
    outbox.add(a_change())
    assert [record.event.sequence for record in outbox.take().records] == [10]
    outbox.kept(1, 9)
    assert len(outbox) == 1


def test_promises_are_kept_in_order_and_only_as_far_as_the_ledger_is() -> None:
    outbox, said = Outbox(1, 0), list[str]()
    for name, due in (("one", 5.0), ("two", inf), ("three", 5.0), ("four", inf)):
        outbox.add(a_change())
        promise(outbox, name, said, due)
    for kept in outbox.kept(1, 3):
        kept.keep()
    assert said == ["one", "two", "three"]
    for kept in outbox.kept(1, 4):
        kept.keep()
    assert said == ["one", "two", "three", "four"]


def test_what_another_epoch_has_kept_says_nothing() -> None:
    outbox, said = Outbox(2, 0), list[str]()
    outbox.add(a_change())
    promise(outbox, "one", said)
    assert outbox.kept(1, 5) == []
    assert len(outbox) == 1


def test_promises_are_given_up_when_they_are_due_but_the_patient_ones_only_if_asked() -> None:
    outbox, said = Outbox(1, 0), list[str]()
    outbox.add(a_change())
    promise(outbox, "patient", said, inf)
    promise(outbox, "one", said, 5.0)
    promise(outbox, "two", said, 6.0)
    assert outbox.next_due() == 5.0
    for late in outbox.overdue(5.0):
        late.give_up()
    assert (said, outbox.next_due()) == (["no one"], 6.0)
    assert len(outbox.overdue(100.0)) == 1
    assert outbox.next_due() is None
    assert len(outbox.patient()) == 1
    assert outbox.kept(1, 1) == []
