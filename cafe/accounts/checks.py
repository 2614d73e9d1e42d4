"""The invariants of accounts, as queries that return the rows that violate them.

Rule: each invariant is one sentence and one query, independent of the others. The ledger checks
what holds for the events of every department.
"""

from __future__ import annotations

from sqlalchemy import Executable, and_, or_, select

from cafe.accounts.account import TokenStatus
from cafe.accounts.sign_in import SignInStatus
from cafe.accounts.tables import accounts, program_tokens, sign_ins
from cafe.ledger.invariants import not_as_its_events_say


def _without_an_end() -> Executable:
    ended = sign_ins.c.status == SignInStatus.SIGNED_OUT.value
    wrong = or_(
        and_(ended, sign_ins.c.ended_at.is_(None)), and_(~ended, sign_ins.c.ended_at.is_not(None))
    )
    columns = (sign_ins.c.sign_in_id.label("subject"), sign_ins.c.status, sign_ins.c.ended_at)
    return select(*columns).where(wrong)


def _ahead_of_its_account() -> Executable:
    columns = (sign_ins.c.sign_in_id.label("subject"), sign_ins.c.epoch)
    ahead = sign_ins.c.epoch > accounts.c.epoch
    return select(*columns).join_from(sign_ins, accounts).where(ahead)


def _revoked_at_no_time() -> Executable:
    revoked = program_tokens.c.status == TokenStatus.REVOKED.value
    at = program_tokens.c.revoked_at
    wrong = or_(and_(revoked, at.is_(None)), and_(~revoked, at.is_not(None)))
    columns = (program_tokens.c.token_id.label("subject"), program_tokens.c.status, at)
    return select(*columns).where(wrong)


CHECKS: dict[str, Executable] = {
    "every account stands where its last event left it": not_as_its_events_say(
        "accounts", accounts, accounts.c.account_id, accounts.c.status
    ),
    "every sign-in stands where its last event left it": not_as_its_events_say(
        "accounts", sign_ins, sign_ins.c.sign_in_id, sign_ins.c.status
    ),
    "every program's token stands where its last event left it": not_as_its_events_say(
        "accounts", program_tokens, program_tokens.c.token_id, program_tokens.c.status
    ),
    "every sign-in has an end if it has ended": _without_an_end(),
    "no sign-in is of a later epoch than its account": _ahead_of_its_account(),
    "every program's token has an end if it is revoked": _revoked_at_no_time(),
}
