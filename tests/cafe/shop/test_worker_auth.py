"""Who may use the baristas' port, by its mode: what a start needs, and what counts as wrong."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from cafe.limits.rate_limiter import CountLimits, Limits
from cafe.settings import SettingsError, read_settings
from cafe.shop.ports import Access, is_loopback, read_access, read_ports
from tests.cafe.accounts.lobby import Lobby, open_lobby
from tests.cafe.cli.test_serve import fails_with

TOKEN = "open-sesame-4711"


def access(**given: str) -> Access:
    settings = read_settings({"client_bind": "127.0.0.1:0", **given})
    return read_access(settings, read_ports(settings)[1].config)


@pytest.mark.parametrize(
    ("bind", "given", "expected"),
    [
        ("127.0.0.1:0", {}, Access("open")),
        ("[::1]:0", {}, Access("open")),
        ("localhost:0", {}, Access("open")),
        ("127.7.7.7:0", {}, Access("open")),
        ("0.0.0.0:0", {"worker_token": TOKEN}, Access("token", TOKEN)),
        ("127.0.0.1:0", {"worker_token": TOKEN}, Access("token", TOKEN)),
        ("0.0.0.0:0", {"worker_auth": "open"}, Access("open")),
        ("0.0.0.0:0", {"worker_auth": "accounts"}, Access("accounts")),
        ("0.0.0.0:0", {"worker_auth": "open", "worker_token": TOKEN}, Access("open", TOKEN)),
        ("0.0.0.0:0", {"worker_auth": "token", "worker_token": TOKEN}, Access("token", TOKEN)),
        (
            "0.0.0.0:0",
            {"worker_auth": "accounts", "worker_token": TOKEN},
            Access("accounts", TOKEN),
        ),
    ],
)
def test_the_mode_is_what_was_said_or_what_is_safe(
    bind: str,
    given: dict[str, str],
    expected: Access,
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
) -> None:
    monkeypatch.chdir(tmp_path)
    assert access(worker_bind=bind, **given) == expected


@pytest.mark.parametrize("bind", ["0.0.0.0:0", "[::]:0", "192.0.2.1:0", "cafe.example:0"])
def test_a_port_that_others_can_reach_is_not_open_unless_that_is_said(
    bind: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    line = fails_with(capsys, worker_bind=bind)
    assert "CAFE_WORKER_TOKEN" in line
    assert "CAFE_WORKER_AUTH" in line
    assert not Path("cafe.db").exists()


def test_the_mode_token_needs_a_token(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.chdir(tmp_path)
    with pytest.raises(SettingsError, match="CAFE_WORKER_TOKEN"):
        access(worker_bind="127.0.0.1:0", worker_auth="token")


def test_a_mapped_address_is_no_loopback_address() -> None:
    assert not is_loopback("0.0.0.0")
    assert not is_loopback("localhost.example")


async def status(lobby: Lobby, token: str | None, path: str = "/actors") -> int:
    async with lobby.staff(token) as staff:
        return (await staff.get(path)).status_code


async def tokens_of(lobby: Lobby) -> dict[str, str]:
    """Return a token for each role, and those of programs."""
    tokens: dict[str, str] = {}
    for role in ("customer", "barista", "courier", "manager"):
        await lobby.add(f"{role}@example.com", role)
        tokens[role] = (await lobby.sign_in(f"{role}@example.com"))["access_token"]
    async with lobby.manager() as manager:
        for role in ("barista", "manager"):
            wish = {"name": role, "role": role}
            granted = await manager.post("/admin/tokens", json=wish)
            tokens[f"a program, {role}"] = granted.json()["token"]
    return tokens


LET_IN = {
    "barista": 200,
    "manager": 200,
    "a program, barista": 200,
    "a program, manager": 200,
    "customer": 403,
    "courier": 403,
}
"""In each mode, what staff's routes answer to which role."""


@pytest.mark.parametrize(
    ("access", "without", "with_token"),
    [
        (Access("open"), 200, 401),
        (Access("open", TOKEN), 200, 200),
        (Access("token", TOKEN), 401, 200),
        (Access("accounts"), 401, 401),
        (Access("accounts", TOKEN), 401, 401),
    ],
)
async def test_staffs_routes_by_mode(access: Access, without: int, with_token: int) -> None:
    async with open_lobby(access=access) as lobby:
        assert await status(lobby, None) == without
        assert await status(lobby, TOKEN) == with_token
        assert await status(lobby, "garbage") == 401
        for who, token in (await tokens_of(lobby)).items():
            assert await status(lobby, token) == LET_IN[who], who


