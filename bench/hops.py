"""Count the functions that one order passes: `python -m bench.hops [--list]`.

A shop with all defaults runs in this process, on a database in a file, and one order warms it up.
Then a customer connects and sends a plain `POST /order/`, a barista sends `GET /start/` and
`POST /finish/`, and the customer has the coffee. Between two steps the shop runs until it is idle.

The count has each function of `actors/` and `cafe/` that is called meanwhile, in trio's thread or
in the committer's, once, and the modules that they are in. A function has a `def`: methods,
properties and nested functions count. A lambda or a comprehension belongs to the function around
it. Code that a library generates (a dataclass's `__init__`) or runs (SQLAlchemy, FastAPI) is not
counted, nor a value that is read but not called.

The figure with a target is for `POST /order/` until its coffee is there: the functions called from
its first byte until its order waits, and from `POST /finish/` until its answer is sent, with the
Dispatcher's turns and the commits. The second figure adds the connecting, the claim in between, and
what the baristas' requests pass on their own connections.

Rule: the figures are the same in each run. So several orders are followed, and a function counts
only if each of them passes it: a function that a timer calls in between does not.
"""

from __future__ import annotations

import argparse
import gc
import json
import os
import sys
import tempfile
import threading
from collections.abc import Generator, Iterable
from contextlib import contextmanager
from enum import StrEnum
from pathlib import Path
from types import CodeType, FrameType
from typing import Any, NamedTuple
from urllib.parse import urlsplit

import trio
from trio.testing import wait_all_tasks_blocked

from bench.processes import BenchmarkError
from cafe.operations.logs import set_up_logs
from cafe.settings import Settings
from cafe.shop.shop import run_shop

ROOT = Path(__file__).parent.parent
ADDRESS = "127.0.0.1"
MOST_FUNCTIONS = 120
MOST_MODULES = 30
FOLLOWED = 3
"""Orders, after the one that warms the shop up."""
IDLE_SECONDS = 0.1
"""When no task runs for this long, no thread is at work for one either."""


class Step(StrEnum):
    """A step of an order's way."""

    CONNECT = "connect"
    """The customer's connection is accepted."""
    PLACE = "place"
    """`POST /order/`, until its order is committed and waits."""
    CLAIM = "claim"
    """`GET /start/`, all of it."""
    FINISH = "finish"
    """The part of `POST /finish/` that is called on its own connection."""
    HAND_OVER = "hand over"
    """Everything else that is called from then on, until the customer's answer is sent."""


OF_THE_REQUEST = frozenset({Step.PLACE, Step.HAND_OVER})
"""The steps of `POST /order/` until its coffee is there."""


class Hop(NamedTuple):
    """A function that is called in a step."""

    step: Step
    module: str
    """The file's path, from the root of the project."""
    function: str
    """Its qualified name without `<locals>`, as in `Dispatcher.place`."""


class Tracer:
    """Records which functions are called, in the order of their first call in each step."""

    def __init__(self) -> None:
        self.step: Step | None = None
        """None while nothing is recorded."""
        self.baristas: frozenset[trio.lowlevel.Task] = frozenset()
        """The tasks that serve the barista's connection."""
        self.hops: dict[Hop, None] = {}
        self._functions: dict[CodeType, tuple[str, str] | None] = {}

    def __call__(self, frame: FrameType, event: str, _argument: object) -> None:
        """Record a call; Python calls this at each one."""
        step, code = self.step, frame.f_code
        if event != "call" or step is None:
            return
        if code not in self._functions:
            self._functions[code] = function_of(code)
        if (function := self._functions[code]) is None:
            return
        if step is Step.HAND_OVER and task_of_this_thread() in self.baristas:
            step = Step.FINISH
        self.hops.setdefault(Hop(step, *function))


def function_of(code: CodeType) -> tuple[str, str] | None:
    """Return the module and the name of the function that runs this code, if it is one of ours."""
    path = Path(code.co_filename)
    if not any(path.is_relative_to(ROOT / top) for top in ("actors", "cafe")):
        return None
    names = [name for name in code.co_qualname.split(".") if name != "<locals>"]
    while names and names[-1].startswith("<"):  # a lambda, a comprehension, a module
        names.pop()
    return (path.relative_to(ROOT).as_posix(), ".".join(names)) if names else None


def task_of_this_thread() -> trio.lowlevel.Task | None:
    """Return the running task; None in the committer's thread, and between two tasks."""
    return trio.lowlevel.current_task() if trio.lowlevel.in_trio_task() else None


@contextmanager
def tracing() -> Generator[Tracer]:
    """Trace this thread, and the threads that are started within the block."""
    tracer = Tracer()
    threading.setprofile(tracer)
    sys.setprofile(tracer)
    gc.disable()  # it would call finalizers at any time
    try:
        yield tracer
    finally:
        gc.enable()
        sys.setprofile(None)
        threading.setprofile(None)


async def idle() -> None:
    """Return when the shop has nothing to do but wait."""
    await wait_all_tasks_blocked(IDLE_SECONDS)


