"""Runs docker-compose.yml by Docker, each profile, and the commands of docs/operating.md in it.

Rule: as operators do, through the published ports. What a check promises is its name; it prints a
line for each, and ends with exit code 1 at the first broken promise.
"""

from __future__ import annotations

import os
import re
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

from tests.image.check import ask, expect
from tests.image.engine import CheckFailedError, say
from tests.image.project import CUSTOMERS, Compose, docker_is_here, wait_for
from tests.imports import ROOT

WORKERS = "http://127.0.0.1:8081"
PROXY, MAIL = "http://127.0.0.1:8000", "http://127.0.0.1:8025"
CUSTOMER = "import urllib.request as u; u.urlopen('http://proxy:8000/queue/', timeout=5)"
"""Of the address 172.30.80.8; the proxy has 172.30.80.9."""


def one_order(customers: str = CUSTOMERS) -> str:
    """Return the id of an order that is placed, started and finished."""
    order: str = ask(f"{customers}/order/", {"name": "Ada"}, Prefer="respond-async")["order_id"]
    expect(ask(f"{WORKERS}/start/?barista=Bo")["order_id"] == order, "another order was started")
    expect(ask(f"{WORKERS}/finish/", {"order_id": order})["status"] == "ready", "it is not ready")
    return order


def is_kept(order: str) -> None:
    """Raise CheckFailedError unless the shop still has an order as ready."""
    wait_for(f"{CUSTOMERS}/readyz")
    expect(ask(f"{CUSTOMERS}/order/{order}")["status"] == "ready", "the order is not kept")


def commands_of_the_page(first: str) -> list[str]:
    """Return the lines of the block in docs/operating.md that begins with these words."""
    page = (ROOT / "docs/operating.md").read_text("utf-8")
    (block,) = re.findall(rf"```sh\n({re.escape(first)}.*?)```", page, re.DOTALL)
    return [line.partition("   #")[0] for line in block.splitlines() if line]


def the_shop_alone_keeps_its_orders_and_its_commands_work(compose: Compose) -> str:
    with compose.up():
        order = one_order()
        report = compose.type("docker compose exec cafe cafe report")
        expect(re.search(r"orders +1\b", report), report)
        for first in ("docker compose exec cafe", "docker compose stop cafe\ndocker compose run"):
            for line in commands_of_the_page(first):
                compose.type(line)
            is_kept(order)
        seconds = compose.stop()
        compose("down")
        compose.start("")
        is_kept(order)
    return f"stopped in {seconds:.1f} s; backup and restore as in docs/operating.md"


def with_postgresql_orders_survive_its_restart_and_its_commands_work(compose: Compose) -> str:
    with compose.up("postgres"):
        order = one_order()
        compose("restart", "postgres", profile="postgres")
        is_kept(order)
        is_kept(one_order())
        for line in commands_of_the_page("docker compose exec -T postgres"):
            compose.type(line, "postgres")
        is_kept(order)
        seconds = compose.stop("postgres")
        compose("down", profile="postgres")
        compose.start("postgres")
        is_kept(order)
    return f"stopped in {seconds:.1f} s; pg_dump and pg_restore as in docs/operating.md"


def behind_the_proxy_the_shop_sees_the_customer_s_address(compose: Compose) -> str:
    with compose.up("proxy"):
        wait_for(f"{PROXY}/queue/")
        is_kept(one_order(PROXY))
        compose("exec", "-T", "cafe", "python", "-c", CUSTOMER, profile="proxy")
        log = compose("logs", "cafe", profile="proxy")
    found = re.findall(r'"route":"/queue".*?"address":"([^"]+)"', log)
    expect(found and found[-1] == "172.30.80.8", f"{found}")
    expect("172.30.80.9" not in found, f"the proxy's own: {found}")
    return "of a customer in the network"


def with_all_of_it_a_letter_arrives(compose: Compose) -> str:
    with compose.up("full"):
        one_order()
        grant = ("tokens", "add", "desk", "--role", "manager")
        said = compose("exec", "-T", "cafe", "cafe", *grant, profile="full")
        token = re.findall(r"^(cafe_\S+)\s*$", said, re.MULTILINE)[0]
        table = ask(
            f"{WORKERS}/admin/tables",
            {"type": "cabin", "seats": 4},
            Authorization=f"Bearer {token}",
        )
        times = [
            time.strftime("%Y-%m-%dT%H:00:00Z", time.gmtime(time.time() + 86_400 + hours * 3_600))
            for hours in (0, 2)
        ]
        wish = {"table_id": table["table_id"], "from": times[0], "to": times[1], "party": 2}
        ask(f"{CUSTOMERS}/bookings", {**wish, "email": "ada@example.com"})
        deadline = time.monotonic() + 20.0
        while not (letters := wait_for(f"{MAIL}/api/v1/messages")["messages"]):
            expect(time.monotonic() < deadline, "no letter came")
            time.sleep(0.2)
    return f"{letters[0]['Subject']}"


def on_machines_orders_go_on_where_a_house_or_a_front_is_killed(compose: Compose) -> str:
    queue = f"{CUSTOMERS}/queue/"  # the balancer answers no customer's /readyz

    def served_order() -> str:
        wait_for(queue)
        wait_for(f"{WORKERS}/readyz")  # the balancer looks at each port of a front by itself
        return one_order()

    with compose.up("machines", queue):
        orders = [served_order()]
        for name in ("house-1", "house-2", "front-1"):
            compose("kill", "--signal=KILL", name, profile="machines")
            orders.append(served_order())
            compose("up", "--detach", name, profile="machines")
            orders.append(served_order())
        kept = {ask(f"{CUSTOMERS}/order/{order}")["status"] for order in orders}
        expect(kept == {"ready"}, f"{kept}")
        compose("exec", "-T", "house-1", "cafe", "db", "check", profile="machines")
    return f"{len(orders)} orders, and cafe db check is clean"


CHECKS: tuple[Callable[[Compose], str], ...] = (
    the_shop_alone_keeps_its_orders_and_its_commands_work,
    with_postgresql_orders_survive_its_restart_and_its_commands_work,
    behind_the_proxy_the_shop_sees_the_customer_s_address,
    with_all_of_it_a_letter_arrives,
    on_machines_orders_go_on_where_a_house_or_a_front_is_killed,
)


def main() -> int:
    """Run all checks; return the exit code."""
    for name in [name for name in os.environ if name.startswith("CAFE_")]:
        del os.environ[name]  # the project's files say what is set
    if not docker_is_here():
        say("SKIPPED  docker-compose.yml: no Docker daemon answers, or it has no `docker compose`")
        return 0
    with tempfile.TemporaryDirectory() as folder:
        compose = Compose(Path(folder))
        try:
            compose.prepare()
            for check in CHECKS:
                say(f"OK  {check.__name__.replace('_', ' ')}: {check(compose)}")
        except CheckFailedError as error:
            say(f"FAILED  {error}")
            return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
