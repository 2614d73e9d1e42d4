"""The installed package has types, in another project."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

PROGRAM = """
from dataclasses import dataclass
from typing import assert_type

import trio
from actors import Actor, ActorState, Message, Ref, open_system


@dataclass(frozen=True, slots=True)
class Add(Message["Counter", int]):
    by: int = 1


class Counter(Actor):
    @Add.handler
    def add(self, message: Add) -> int:
        return message.by


async def use(counter: Ref[Counter]) -> None:
    assert_type(await counter.ask(Add()), int)
    state: ActorState = counter.statistics().state
    print(state)
    await counter.ask("Add")  # the one mistake


async def main() -> None:
    async with open_system() as system:
        await use(await system.start(Counter))


trio.run(main)
"""


def run(*arguments: str, cwd: Path) -> str:
    done = subprocess.run(
        [sys.executable, "-m", *arguments], cwd=cwd, capture_output=True, text=True, check=False
    )
    return done.stdout + done.stderr


def test_a_checker_sees_the_types_from_another_project(tmp_path: Path) -> None:
    (tmp_path / "program.py").write_text(PROGRAM, encoding="utf-8")
    lines = run("mypy", "--strict", "--no-pretty", "program.py", cwd=tmp_path).splitlines()
    mistake = 1 + PROGRAM.splitlines().index('    await counter.ask("Add")  # the one mistake')
    assert len(lines) == 2, lines
    assert lines[0].startswith(f"program.py:{mistake}: error: ")
    assert "[arg-type]" in lines[0]
    assert lines[1] == "Found 1 error in 1 file (checked 1 source file)"
