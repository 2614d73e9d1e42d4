"""What the pages name exists: files, settings, commands with their options, routes, metrics.

Rule: the names are looked for in the whole text of each page, and compared with the code or with
a shop that runs, not with another list of names.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Iterator
from itertools import chain
from pathlib import Path
from typing import Any, NamedTuple

import httpx
import pytest
import trio

from cafe.cli.commands import COMMANDS, loaded
from cafe.orders import schemas
from cafe.settings import FILE, OF_COMMANDS, SECRETS, Settings
from cafe.variables import PREFIX, variable_of
from docs.graph import arrows
from tests.system.shop import Shop, open_shop
from tests.test_layout import DEPARTMENTS, ROOMS

ROOT = Path(__file__).parent.parent
PAGES = sorted([ROOT / "README.md", ROOT / "actors/README.md", *ROOT.glob("docs/**/*.md")])
FOLDERS = ("actors", "bench", "cafe", "docs", "tests")
EXAMPLES = ROOT / "docs/examples"


class Found(NamedTuple):
    """A name in a page."""

    page: str
    name: str


def found(pattern: str, pages: Iterable[Path] = PAGES) -> Iterator[Found]:
    """Yield what the pattern's first group matches, or all that it matches, in each page."""
    for page in pages:
        for match in re.finditer(pattern, page.read_text("utf-8"), re.MULTILINE):
            yield Found(page.relative_to(ROOT).as_posix(), match[match.lastindex or 0])


# Files


def files() -> set[str]:
    """List the project's files, from the root; what a page names may also stand in its folder."""
    tops = [path for path in ROOT.iterdir() if path.is_file()]
    inner = chain.from_iterable((ROOT / folder).rglob("*") for folder in FOLDERS)
    return {path.relative_to(ROOT).as_posix() for path in [*tops, *inner]}


def is_there(name: str, files: set[str]) -> bool:
    """Return whether a file or folder exists, or would with an example moved to `cafe/`."""
    moved = re.sub(r"^(tests/)?cafe/", "docs/examples/", name)
    return name in files or moved in files or any(file.endswith(f"/{name}") for file in files)


def test_each_file_that_a_page_names_exists() -> None:
    there = files()
    paths = found(rf"(?<![\w./-])((?:{'|'.join(FOLDERS)})/[\w./-]*\w)(?![\w*])")
    names = found(r"`([\w-]+\.(?:py|md|toml|lock|yml))`")
    assert [one for one in chain(paths, names) if not is_there(one.name, there)] == []


def test_the_floors_of_the_design_are_those_that_the_imports_are_held_to() -> None:
    page = (ROOT / "docs/design.md").read_text("utf-8")
    rows = list(re.findall(r"^\| \d+ \| ([^|]*) \|", page, re.MULTILINE))
    heights = {
        room: height
        for height, row in enumerate(reversed(rows))
        for room in re.findall(r"`([\w/]+)`", row)
    }
    # A department that is added need not be named: it stands with the others.
    unnamed = set(ROOMS) - {"cafe"} - set(heights)
    assert set(heights) <= set(ROOMS)
    assert unnamed <= set(DEPARTMENTS)
    heights |= dict.fromkeys(unnamed, heights["cafe/orders"])
    pairs = [pair for pair in arrows() if set(pair) <= set(heights)]
    assert [pair for pair in pairs if heights[pair[0]] < heights[pair[1]]] == []


# Settings and commands


def test_each_setting_that_a_page_names_exists() -> None:
    files = {name + FILE for name in SECRETS}
    names = Settings.model_fields.keys() | files | set(OF_COMMANDS)
    settings = {variable_of(name) for name in names}
    named = {one for one in found(rf"\b{PREFIX}\w+") if one.name not in settings}
    assert named == set()


def test_each_setting_has_its_row() -> None:
    rows = [one.name for one in found(r"^\| `(CAFE_\w+)` \|", [ROOT / "docs/settings.md"])]
    assert rows == [variable_of(name) for name in Settings.model_fields]


def test_each_make_target_that_a_page_names_exists() -> None:
    makefile = (ROOT / "Makefile").read_text("utf-8")
    targets = set(re.findall(r"^([a-z-]+):", makefile, re.MULTILINE))
    assert [one for one in found(r"(?:^|`)make ([a-z-]+)") if one.name not in targets] == []


def command_lines() -> Iterator[Found]:
    """Yield what follows `cafe` in each command line of a page."""
    return found(r"(?:^(?:\.venv/bin/)?|`(?:\.venv/bin/)?)cafe ((?:[a-z-]|--)[^`#\n|]*)")


def options_of(command: Any) -> set[str]:
    return {option for parameter in command.params for option in parameter.opts} | {"--help"}


def objection(line: str) -> str | None:
    """Return what is wrong with the arguments of `cafe`; None if nothing is."""
    name, *rest = line.split()
    if name in {"--help", "--version", "--install-completion"}:
        return None
    if name not in COMMANDS:
        return f"no command {name}"
    command = loaded(name)
    if (commands := getattr(command, "commands", None)) and rest:
        if rest[0] not in commands:
            return f"no command {name} {rest[0]}"
        command = commands[rest[0]]
    given = {word.split("=")[0] for word in rest if word.startswith("--")}
    return ", ".join(sorted(given - options_of(command))) or None


def test_each_command_and_option_of_cafe_that_a_page_names_exists() -> None:
    lines = list(command_lines())
    assert len(lines) > 20
    assert [(line, why) for line in lines if (why := objection(line.name))] == []


@pytest.mark.parametrize(
    "line", ["brew", "db mend", "rush --atack 1", "db prune --day 1", "report --days 1"]
)
def test_a_command_that_does_not_exist_is_found(line: str) -> None:
    assert objection(line) is not None


