"""A process waits to own a ledger that another one owns."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import closing
from time import monotonic

import pytest

from cafe.ledger.errors import (
    DatabaseGone,
    DatabaseInUse,
    LedgerChanged,
    LedgerError,
    SchemaBehind,
    WrongDatabaseError,
)
from cafe.ledger.standby import Standby
from cafe.ledger.store import open_store
from tests.cafe.ledger.house_owner import LONG
from tests.cafe.ledger.order_histories import Tickets, unit_each
from tests.cafe.ledger.postgres import PostgresServer
from tests.cafe.ledger.waiting import HOLDER, Waiting, end_session, sessions_of


def test_of_two_standbys_one_owns_the_ledger_and_then_the_other(
    address: str, stand_by: Callable[[str], Waiting]
) -> None:
    with closing(open_store(address)) as store:
        standbys = {stand_by(address), stand_by(address)}
        for one in standbys:
            one.wait_begun()
        terms = [store.term]
    while standbys:
        (owner,) = wait_owners(standbys)
        assert owner.store is not None
        owner.store.ping()
        terms.append(owner.store.term)
        standbys.remove(owner)
        assert not any(one.owns(within=0.5) for one in standbys)
        owner.store.close()
    assert terms == sorted(set(terms))


def wait_owners(standbys: set[Waiting]) -> list[Waiting]:
    """Return those that own the ledger, as soon as one does."""
    ends = monotonic() + LONG
    while monotonic() < ends:
        if owners := [one for one in standbys if one.owns(within=0.05)]:
            return owners
    raise AssertionError("none owns the ledger")


def end_waiting_sessions(postgres: PostgresServer, database: str) -> int:
    """End the sessions of standbys, and return how many there were."""
    pids = sessions_of(postgres, database, "cafe house")
    for pid in pids:
        postgres.execute(f"SELECT pg_terminate_backend({pid}, 5000)")
    return len(pids)


def test_a_standby_whose_connection_breaks_connects_again_and_waits_on(
    postgres: PostgresServer, database: str, address: str, stand_by: Callable[[str], Waiting]
) -> None:
    with closing(open_store(address)):
        standby = stand_by(address)
        standby.wait_begun()
        for _ in range(2):
            while not end_waiting_sessions(postgres, database):
                assert not standby.owns(within=0.05)
        assert not standby.owns(within=1.5)
    assert standby.owns()


def test_a_server_that_is_started_again_leaves_the_ledger_to_its_former_owner(
    postgres: PostgresServer, address: str, stand_by: Callable[[str], Waiting]
) -> None:
    with closing(open_store(address, standby=Standby())) as store:
        store.begin()
        standby = stand_by(address)
        standby.wait_begun()
        postgres.stop()
        postgres.start()
        with pytest.raises(DatabaseGone):
            store.heartbeat()
        store.heartbeat()
        store.commit(unit_each(Tickets().delivered("a")))
        assert not standby.owns(within=0.5)
    assert standby.owns()


def test_a_wait_that_is_cancelled_ends_and_takes_nothing(
    postgres: PostgresServer, database: str, address: str, stand_by: Callable[[str], Waiting]
) -> None:
    with closing(open_store(address)):
        standby = stand_by(address)
        standby.wait_begun()
        standby.standby.cancel()
        assert isinstance(standby.failure(), DatabaseInUse)
    assert postgres.execute(HOLDER, database) == []


def test_a_wait_that_was_cancelled_too_late_closes_what_it_has_opened(
    postgres: PostgresServer, database: str, address: str
) -> None:
    standby = Standby()
    store = open_store(address, standby=standby)
    assert not standby.waits
    standby.cancel()
    assert postgres.execute(HOLDER, database) == []
    with pytest.raises(LedgerError):
        store.ping()
    with pytest.raises(DatabaseInUse):
        open_store(address, standby=standby)


def test_a_standby_of_tables_that_are_behind_is_refused_at_once(postgres: PostgresServer) -> None:
    with pytest.raises(SchemaBehind):
        open_store(postgres.url(postgres.new_database()), standby=Standby())


def test_tables_that_were_migrated_while_a_standby_waited_are_looked_at_again(
    postgres: PostgresServer, database: str, address: str, stand_by: Callable[[str], Waiting]
) -> None:
    with closing(open_store(address)):
        standby = stand_by(address)
        standby.wait_begun()
        postgres.execute("UPDATE alembic_version SET version_num = '0001'", database)
    assert isinstance(standby.failure(), SchemaBehind)
    assert postgres.execute(HOLDER, database) == []


def test_no_process_stands_by_for_a_ledger_on_sqlite() -> None:
    with pytest.raises(WrongDatabaseError, match=r"^No process can stand by .*\.$"):
        open_store("sqlite://", standby=Standby())


def test_a_sign_of_life_shows_an_owner_that_another_has_written_meanwhile(
    postgres: PostgresServer, database: str, address: str
) -> None:
    with closing(open_store(address, standby=Standby())) as store:
        store.begin()
        store.heartbeat()
        term = store.term
        end_session(postgres, database)
        with pytest.raises(DatabaseGone):
            store.heartbeat()
        store.heartbeat()
        assert store.term > term
        end_session(postgres, database)
        with closing(open_store(address)) as other:
            other.begin()
            other.commit(unit_each(Tickets().delivered("theirs")))
        with pytest.raises(DatabaseGone):
            store.heartbeat()
        for _ in range(2):
            with pytest.raises(LedgerChanged):
                store.heartbeat()
