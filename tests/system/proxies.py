"""nginx and HAProxy in front of a real shop, with the configurations that the documents show.

Rule: only addresses, ports, limits on descriptors and the folder differ from docs/limits.md, which
shows the file that docker-compose.yml runs nginx with, and from docs/examples/haproxy.cfg, with
which it balances between fronts. A proxy listens on loopback, and has ended when the block ends.
"""

from __future__ import annotations

import re
import shutil
import socket
import subprocess
from collections.abc import Generator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from time import monotonic, sleep
from urllib.parse import urlsplit

from tests.system.shop import Shop
from tests.system.until import POLL, TIMEOUT

DOCS = Path(__file__).parents[2] / "docs"
LIMITS = DOCS / "limits.md"
BALANCER = DOCS / "examples" / "haproxy.cfg"
MACHINES = "machines"
PROXIES = ("nginx", "haproxy", MACHINES)
"""The last is HAProxy as it balances between fronts, on both ports."""
OPEN_FILES = "worker_rlimit_nofile 65536;"
"""Left out: more than a container may have, and a test needs few."""
NGINX_PLACES = """
    access_log off;
    client_body_temp_path {folder}/body;
    proxy_temp_path {folder}/proxy;
    fastcgi_temp_path {folder}/fastcgi;
    uwsgi_temp_path {folder}/uwsgi;
    scgi_temp_path {folder}/scgi;
"""


def program(name: str) -> str | None:
    """Return the path of a proxy, on PATH or where Debian installs it; None if there is none."""
    name = "haproxy" if name == MACHINES else name
    return shutil.which(name) or shutil.which(f"/usr/sbin/{name}")


@contextmanager
def running_proxy(
    name: str, shop: Shop, folder: Path, changes: Mapping[str, str] | None = None
) -> Generator[Shop]:
    """Run a proxy in front of the customers' port; yield the shop as it is reached through it.

    `changes` are replacements in the document's configuration.
    """
    if name == MACHINES:
        with running_balancer([shop, shop], folder, changes) as balanced:
            yield balanced
        return
    port = free_port()
    folder.chmod(0o755)  # nginx's workers run as another user
    text = changed(configuration(name, port, shop, folder), changes or {})
    with running(name, text, [port], folder):
        yield replace(shop, client=f"http://127.0.0.1:{port}")


@contextmanager
def running_balancer(
    fronts: Sequence[Shop], folder: Path, changes: Mapping[str, str] | None = None
) -> Generator[Shop]:
    """Balance between two fronts, on both ports; yield the first as it is reached through it."""
    ports = free_port(), free_port()
    text = changed(configuration_of_balancer(fronts, ports), changes or {})
    with running(MACHINES, text, ports, folder):
        client, worker = (f"http://127.0.0.1:{port}" for port in ports)
        yield replace(fronts[0], client=client, worker=worker)


def changed(text: str, changes: Mapping[str, str]) -> str:
    """Return a configuration with these replacements, each of which it has."""
    for before, after in changes.items():
        assert before in text
        text = text.replace(before, after)
    return text


@contextmanager
def running(name: str, text: str, ports: Sequence[int], folder: Path) -> Generator[None]:
    """Run a proxy with this configuration during the block, which begins once it listens."""
    found = program(name)
    assert found is not None
    file = folder / f"{name}.conf"
    file.write_text(text)
    arguments = {
        "nginx": ("-p", str(folder), "-c", str(file), "-e", "stderr", "-g", main(folder)),
    }.get(name, ("-f", str(file), "-db"))
    with (folder / "log").open("wb") as log:
        process = subprocess.Popen([found, *arguments], stdout=log, stderr=log)
    try:
        for port in ports:
            wait_until_open(port, process, folder / "log")
        yield
    finally:
        process.terminate()
        process.wait(TIMEOUT)


def main(folder: Path) -> str:
    """Return nginx's directives for running in the foreground in a folder."""
    return f"daemon off; pid {folder}/pid;"


def configuration(name: str, port: int, shop: Shop, folder: Path) -> str:
    """Return the configuration in the document, with the test's own addresses."""
    block = re.compile(rf"^```{name}\n(.*?)^```$", re.MULTILINE | re.DOTALL)
    (text,) = block.findall(LIMITS.read_text("utf-8"))
    assert isinstance(text, str)
    for before, after in (
        ("server cafe:8080;", f"server {urlsplit(shop.client).netloc};"),  # nginx's
        ("127.0.0.1:8080", urlsplit(shop.client).netloc),
        ("listen 8000;", f"listen 127.0.0.1:{port};"),
        ("bind :8000", f"bind 127.0.0.1:{port}"),
        (OPEN_FILES, ""),
        ("worker_connections 32768", "worker_connections 512"),
        ("maxconn 32768", "maxconn 500"),
        ("http {\n", "http {\n" + NGINX_PLACES.format(folder=folder)),
    ):
        text = text.replace(before, after)
    return text


def configuration_of_balancer(fronts: Sequence[Shop], ports: tuple[int, int]) -> str:
    """Return the configuration that balances between two fronts, with the test's own addresses."""
    text = BALANCER.read_text("utf-8")
    places = {
        f" front-{number}:{port}": f" {urlsplit(url).netloc}"
        for number, one in enumerate(fronts, 1)
        for port, url in ((8080, one.client), (8081, one.worker))
    }
    ours = {
        "bind :8080": f"bind 127.0.0.1:{ports[0]}",
        "bind :8081": f"bind 127.0.0.1:{ports[1]}",
    }
    return changed(text, {**places, **ours})


def free_port() -> int:
    """Return a port that is free."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        return int(server.getsockname()[1])


def wait_until_open(port: int, process: subprocess.Popen[bytes], log: Path) -> None:
    """Wait until the proxy accepts connections."""
    end = monotonic() + TIMEOUT
    while monotonic() < end and process.poll() is None:
        try:
            socket.create_connection(("127.0.0.1", port)).close()
        except OSError:
            sleep(POLL)
        else:
            return
    raise AssertionError(f"the proxy does not run: {log.read_text('utf-8')}")
