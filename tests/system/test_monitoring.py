"""What docs/operations holds for operators: the rules, the dashboard and the unit."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.system.shop import Shop

FOLDER = Path(__file__).parents[2] / "docs" / "operations"
RULES, MACHINES_RULES = (
    yaml.safe_load((FOLDER / name).read_text("utf-8"))["groups"][0]["rules"]
    for name in ("alerts.yml", "alerts-machines.yml")
)
DASHBOARD = json.loads((FOLDER / "dashboard.json").read_text("utf-8"))
PANELS = [panel for panel in DASHBOARD["panels"] if panel["type"] != "row"]
NAMES = re.compile(r"\b(?:cafe|process)_[a-z_]+")


def expressions() -> Iterator[str]:
    """Yield what the rules and the panels ask Prometheus for."""
    yield from (rule["expr"] for rule in RULES)
    yield from (target["expr"] for panel in PANELS for target in panel["targets"])


async def test_each_metric_of_the_rules_and_the_dashboard_is_one_that_the_shop_has(
    shop: Shop,
) -> None:
    async with shop.baristas() as worker:
        text = (await worker.get("/metrics")).text
    families = dict(re.findall(r"^# TYPE (\S+) (\S+)$", text, re.MULTILINE))
    buckets = {f"{name}_bucket" for name, kind in families.items() if kind == "histogram"}
    named = {name for expression in expressions() for name in NAMES.findall(expression)}
    assert len(named) > 25
    assert named - families.keys() - buckets == set()


async def test_a_scrape_tells_the_processor_time_memory_and_descriptors_of_the_process(
    shop: Shop,
) -> None:
    assert await shop.metric("process_cpu_seconds_total") > 0
    assert await shop.metric("process_resident_memory_bytes") > 10**7
    assert 0 < await shop.metric("process_open_fds") < await shop.metric("process_max_fds")
    assert await shop.metric("process_start_time_seconds") > 10**9


def test_each_alert_has_a_severity_and_says_what_is_wrong_and_what_to_do() -> None:
    rules = [*RULES, *MACHINES_RULES]
    assert len({rule["alert"] for rule in rules}) == len(rules)
    for rule in rules:
        assert rule["labels"]["severity"] in {"page", "ticket"}
        assert all(rule["annotations"][name].endswith(".") for name in ("summary", "description"))


def test_the_panels_of_the_dashboard_have_titles_units_and_places_of_their_own() -> None:
    assert len({panel["id"] for panel in DASHBOARD["panels"]}) == len(DASHBOARD["panels"])
    assert len({panel["title"] for panel in PANELS}) == len(PANELS)
    assert all(panel["fieldConfig"]["defaults"]["unit"] for panel in PANELS)
    taken = [place for panel in DASHBOARD["panels"] for place in places(panel["gridPos"])]
    assert len(set(taken)) == len(taken)


def places(grid: dict[str, Any]) -> Iterator[tuple[int, int]]:
    for x in range(grid["x"], grid["x"] + grid["w"]):
        yield from ((x, y) for y in range(grid["y"], grid["y"] + grid["h"]))


@pytest.mark.parametrize(
    "command",
    [
        ("check", "rules", "alerts.yml", "alerts-machines.yml"),
        ("test", "rules", "alerts_test.yml", "alerts-machines_test.yml"),
    ],
)
def test_promtool_accepts_the_rules(command: tuple[str, ...]) -> None:
    promtool = shutil.which("promtool")
    if promtool is None:
        pytest.skip("promtool is not installed (Debian has it in the package prometheus)")
    done = subprocess.run(
        [promtool, *command], cwd=FOLDER, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stdout + done.stderr


def test_systemd_accepts_the_unit(tmp_path: Path) -> None:
    verify = shutil.which("systemd-analyze")
    if verify is None:
        pytest.skip("systemd-analyze is not installed (Debian has it in the package systemd)")
    unit = (FOLDER / "cafe.service").read_text("utf-8")
    installed = "/opt/cafe/.venv/bin/cafe"
    assert f"ExecStart={installed} serve\n" in unit
    copy = tmp_path / "cafe.service"
    copy.write_text(unit.replace(installed, sys.executable), "utf-8")  # it has to be there
    done = subprocess.run(
        [verify, "verify", "--man=no", str(copy)], capture_output=True, text=True, check=False
    )
    assert (done.returncode, done.stderr) == (0, "")
