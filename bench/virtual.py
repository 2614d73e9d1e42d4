"""Virtual time for simulations: processes that wait, servers that work, and batches for them.

A process is a generator. It yields the time at which it goes on, or a place that keeps it until
then. A loop runs the processes in the order of their times.

Rule: a server does work in the order in which it arrives, and the time of the work is known at its
arrival. So a visit is one event, and nothing is counted twice: the work that arrived is the work
done and the work that waits.
"""

from __future__ import annotations

from collections import defaultdict, deque
from collections.abc import Generator
from dataclasses import dataclass, field
from heapq import heappop, heappush
from itertools import count
from typing import Protocol, TypeAlias

MINUTE = 60.0
"""Everything is counted by the minute."""


class Place(Protocol):
    """A place where a process waits until it is resumed."""

    def keep(self, process: Process) -> None:
        """Keep a process."""
        ...


Process: TypeAlias = Generator["float | Place", None, None]


class Loop:
    """The clock of the simulation, in seconds."""

    def __init__(self) -> None:
        self.now = 0.0
        self._events: list[tuple[float, int, Process]] = []
        self._numbers = count()

    def at(self, time: float, process: Process) -> None:
        """Resume a process at a time; those of the same time in the order of these calls."""
        heappush(self._events, (time, next(self._numbers), process))

    def start(self, process: Process) -> None:
        """Resume a process now."""
        self.at(self.now, process)

    def run(self, until: float) -> None:
        """Run all processes that are due before a time."""
        events = self._events
        while events and events[0][0] < until:
            self.now, _, process = heappop(events)
            waits_for = next(process, None)
            if isinstance(waits_for, float | int):
                self.at(waits_for, process)
            elif waits_for is not None:
                waits_for.keep(process)
        self.now = until


class ByMinute(defaultdict[int, float]):
    """A sum for each minute."""

    def __init__(self) -> None:
        super().__init__(float)

    def add(self, time: float, amount: float) -> None:
        """Add to the minute of a time."""
        self[int(time / MINUTE)] += amount

    def between(self, begin: float, end: float) -> float:
        """Return the sum from one full minute to another, times in seconds."""
        return sum(self[minute] for minute in range(int(begin / MINUTE), int(end / MINUTE)))


@dataclass(slots=True)
class Account:
    """The work of all servers of one kind."""

    capacity: float
    """Seconds of work in a second."""
    rest: float = 0.0
    """The share of their time that is used for other work than this simulation's."""
    came: ByMinute = field(default_factory=ByMinute)
    """Seconds of work."""
    done: ByMinute = field(default_factory=ByMinute)
    """The same, when it was done."""
    stays: ByMinute = field(default_factory=ByMinute)
    """Seconds from when a request came until it was done, its wait included."""
    visits: ByMinute = field(default_factory=ByMinute)
    """Requests that were done."""

    def busy(self, begin: float, end: float) -> float:
        """Return the share of the time in which they worked, 0 to 1."""
        return self.rest + self.done.between(begin, end) / (self.capacity * (end - begin))

    def asked(self, begin: float, end: float) -> float:
        """Return the same of the work that arrived: more than 1 is more than they can do."""
        return self.rest + self.came.between(begin, end) / (self.capacity * (end - begin))

    def waiting(self, time: float) -> float:
        """Return the seconds of work that arrived before a time and were not done by then."""
        return self.came.between(0, time) - self.done.between(0, time)

    def stay(self, begin: float, end: float) -> float:
        """Return the mean stay of a request, in seconds; 0 without any."""
        return self.stays.between(begin, end) / (self.visits.between(begin, end) or 1.0)

    def note_stay(self, began: float, now: float) -> None:
        """Note that a request is done."""
        self.stays.add(now, now - began)
        self.visits.add(now, 1.0)


class Server:
    """One server, which does work in the order in which it arrives."""

    __slots__ = ("_account", "_free_at", "_loop", "_speed")

    def __init__(self, loop: Loop, account: Account, capacity: float) -> None:
        """Make one of the servers in `account`, with this part of their capacity."""
        self._loop = loop
        self._account = account
        self._speed = capacity * (1.0 - account.rest)
        self._free_at = 0.0

    def work(self, seconds: float) -> float:
        """Add work; return the time at which it will be done."""
        now, account = self._loop.now, self._account
        self._free_at = max(now, self._free_at) + seconds / self._speed
        account.came.add(now, seconds)
        account.done.add(self._free_at, seconds)
        return self._free_at

    def visit(self, seconds: float) -> float:
        """Do the same for one request, and note how long it stays."""
        done_at = self.work(seconds)
        self._account.stays.add(done_at, done_at - self._loop.now)
        self._account.visits.add(done_at, 1.0)
        return done_at


class Gathering:
    """One batch at a time for a server: while one is under way, the next gathers.

    So does the committer, and each end of the bus.
    """

    __slots__ = ("_account", "_gathered", "_is_sending", "_later", "_loop", "_seconds", "_server")

    def __init__(
        self,
        loop: Loop,
        server: Server,
        account: Account,
        *,
        seconds: tuple[float, float],
        later: float,
    ) -> None:
        """Send batches that cost `seconds`: the first of a batch, and each further one.

        A batch is back `later` seconds after the server has done it.
        """
        self._loop = loop
        self._server = server
        self._account = account
        self._seconds = seconds
        self._later = later
        self._gathered: list[tuple[float, Process]] = []
        self._is_sending = False

    def keep(self, process: Process) -> None:
        """Take a process into the next batch; it goes on when that is back."""
        self._gathered.append((self._loop.now, process))
        if not self._is_sending:
            self._is_sending = True
            self._loop.start(self._send())

    def _send(self) -> Process:
        loop = self._loop
        while self._gathered:
            batch, self._gathered = self._gathered, []
            first, further = self._seconds
            yield self._server.work(first + further * (len(batch) - 1)) + self._later
            for began, process in batch:
                self._account.note_stay(began, loop.now - self._later)
                loop.start(process)
        self._is_sending = False


class Parking:
    """A place where processes wait until they are released, in the order of their arrival."""

    def __init__(self, loop: Loop) -> None:
        self._loop = loop
        self._kept: deque[Process] = deque()

    def keep(self, process: Process) -> None:
        """Keep a process."""
        self._kept.append(process)

    def release(self) -> None:
        """Resume the first process, if there is one."""
        if self._kept:
            self._loop.start(self._kept.popleft())
