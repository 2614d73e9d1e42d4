"""One connection to a real Redis: with a password, and over TLS."""

from __future__ import annotations

import gc
from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path
from urllib.parse import quote

import pytest
import trustme

from cafe.redis import AWAY, connect, open_pool, tls
from tests.machines.redis_server import free_port, running_redis, why_not

PASSWORD = "a:b/c@d é%"


@pytest.fixture(autouse=True)
def needs_redis() -> None:
    """Skip where there is no server."""
    if (reason := why_not()) is not None:
        pytest.skip(reason)


@contextmanager
def running_tls(folder: Path, issued: trustme.LeafCert) -> Generator[str]:
    """Run a server with this certificate; yield its URL with TLS."""
    port = free_port()
    key, chain = folder / "key.pem", folder / "chain.pem"
    issued.private_key_pem.write_to_path(key)
    for part in issued.cert_chain_pems:
        part.write_to_path(chain, append=True)
    files = ("--tls-cert-file", str(chain), "--tls-key-file", str(key))
    with running_redis("--tls-port", str(port), *files, "--tls-auth-clients", "no"):
        yield f"rediss://localhost:{port}/0"


@pytest.fixture
def authority(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Generator[trustme.CA]:
    """Yield an authority that this process trusts meanwhile."""
    authority = trustme.CA()
    file = str(tmp_path / "authority.pem")
    authority.cert_pem.write_to_path(file)
    monkeypatch.setenv("SSL_CERT_FILE", file)
    tls.cache_clear()
    yield authority
    tls.cache_clear()


async def ping(url: str) -> object:
    """Connect, and return what the server answers, or what failed."""
    answer: object
    async with open_pool(url) as pool:
        try:
            connection = await connect(pool)
            (answer,) = await connection.call(("PING",), slices=40)
        except AWAY as error:
            answer = repr((error, error.__cause__))
    gc.collect()  # what coredis has left is this test's
    return answer


async def test_a_password_is_percent_encoded_in_the_url() -> None:
    with running_redis() as server:
        server.command("CONFIG", "SET", "requirepass", PASSWORD)
        name = f"{quote(PASSWORD, safe='')}@localhost:{server.port}"
        assert await ping(f"redis://:{name}/0") == b"PONG"
        assert await ping(f"redis://default:{name}/0") == b"PONG"


async def test_a_call_goes_over_tls_where_the_server_s_certificate_is_trusted(
    authority: trustme.CA, tmp_path: Path
) -> None:
    with running_tls(tmp_path, authority.issue_cert("localhost")) as url:
        assert await ping(url) == b"PONG"


async def test_a_server_with_the_certificate_of_another_host_is_not_called(
    authority: trustme.CA, tmp_path: Path
) -> None:
    with running_tls(tmp_path, authority.issue_cert("other.example")) as url:
        assert "Hostname mismatch" in str(await ping(url))


async def test_a_server_whose_certificate_nobody_trusts_is_not_called(tmp_path: Path) -> None:
    with running_tls(tmp_path, trustme.CA().issue_cert("localhost")) as url:
        assert "certificate verify failed" in str(await ping(url))