@pytest.mark.parametrize("access", [Access("open"), Access("token", TOKEN), Access("accounts")])
async def test_managers_routes_need_a_manager_in_each_mode(access: Access) -> None:
    async with open_lobby(access=access) as lobby:
        tokens: dict[str, Any] = await tokens_of(lobby)
        for who, token in {**tokens, "the worker token": TOKEN}.items():
            found = await status(lobby, token, "/admin/users")
            assert (found == 200) is ("manager" in who), who
        without = 403 if access.mode == "open" else 401
        assert await status(lobby, None, "/admin/users") == without


async def test_what_a_proxy_asks_for_is_not_the_ports_business_if_it_is_open() -> None:
    async with open_lobby(access=Access("open")) as lobby, lobby.staff() as staff:
        headers = {"Authorization": "Basic YTpi"}
        assert (await staff.get("/actors", headers=headers)).status_code == 200


@pytest.mark.parametrize("access", [Access("token", TOKEN), Access("accounts")])
async def test_nothing_unknown_gets_past_the_guard_but_public_paths(access: Access) -> None:
    async with open_lobby(access=access) as lobby, lobby.staff() as stranger:
        for path in ("/nothing", "/docs/x", "/metrics", "/auth", "/menu/x", "/%61dmin/users"):
            assert (await stranger.get(path)).status_code == 401, path
        for path in ("/", "/docs", "/docs/", "/openapi.json", "/api/v1/worker/docs"):
            assert (await stranger.get(path)).status_code == 200, path
            assert (await stranger.post(path)).status_code == 401, path
        assert (await stranger.post("/menu")).status_code == 401
        assert (await stranger.get("/menu")).status_code == 404  # accounts alone have none
        assert (await stranger.get("/auth/me")).status_code == 401
        assert (await stranger.get("/api/v1/worker/auth/nothing")).status_code == 404
        assert (await stranger.post("/auth/token", data={})).status_code == 422


@pytest.mark.parametrize("access", [Access("open"), Access("token", TOKEN), Access("accounts")])
@pytest.mark.parametrize("path", ["/actors", "/auth/me"])
async def test_wrong_credentials_are_counted_once_each_and_earn_a_ban(
    access: Access, path: str
) -> None:
    async with open_lobby(access=access, limits=Limits(ban_after=5)) as lobby:
        async with lobby.staff("garbage") as stranger:
            answers = [(await stranger.get(path)).status_code for _ in range(5)]
        assert answers == [401] * 5
        counts = await lobby.limiter.ask(CountLimits())
        assert (counts.refused["credentials"], counts.banned) == (5, 1)


async def test_public_paths_and_customers_are_counted_and_staff_is_not() -> None:
    limits = Limits(worker_requests=5, ban_after=1_000)
    async with open_lobby(access=Access("accounts"), limits=limits) as lobby:
        tokens = await tokens_of(lobby)
        async with lobby.staff(tokens["barista"], "192.0.2.20") as barista:
            assert {(await barista.get("/actors")).status_code for _ in range(20)} == {200}
        async with lobby.staff(tokens["customer"], "192.0.2.21") as customer:
            answers = [(await customer.get("/actors")).status_code for _ in range(6)]
            assert answers == [403] * 5 + [429]
        async with lobby.staff(address="192.0.2.22") as stranger:
            answers = [
                (await stranger.post("/auth/refresh", json={})).status_code for _ in range(6)
            ]
            assert answers == [422] * 5 + [429]


@pytest.mark.parametrize("path", ["/metrics", "/api/v1/worker/metrics"])
async def test_the_worker_token_reads_metrics_also_where_accounts_cannot_be_asked(
    path: str,
) -> None:
    async with open_lobby(access=Access("accounts", TOKEN)) as lobby:
        assert await status(lobby, TOKEN, path) == 200
        assert await status(lobby, TOKEN + "x", path) == 401
        assert await status(lobby, None, path) == 401
    async with open_lobby(access=Access("accounts")) as lobby:
        assert await status(lobby, TOKEN, path) == 401
