"""Shops whose imports were done before: they are as those that import everything themselves."""

from __future__ import annotations

import ast
import os
import re
import signal
from pathlib import Path

import pytest

from tests.imports import SOURCES, named, parsed
from tests.system.api import order
from tests.system.shop import COMMAND, Shop, open_shop
from tests.system.warm import WarmProcess

OF_A_PROCESS = r"(secrets|uuid|random|time)\.|os\.(getpid|urandom)|\w*token_\w+$|(monotonic|uuid4)$"
"""What gives another result in each process, by the names of the functions."""


def status(shop: Shop) -> dict[str, str]:
    """Return what the kernel says of the process."""
    lines = Path(f"/proc/{shop.process.pid}/status").read_text("utf-8").splitlines()
    return dict(line.split(":\t", 1) for line in lines if ":\t" in line)


def files(shop: Shop) -> list[str]:
    """Return what the process has open, without numbers of sockets and pipes."""
    folder = Path(f"/proc/{shop.process.pid}/fd")
    kinds = [str(one.readlink()).partition(":[")[0] for one in folder.iterdir()]
    return sorted(Path(kind).name for kind in kinds)


def test_it_has_the_files_signals_and_session_of_one_that_has_imported_all_itself() -> None:
    with open_shop() as warm, open_shop(program=COMMAND) as cold:
        assert isinstance(warm.process, WarmProcess)
        assert files(warm) == files(cold)
        for one in ("SigBlk", "SigIgn", "SigCgt", "Umask"):
            assert status(warm)[one] == status(cold)[one]
        for shop in (warm, cold):
            assert os.getsid(shop.process.pid) == shop.process.pid
            assert Path(f"/proc/{shop.process.pid}/cwd").readlink() == Path.cwd()


async def test_it_has_its_own_settings_and_no_others() -> None:
    with open_shop() as first, open_shop() as second:
        async with first.customers() as customer:
            await order(customer)
        assert (len(await first.orders()), len(await second.orders())) == (1, 0)


def made_by_imports(path: Path) -> list[str]:
    """Return the calls outside of functions that give another result in each process."""
    found: list[str] = []
    todo: list[ast.AST] = [parsed(path)]
    while todo:
        node = todo.pop()
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            todo += [*node.decorator_list, node.args]  # defaults are made once, too
        elif not isinstance(node, ast.Lambda):
            todo += ast.iter_child_nodes(node)
        if isinstance(node, ast.Call) and re.match(OF_A_PROCESS, ast.unparse(node.func)):
            found.append(f"{named(path)}:{node.lineno} {ast.unparse(node)}")
    return found


def test_no_import_makes_what_is_to_be_another_in_each_process() -> None:
    assert [one for path in SOURCES for one in made_by_imports(path)] == []


@pytest.mark.parametrize("signum", [signal.SIGKILL, signal.SIGABRT])
async def test_its_exit_code_names_the_signal_that_has_ended_it(signum: signal.Signals) -> None:
    with open_shop(exit_code=-signum) as shop:
        shop.process.send_signal(signum)
        assert await shop.ended() == shop.process.poll() == -signum
        shop.process.kill()  # does nothing
