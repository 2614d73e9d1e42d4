"""An account: its transitions, and what ends its sign-ins."""

from __future__ import annotations

import pytest

from cafe.accounts.account import (
    TRANSITIONS,
    Account,
    Action,
    Change,
    Status,
    begin,
    change_password,
    change_role,
    disable,
    enable,
    revise,
    sign_out_everywhere,
)

ADA = Account("a", "Ada@x.org", "ada@x.org", None, "customer", Status.ACTIVE, "hash", 0, 1.0)


def test_an_account_registers_or_is_added_by_a_manager() -> None:
    registered, added = begin(ADA, None), begin(ADA, "boss@x.org")
    assert (registered.action, registered.by) == (Action.REGISTER, None)
    assert (added.action, added.by) == (Action.ADD, "boss@x.org")
    assert registered.before is added.before is None
    assert registered.data == '{"role": "customer"}'


@pytest.mark.parametrize(
    "change",
    [
        disable(ADA, 2.0, None),
        change_password(ADA, "other", 2.0),
        sign_out_everywhere(ADA, 2.0),
    ],
)
def test_what_ends_all_sign_ins_raises_the_epoch(change: Change) -> None:
    assert change.account.epoch == ADA.epoch + 1


def test_a_role_and_an_enabled_account_leave_sign_ins_as_they_are() -> None:
    disabled = disable(ADA, 2.0, None).account
    assert enable(disabled, 3.0, None).account.epoch == disabled.epoch
    assert change_role(ADA, "barista", 2.0, None).account.epoch == ADA.epoch


def test_only_what_differs_is_changed() -> None:
    assert revise(ADA, "customer", Status.ACTIVE, 2.0, None) == []
    assert revise(ADA, None, None, 2.0, None) == []
    changes = revise(ADA, "barista", Status.DISABLED, 2.0, "boss")
    assert [one.action for one in changes] == [Action.CHANGE_ROLE, Action.DISABLE]
    assert (changes[-1].account.role, changes[-1].account.status) == ("barista", Status.DISABLED)


def test_a_disabled_account_changes_neither_its_password_nor_itself() -> None:
    disabled = disable(ADA, 2.0, None).account
    with pytest.raises(KeyError):
        change_password(disabled, "x", 3.0)
    with pytest.raises(KeyError):
        disable(disabled, 3.0, None)


def test_each_change_is_in_the_table() -> None:
    changes = [*revise(ADA, "manager", Status.DISABLED, 2.0, None), change_password(ADA, "x", 2.0)]
    for change in changes:
        assert change.before is not None
        assert TRANSITIONS[change.before, change.action] is change.account.status
