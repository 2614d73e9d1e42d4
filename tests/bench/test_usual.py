"""The peer made the usual way keeps its promises, so that beating it means something."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from http.client import HTTPConnection
from pathlib import Path

from bench.processes import rush, serving, usual

ORDERS = 60


def get(port: int, path: str) -> tuple[int, str]:
    connection = HTTPConnection("127.0.0.1", port, timeout=10)
    with closing(connection):
        connection.request("GET", path)
        answer = connection.getresponse()
        return answer.status, answer.read().decode()


def test_the_usual_peer_brews_every_order_once_and_has_it_on_disk(tmp_path: Path) -> None:
    file, log = tmp_path / "usual.db", tmp_path / "access.log"
    with log.open("w") as errors, serving(usual(file), errors) as server:
        result = rush(server, orders=ORDERS, customers=20, baristas=5)
        _, metrics = get(server.worker_port, "/metrics")
    with closing(sqlite3.connect(file)) as connection:
        rows = connection.execute("SELECT status, count(*) FROM orders GROUP BY status").fetchall()
        mode = connection.execute("PRAGMA journal_mode").fetchone()
    assert result.orders >= ORDERS
    assert (rows, mode) == ([("ready", result.orders)], ("wal",))
    counted = f'requests_total{{method="POST",route="/order/",status="200"}} {result.orders}.0'
    assert counted in metrics
    assert log.read_text().count('"POST /order/ HTTP/1.1" 200') == result.orders


def test_the_usual_peer_answers_204_while_no_order_waits(tmp_path: Path) -> None:
    with serving(usual(tmp_path / "usual.db")) as server:
        assert get(server.worker_port, "/start/") == (204, "")
