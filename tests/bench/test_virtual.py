"""Virtual time: who goes on when, and what servers do with what comes at once."""

from __future__ import annotations

from bench.virtual import Account, Gathering, Loop, Parking, Place, Process, Server


def passing(loop: Loop, places: list[float | Place], ends: list[float]) -> Process:
    yield from places
    ends.append(loop.now)


def test_a_process_goes_on_at_the_times_that_it_yields() -> None:
    loop, ends = Loop(), list[float]()
    loop.start(passing(loop, [3.0, 5.0], ends))
    loop.start(passing(loop, [4.0], ends))
    loop.run(until=4.5)
    assert (ends, loop.now) == ([4.0], 4.5)
    loop.run(until=10.0)
    assert (ends, loop.now) == ([4.0, 5.0], 10.0)


def test_a_server_does_one_thing_after_the_other() -> None:
    loop, account = Loop(), Account(capacity=2.0)
    server = Server(loop, account, capacity=2.0)
    assert [server.visit(60.0), server.visit(60.0)] == [30.0, 60.0]
    assert account.waiting(60.0) == 60.0  # the second is done as the second minute begins
    assert account.busy(0.0, 120.0) == 0.5
    assert account.stay(0.0, 120.0) == 45.0


def test_a_server_that_is_busy_at_rest_is_slower_by_that() -> None:
    loop, account = Loop(), Account(capacity=1.0, rest=0.75)
    assert Server(loop, account, capacity=1.0).work(15.0) == 60.0
    assert account.busy(0.0, 120.0) == 0.75 + 0.125


def test_what_comes_while_a_batch_is_under_way_is_the_next_batch() -> None:
    loop, account, ends = Loop(), Account(capacity=1.0), list[float]()
    server = Server(loop, account, capacity=1.0)
    gathering = Gathering(loop, server, account, seconds=(10.0, 1.0), later=0.5)
    loop.start(passing(loop, [gathering], ends))
    for _ in range(3):
        loop.start(passing(loop, [5.0, gathering], ends))
    loop.run(until=100.0)
    assert ends == [10.5, 23.0, 23.0, 23.0]
    assert account.done.between(0.0, 120.0) == 22.0


def test_a_parking_lets_the_first_go_on_first() -> None:
    loop, ends = Loop(), list[float]()
    parking = Parking(loop)

    def releasing() -> Process:
        parking.release()  # nothing is there, and nothing is kept of it
        for time in (1.0, 2.0):
            yield time
            parking.release()

    loop.start(releasing())
    for _ in range(3):
        loop.start(passing(loop, [parking], ends))
    loop.run(until=10.0)
    assert ends == [1.0, 2.0]
