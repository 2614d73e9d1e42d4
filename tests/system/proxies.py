"""nginx and HAProxy in front of a real shop, with the configurations of docs/limits.md.

Rule: only addresses, ports, limits on descriptors and the folder differ from the document, which
shows the file that docker-compose.yml runs nginx with. A proxy listens on loopback, and has ended
when the block ends.
"""

from __future__ import annotations

import re
import shutil
import socket
import subprocess
from collections.abc import Generator, Mapping
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from time import monotonic, sleep
from urllib.parse import urlsplit

from tests.system.shop import POLL, TIMEOUT, Shop

LIMITS = Path(__file__).parents[2] / "docs" / "limits.md"
PROXIES = ("nginx", "haproxy")
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
    return shutil.which(name) or shutil.which(f"/usr/sbin/{name}")


@contextmanager
def running_proxy(
    name: str, shop: Shop, folder: Path, changes: Mapping[str, str] | None = None
) -> Generator[Shop]:
    """Run a proxy in front of the customers' port; yield the shop as it is reached through it.

    `changes` are replacements in the document's configuration.
    """
    found = program(name)
    assert found is not None
    port = free_port()
    folder.chmod(0o755)  # nginx's workers run as another user
    file = folder / f"{name}.conf"
    text = configuration(name, port, shop, folder)
    for before, after in (changes or {}).items():
        assert before in text
        text = text.replace(before, after)
    file.write_text(text)
    arguments = {
        "nginx": ("-p", str(folder), "-c", str(file), "-e", "stderr", "-g", main(folder)),
        "haproxy": ("-f", str(file), "-db"),
    }[name]
    with (folder / "log").open("wb") as log:
        process = subprocess.Popen([found, *arguments], stdout=log, stderr=log)
    try:
        wait_until_open(port, process, folder / "log")
        yield replace(shop, client=f"http://127.0.0.1:{port}")
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
