"""What the name of an owner means that a module imports for type checkers only, or not at all.

The modules are written for each test: the imports that are tried here are many, and never run.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator
from importlib import import_module
from itertools import count
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

from tests.actors.starting import start, why_refused

MESSAGES = """
from dataclasses import dataclass
from typing import TYPE_CHECKING
from actors import Message

if TYPE_CHECKING:
    {imports}

@dataclass(frozen=True, slots=True)
class Buy(Message["{owner}", int]):
    pass
"""

SHOP = """
from actors import Actor

class Shop(Actor):
    pass
"""

FROM_SHOP = "from PACKAGE.shop import Shop"

numbers = count()


class Package:
    """A package on disk, with a name of its own."""

    def __init__(self, folder: Path) -> None:
        self.name = f"shop_{next(numbers)}"
        self.folder = folder / self.name
        self.folder.mkdir()
        self.write("__init__", "")
        self.write("shop", SHOP)

    def write(self, module: str, source: str) -> None:
        text = source.replace("PACKAGE", self.name)
        (self.folder / f"{module}.py").write_text(text, encoding="utf-8")

    def load(self, module: str) -> Any:
        return import_module(f"{self.name}.{module}")

    def forget(self, *modules: str) -> None:
        for module in modules:
            del sys.modules[f"{self.name}.{module}"]


@pytest.fixture
def package(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Package]:
    # A module written twice within a second would be loaded from its first compilation.
    monkeypatch.setattr(sys, "dont_write_bytecode", True)
    monkeypatch.setattr(sys, "path", [str(tmp_path), *sys.path])
    package = Package(tmp_path)
    yield package
    for module in [name for name in sys.modules if name.startswith(package.name)]:
        del sys.modules[module]


@pytest.mark.parametrize(
    ("imports", "owner"),
    [
        ("from PACKAGE.shop import Shop", "Shop"),
        ("from PACKAGE.shop import Shop as Store", "Store"),
        ("from .shop import Shop", "Shop"),
        ("from . import shop", "shop.Shop"),
        ("import PACKAGE", "PACKAGE.shop.Shop"),
        ("import PACKAGE.shop", "PACKAGE.shop.Shop"),
        ("import PACKAGE.shop as store", "store.Shop"),
        ("from PACKAGE.shop import Shop", "Shop[int]"),
        ("import sys; from PACKAGE.shop import Shop", "Shop | None"),
    ],
)
async def test_an_import_for_type_checkers_is_followed(
    package: Package, imports: str, owner: str
) -> None:
    package.write("messages", MESSAGES.format(imports=imports, owner=owner))
    package.load("messages")
    assert "Shop has no handler for Buy," in await why_refused(package.load("shop").Shop)


@pytest.mark.parametrize(
    ("imports", "owner"),
    [
        ("from elsewhere import Shop", "Shop"),
        ("from ....beyond import Shop", "Shop"),
        ("from PACKAGE.shop import Actor", "Shop"),
        ("from PACKAGE.shop import Shop", "list[Shop]"),
        ("import PACKAGE.shop", "PACKAGE"),
        ("import PACKAGE.shop", "PACKAGE.other.Shop"),
        ("pass", "Shop"),
        ("pass", "Buy.Shop"),
        ("pass", "1 + 1"),
        ("pass\n\ndef unused():\n    from PACKAGE.shop import Shop", "Shop"),
    ],
)
async def test_a_name_that_means_nothing_binds_nobody(
    package: Package, imports: str, owner: str
) -> None:
    package.write("messages", MESSAGES.format(imports=imports, owner=owner))
    package.load("messages")
    await start(package.load("shop").Shop)


async def test_a_module_whose_source_has_gone_binds_nobody(package: Package) -> None:
    package.write("messages", MESSAGES.format(imports=FROM_SHOP, owner="Shop"))
    package.load("messages")
    (package.folder / "messages.py").unlink()
    await start(package.load("shop").Shop)


@pytest.mark.parametrize("source", ["class", "\0"])
async def test_a_module_whose_source_was_spoiled_binds_nobody(
    package: Package, source: str
) -> None:
    package.write("messages", MESSAGES.format(imports=FROM_SHOP, owner="Shop"))
    package.load("messages")
    package.write("messages", source)
    await start(package.load("shop").Shop)


async def test_a_module_that_never_had_a_source_binds_nobody(
    package: Package, monkeypatch: pytest.MonkeyPatch
) -> None:
    module = ModuleType(f"{package.name}.messages")
    monkeypatch.setitem(sys.modules, module.__name__, module)
    exec(MESSAGES.format(imports="pass", owner="Shop"), vars(module))  # noqa: S102 - as a shell does
    await start(package.load("shop").Shop)


async def test_a_module_that_is_in_no_package_can_import_the_owner_too(
    package: Package, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sys, "path", [str(package.folder), *sys.path])
    name = f"{package.name}_messages"
    package.write(name, MESSAGES.format(imports=FROM_SHOP, owner="Shop"))
    import_module(name)
    assert "Shop has no handler for Buy," in await why_refused(package.load("shop").Shop)


GENERIC = """
from typing import TYPE_CHECKING, Generic, TypeVar
from actors import Message

if TYPE_CHECKING:
    from PACKAGE.shop import Shop

R = TypeVar("R")
Owner = TypeVar("Owner", contravariant=True)

class Question(Message["Shop", R], Generic[R]):
    pass

class Command(Message[Owner, None], Generic[Owner]):
    pass
"""

QUESTION = """
from PACKAGE.generic import Question

class Price(Question[int]):
    pass
"""

COMMAND = """
from typing import TYPE_CHECKING
from PACKAGE.generic import Command

if TYPE_CHECKING:
    from PACKAGE.shop import Shop as Store

class Close(Command["Store"]):
    pass
"""


async def test_a_name_is_looked_up_where_it_was_written(package: Package) -> None:
    package.write("generic", GENERIC)
    package.write("messages", QUESTION)
    package.write("commands", COMMAND)
    package.load("messages")
    package.load("commands")
    shop = package.load("shop").Shop
    assert "Shop has no handler for Price, Close," in await why_refused(shop)


async def test_a_name_that_was_written_in_a_module_that_has_gone_binds_nobody(
    package: Package,
) -> None:
    package.write("generic", GENERIC)
    package.write("messages", QUESTION)
    package.load("messages")
    package.forget("generic")
    await start(package.load("shop").Shop)


TOGETHER = SHOP.replace(
    "    pass",
    """
    @Buy.handler
    def buy(self, message):
        return 1
""",
)


async def test_the_messages_of_a_module_that_was_loaded_again_bind_nobody(package: Package) -> None:
    messages = MESSAGES.format(imports="pass", owner="Shop")
    package.write(
        "whole",
        messages
        + messages.replace("Buy", "Sell")
        + TOGETHER.replace(
            "    @Buy",
            "    @Sell.handler\n    def sell(self, message):\n        return 2\n\n    @Buy",
        ),
    )
    first = package.load("whole")
    package.forget("whole")
    package.write("whole", messages + TOGETHER)
    second = package.load("whole")
    assert hasattr(first, "Sell")
    assert not hasattr(second, "Sell")
    await start(second.Shop)
    await start(first.Shop)
