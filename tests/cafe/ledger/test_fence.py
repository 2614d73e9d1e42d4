"""One owner at any time: one that is killed, frozen or cut off loses the ledger to a standby."""

from __future__ import annotations

import os
import signal
from collections.abc import Callable, Generator, Iterator
from contextlib import AbstractContextManager, closing, contextmanager
from time import monotonic

import pytest
from sqlalchemy import Connection

from cafe.ledger import postgresql_fence
from cafe.ledger.errors import DatabaseGone, DatabaseInUse
from cafe.ledger.postgresql_connection import driver_of
from cafe.ledger.standby import Standby
from cafe.ledger.store import open_store
from tests.cafe.ledger.house_owner import House, running_house
from tests.cafe.ledger.order_histories import Tickets, last_position, unit_each
from tests.cafe.ledger.postgres import PostgresServer
from tests.cafe.ledger.waiting import Waiting
from tests.machines.relay import Relay, running_relay

Houses = Callable[[str], AbstractContextManager[tuple[House, House]]]
SHELVES = "SELECT subject FROM events WHERE department = 'shelf' ORDER BY position"


@pytest.fixture
def short_fence(monkeypatch: pytest.MonkeyPatch) -> None:
    """Have standbys of this process lose patience soon."""
    monkeypatch.setattr(postgresql_fence, "FENCE_SECONDS", 0.3)


# The process of the owner ends, is frozen, or is cut off


def check_history(postgres: PostgresServer, database: str, first: list[str]) -> None:
    """Check that each acknowledged jar was written once, and none of the first house later on."""
    written = [subject for (subject,) in postgres.execute(SHELVES, database)]
    assert len(written) == len(set(written))
    assert set(first) <= set(written)
    of_second = [place for place, subject in enumerate(written) if subject.startswith("b")]
    assert of_second
    assert not any(subject.startswith("a") for subject in written[of_second[0] :])


@pytest.fixture
def houses(address: str) -> Houses:
    """Return a function that runs an owner, by another URL, and then a process that waits."""

    @contextmanager
    def run(owners_url: str) -> Generator[tuple[House, House]]:
        with running_house(owners_url, "a") as first:
            first.wait_owned()
            with running_house(address, "b") as second:
                second.wait_for("waits")
                yield first, second

    return run


def test_a_standby_owns_the_ledger_when_the_owner_is_killed(
    postgres: PostgresServer, database: str, address: str, houses: Houses
) -> None:
    with houses(address) as (first, second):
        first.process.kill()
        second.wait_owned()
        first.wait_ended()
        check_history(postgres, database, first.acknowledged)


def test_an_owner_that_is_frozen_loses_the_ledger_and_writes_nothing_when_it_goes_on(
    postgres: PostgresServer, database: str, address: str, houses: Houses
) -> None:
    with houses(address) as (first, second):
        os.kill(first.process.pid, signal.SIGSTOP)
        second.wait_owned()
        os.kill(first.process.pid, signal.SIGCONT)
        first.wait_for("lost DatabaseInUse")
        check_history(postgres, database, first.acknowledged)


def test_an_owner_whose_link_is_cut_loses_the_ledger_and_writes_nothing_when_it_is_healed(
    postgres: PostgresServer, database: str, houses: Houses
) -> None:
    with (
        relay_to(postgres) as relay,
        houses(through(relay, database)) as (first, second),
    ):
        relay.cut()
        second.wait_owned()
        assert first.process.poll() is None
        relay.heal()
        first.wait_for("lost DatabaseInUse")
        check_history(postgres, database, first.acknowledged)


def relay_to(postgres: PostgresServer) -> AbstractContextManager[Relay]:
    return running_relay(postgres.folder / ".s.PGSQL.5432")


def through(relay: Relay, database: str) -> str:
    """Return the URL of a database behind a relay."""
    return f"postgresql+psycopg://cafe@127.0.0.1:{relay.port}/{database}"


# What is a heartbeat, and what is not


@pytest.mark.usefixtures("short_fence")
def test_an_owner_without_a_sign_of_life_loses_the_ledger_between_its_transactions(
    address: str, stand_by: Callable[[str], Waiting]
) -> None:
    with closing(open_store(address, standby=Standby())) as silent:
        silent.begin()
        assert stand_by(address).owns()
        units = unit_each(Tickets().delivered("ours"))
        with pytest.raises(DatabaseGone):
            silent.commit(units)
        for _ in range(2):
            with pytest.raises(DatabaseInUse):
                silent.commit(units)


def between_statements(connection: Connection) -> Iterator[None]:
    """Freeze within a transaction."""
    connection.exec_driver_sql("DELETE FROM alembic_version")
    yield
    connection.exec_driver_sql("DELETE FROM alembic_version")


def within_a_statement(connection: Connection) -> Iterator[None]:
    """Freeze where the server has a part of a statement, and waits for the rest."""
    with driver_of(connection).cursor().copy("COPY alembic_version FROM STDIN"):
        yield


@pytest.mark.usefixtures("short_fence")
@pytest.mark.parametrize("frozen", [between_statements, within_a_statement])
def test_an_owner_without_a_sign_of_life_loses_the_ledger_within_a_transaction(
    address: str,
    stand_by: Callable[[str], Waiting],
    frozen: Callable[[Connection], Iterator[None]],
) -> None:
    with closing(open_store(address, standby=Standby())) as silent:
        silent.begin()
        standbys: list[Waiting] = []

        def change(connection: Connection) -> None:
            for _ in frozen(connection):
                standbys.append(stand_by(address))
                assert standbys[0].owns()

        with pytest.raises(DatabaseGone):
            silent.maintain(change)
        assert standbys[0].store is not None
        assert last_position(standbys[0].store) == 0


@pytest.mark.usefixtures("short_fence")
def test_an_owner_with_signs_of_life_keeps_the_ledger(
    address: str, stand_by: Callable[[str], Waiting]
) -> None:
    with closing(open_store(address, standby=Standby())) as store:
        store.begin()
        standby = stand_by(address)
        standby.wait_begun()
        ends = monotonic() + 2.0
        while monotonic() < ends:
            store.heartbeat()
            assert not standby.owns(within=0.05)
    assert standby.owns()


@pytest.mark.usefixtures("short_fence")
def test_an_owner_whose_statement_takes_long_keeps_the_ledger(
    address: str, stand_by: Callable[[str], Waiting]
) -> None:
    with closing(open_store(address, standby=Standby())) as store:
        store.begin()
        standby = stand_by(address)
        standby.wait_begun()
        store.maintain(lambda connection: connection.exec_driver_sql("SELECT pg_sleep(2)"))
        assert not standby.owns(within=0.0)
        store.commit(unit_each(Tickets().delivered("a")))


@pytest.mark.usefixtures("short_fence")
def test_an_owner_that_has_promised_no_signs_of_life_keeps_the_ledger(
    address: str, stand_by: Callable[[str], Waiting]
) -> None:
    with closing(open_store(address)) as store:
        standby = stand_by(address)
        standby.wait_begun()
        assert not standby.owns(within=1.5)
        store.ping()
    assert standby.owns()


def test_an_owner_has_time_for_several_signs_of_life_before_it_is_taken_for_frozen() -> None:
    assert postgresql_fence.HEARTBEAT_SECONDS * 4 <= postgresql_fence.FENCE_SECONDS