def test_each_module_that_a_page_runs_exists() -> None:
    modules = list(found(r"python -m ((?:bench|docs|tests|cafe)[\w.]*)"))
    paths = [ROOT.joinpath(*one.name.split(".")) for one in modules]
    assert [
        path for path in paths if not path.is_dir() and not path.with_suffix(".py").is_file()
    ] == []


# A shop that runs


@pytest.fixture(scope="module")
def shop() -> Iterator[Shop]:
    with open_shop() as shop:
        yield shop


class Route(NamedTuple):
    """A route of an app, or of a department that the docs add."""

    method: str
    path: str

    def serves(self, method: str, path: str) -> bool:
        """Return whether a request reaches it; HEAD and OPTIONS reach every route."""
        pattern = re.sub(r"\{\w+\}", "[^/]+", self.path.rstrip("/"))
        return bool(re.fullmatch(pattern, path.rstrip("/"))) and method in {
            self.method,
            "HEAD",
            "OPTIONS",
        }


def routes_of(shop: Shop) -> set[Route]:
    """List the routes of both apps, and those of the examples, as their modules write them."""
    routes = {Route("GET", "/docs"), Route("GET", "/compat/")}
    systems = httpx.get(f"{shop.client}/compat/").json()["systems"]
    # Their own calls stand in the pages as their clients know them, behind a base URL.
    bases = [one["base_url"] for one in systems]
    for url, base in [(shop.worker, ""), *((shop.client, base) for base in ["", *bases])]:
        paths = httpx.get(f"{url}{base}/openapi.json").json()["paths"]
        for path, methods in paths.items():
            routes |= {
                Route(one.upper(), place) for one in methods for place in (path, base + path)
            }
    sources = "\n".join(path.read_text("utf-8") for path in EXAMPLES.rglob("*_api.py"))
    decorators = re.findall(r'@\w+\.(get|post|put|delete)\(\s*"([^"]+)"', sources)
    return routes | {Route(method.upper(), path) for method, path in decorators}


def test_each_route_that_a_page_names_exists(shop: Shop) -> None:
    routes = routes_of(shop)
    for one in found(r"((?:GET|POST|PUT|PATCH|DELETE|HEAD|OPTIONS) /[^\s`\"?,)]+)"):
        method, path = one.name.replace(" /api/v1/client/", " /").split()
        assert any(route.serves(method, path) for route in routes), one


def test_each_path_that_curl_is_given_is_a_route(shop: Shop) -> None:
    routes = routes_of(shop)
    given = list(found(r"curl [^\n]*?(?:localhost|127\.0\.0\.1):808[01](/[^\s'?\"]*)"))
    assert len(given) > 5
    reached = {one for one in given for route in routes if route.serves("HEAD", one.name)}
    assert set(given) - reached == set()


def test_each_metric_that_a_page_names_is_exposed(shop: Shop) -> None:
    text = httpx.get(f"{shop.worker}/metrics").text
    names = set(re.findall(r"^(?:# TYPE )?(cafe_\w+)", text, re.MULTILINE))
    for root in ("front", "house"):  # processes of more than one machine
        source = (ROOT / "cafe" / "shop" / f"{root}.py").read_text("utf-8")
        names |= set(re.findall(r'GaugeMetricFamily\(\s*"(cafe_\w+)"', source))
    assert [one for one in found(r"\bcafe_[a-z_]+\b") if one.name not in names] == []


# Outputs


SHOWN = re.compile(r"<!-- like (\w+) -->\n```json\n(.*?)```", re.DOTALL)


def test_an_answer_that_readme_shows_has_the_members_of_its_schema() -> None:
    shown = SHOWN.findall((ROOT / "README.md").read_text("utf-8"))
    assert [name for name, _ in shown] == ["FinishedOut", "OrderOut"]
    for name, text in shown:
        schema = getattr(schemas, name)
        schema.model_validate(json.loads(text))
        assert list(json.loads(text)) == list(schema.model_fields)


async def test_a_shop_gives_what_readme_shows(shop: Shop) -> None:
    answers = dict(SHOWN.findall((ROOT / "README.md").read_text("utf-8")))
    orders: list[Any] = []

    async def order(customer: httpx.AsyncClient) -> None:
        orders.append((await customer.post("/order/", json={"name": "Ada"})).json())

    async with (
        shop.customers() as customer,
        shop.baristas() as barista,
        trio.open_nursery() as nursery,
    ):
        nursery.start_soon(order, customer)
        claim = await barista.get("/start/?barista=Bo&wait=20")
        order_id = claim.json()["order_id"]
        finished = (await barista.post(f"/finish/?order_id={order_id}")).json()
    assert list(finished) == list(json.loads(answers["FinishedOut"]))
    assert list(orders[0]) == list(json.loads(answers["OrderOut"]))
    assert orders[0]["message"] == json.loads(answers["OrderOut"])["message"]


def test_the_tree_of_actors_is_shown_as_a_shop_draws_it(shop: Shop) -> None:
    page = (ROOT / "docs/operating.md").read_text("utf-8")
    (shown,) = re.findall(r"<!-- like GET /actors -->\n```\n\$ [^\n]*\n(.*?)```", page, re.DOTALL)
    drawn = httpx.get(f"{shop.worker}/actors", headers={"Accept": "text/plain"}).text

    def form(text: str) -> list[str]:
        return [re.sub(r"[├└]|\d+|, refused \d+", "", line) for line in text.splitlines()]

    # A department that is added has its actor, too.
    assert [line for line in form(drawn) if line in form(shown)] == form(shown)


def test_readme_is_short() -> None:
    assert len((ROOT / "README.md").read_text("utf-8").splitlines()) < 300