async def ask(stream: trio.SocketStream, method: str, path: str, content: bytes = b"") -> Any:
    """Send a request; return the decoded JSON of its 200, or None for a 204."""
    fields = f"Host: {ADDRESS}\r\nContent-Type: application/json\r\nContent-Length: {len(content)}"
    await stream.send_all(f"{method} {path} HTTP/1.1\r\n{fields}\r\n\r\n".encode() + content)
    received = b""
    while True:
        received += await stream.receive_some()
        head, separator, body = received.partition(b"\r\n\r\n")
        length = head.lower().partition(b"content-length: ")[2].partition(b"\r\n")[0]
        if separator and head.startswith(b"HTTP/1.1 204 "):
            return None
        if separator and len(body) >= int(length or 0):
            if not head.startswith(b"HTTP/1.1 200 "):
                raise BenchmarkError(f"{method} {path} was answered with {head.decode()}")
            return json.loads(body)


async def order(tracer: Tracer, client: int, barista: trio.SocketStream) -> list[Hop]:
    """Order a coffee and brew it; return what that passed."""
    tracer.hops = {}
    tracer.step = Step.CONNECT
    customer = await trio.open_tcp_stream(ADDRESS, client)
    async with customer, trio.open_nursery() as nursery:
        await idle()
        tracer.step = Step.PLACE
        nursery.start_soon(ask, customer, "POST", "/order/", b'{"name": "Ada"}')
        await idle()
        tracer.step = Step.CLAIM
        # On a busy machine the commit may not be done yet: then the answer has no order.
        while (claim := await ask(barista, "GET", "/start/?barista=Bo")) is None:
            await idle()
        await idle()
        tracer.step = Step.HAND_OVER
        await ask(barista, "POST", f"/finish/?order_id={claim['order_id']}")
        await idle()
        tracer.step = None
    await idle()
    return list(tracer.hops)


def all_tasks() -> set[trio.lowlevel.Task]:
    """Return all tasks of this run of trio."""
    found: set[trio.lowlevel.Task] = set()
    left: Iterable[trio.lowlevel.Task | None] = [trio.lowlevel.current_root_task()]
    while left := {task for task in left if task is not None}:
        found |= left
        left = {
            child for task in left for each in task.child_nurseries for child in each.child_tasks
        }
    return found


async def follow(tracer: Tracer, folder: str) -> list[Hop]:
    """Run a shop; return what each of its orders passes, the first one excepted."""
    settings = Settings.model_validate(
        {
            "client_bind": f"{ADDRESS}:0",
            "worker_bind": f"{ADDRESS}:0",
            "database_url": f"sqlite:///{folder}/cafe.db",
        }
    )
    send, lines = trio.open_memory_channel[str](2)
    async with trio.open_nursery() as nursery:
        nursery.start_soon(run_shop, settings, send.send_nowait)
        client, worker = [port_in(await lines.receive()) for _ in range(2)]
        await idle()
        others = all_tasks()
        async with await trio.open_tcp_stream(ADDRESS, worker) as barista:
            await idle()
            tracer.baristas = frozenset(all_tasks() - others)
            await order(tracer, client, barista)
            first, *more = [await order(tracer, client, barista) for _ in range(FOLLOWED)]
        nursery.cancel_scope.cancel()
    return [hop for hop in first if all(hop in each for each in more)]


def port_in(line: str) -> int:
    """Return the port in a line of the shop's announcement."""
    ports = [urlsplit(word).port for word in line.split() if word.startswith("http://")]
    return next(port for port in ports if port is not None)


def trace_order() -> list[Hop]:
    """Return what an order passes; the log is discarded."""
    with tempfile.TemporaryDirectory() as folder, Path(os.devnull).open("w") as nowhere:
        stderr, sys.stderr = sys.stderr, nowhere
        try:
            with tracing() as tracer:
                return trio.run(follow, tracer, folder, instruments=set_up_logs("json"))
        finally:
            sys.stderr = stderr


def figure(hops: Iterable[Hop]) -> tuple[int, int]:
    """Return how many functions and how many modules these are."""
    functions = {(hop.module, hop.function) for hop in hops}
    return len(functions), len({module for module, _ in functions})


def print_by_module(hops: Iterable[Hop]) -> None:
    """Print the functions below their modules, in the order of their first call."""
    modules: dict[str, dict[str, list[str]]] = {}
    for hop in hops:
        modules.setdefault(hop.module, {}).setdefault(hop.function, []).append(hop.step)
    for module, functions in modules.items():
        print(f"{module} ({len(functions)})")
        for function, steps in functions.items():
            print(f"    {function:45} {', '.join(steps)}")


def main() -> None:
    """Print both figures, and with `--list` the functions."""
    parser = argparse.ArgumentParser(
        prog="python -m bench.hops", description="Count the functions that one order passes."
    )
    what = parser.add_mutually_exclusive_group()
    what.add_argument("--list", action="store_true", help="list them by module")
    what.add_argument("--calls", action="store_true", help="list them in the order of first calls")
    options = parser.parse_args()
    hops = trace_order()
    if options.list:
        print_by_module(hops)
    elif options.calls:
        for hop in hops:
            print(f"{hop.module}\t{hop.function}\t{hop.step}")
    else:
        functions, modules = figure(hop for hop in hops if hop.step in OF_THE_REQUEST)
        target = f"target: at most {MOST_FUNCTIONS} in {MOST_MODULES}"
        print(
            f"POST /order/ until its coffee: {functions} functions in {modules} modules ({target})"
        )
        functions, modules = figure(hops)
        print(f"with the connection, the claim and the finish: {functions} in {modules}")


if __name__ == "__main__":
    main()
