"""One owner at any time: a standby owns the ledger when the owner's process or its link ends."""

from __future__ import annotations

import os
import signal
from collections.abc import Callable, Generator
from contextlib import AbstractContextManager, ExitStack, closing, contextmanager
from threading import Event, Thread
from time import monotonic

import pytest
from sqlalchemy import Connection

from cafe.ledger import postgresql_fence
from cafe.ledger.errors import (
    DatabaseGone,
    DatabaseInUse,
    LedgerChanged,
    LedgerError,
    SchemaBehind,
    WrongDatabaseError,
)
from cafe.ledger.postgresql_fence import FENCE_SECONDS
from cafe.ledger.standby import Standby
from cafe.ledger.store import Store, open_store
from tests.cafe.ledger.conftest import TEMPLATE
from tests.cafe.ledger.house_owner import LONG, House, make_shelves, running_house
from tests.cafe.ledger.order_histories import Tickets, last_position, unit_each
from tests.cafe.ledger.postgres import PostgresServer
from tests.machines.relay import Relay, running_relay

Houses = Callable[[str], AbstractContextManager[tuple[House, House]]]
HOLDER = """
    SELECT pid FROM pg_locks WHERE locktype = 'advisory' AND granted
    AND database = (SELECT oid FROM pg_database WHERE datname = current_database())
"""
SHELVES = "SELECT subject FROM events WHERE department = 'shelf' ORDER BY position"


@pytest.fixture
def database(postgres: PostgresServer) -> str:
    return postgres.new_database(TEMPLATE)


@pytest.fixture
def address(postgres: PostgresServer, database: str) -> str:
    url = postgres.url(database)
    make_shelves(url)
    return url


class Waiting:
    """A standby in a thread of its own."""

    def __init__(self, url: str) -> None:
        self.begun = Event()
        self.standby = Standby(self.begun.set)
        self.store: Store | None = None
        self.error: Exception | None = None
        self._thread = Thread(target=self._open, args=(url,), daemon=True)
        self._thread.start()

    def _open(self, url: str) -> None:
        try:
            self.store = open_store(url, standby=self.standby)
        except Exception as error:  # noqa: BLE001 - a test looks at it
            self.error = error

    def wait_begun(self) -> None:
        assert self.begun.wait(LONG)

    def owns(self, within: float = LONG) -> bool:
        """Return whether it is the owner by then."""
        self._thread.join(within)
        return self.store is not None

    def failure(self) -> Exception | None:
        """Return how it ended."""
        self._thread.join(LONG)
        return self.error

    def close(self) -> None:
        self.standby.cancel()
        self._thread.join(LONG)
        if self.store is not None:
            self.store.close()


@pytest.fixture
def stand_by() -> Generator[Callable[[str], Waiting]]:
    """Return a function that starts a standby; at the end each is cancelled, or closed."""
    with ExitStack() as stack:
        yield lambda url: stack.enter_context(closing(Waiting(url)))


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


# What is a sign of life, and what is not


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


@pytest.mark.usefixtures("short_fence")
def test_an_owner_without_a_sign_of_life_loses_the_ledger_within_a_transaction(
    address: str, stand_by: Callable[[str], Waiting]
) -> None:
    with closing(open_store(address, standby=Standby())) as silent:
        silent.begin()
        standbys: list[Waiting] = []

        def change(connection: Connection) -> None:
            connection.exec_driver_sql("DELETE FROM alembic_version")
            standbys.append(stand_by(address))
            assert standbys[0].owns()
            connection.exec_driver_sql("DELETE FROM alembic_version")

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


def end_session(postgres: PostgresServer, database: str) -> None:
    """End the session of the owner, and return when it has ended."""
    ((pid,),) = postgres.execute(HOLDER, database)
    assert postgres.execute(f"SELECT pg_terminate_backend({pid}, 5000)") == [(True,)]


# The wait


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
    sessions = "SELECT datname, pid FROM pg_stat_activity WHERE application_name = 'cafe house'"
    pids = [pid for name, pid in postgres.execute(sessions) if name == database]
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


def test_an_owner_has_time_for_several_signs_of_life_before_it_is_taken_for_frozen() -> None:
    assert postgresql_fence.HEARTBEAT_SECONDS * 4 <= FENCE_SECONDS
