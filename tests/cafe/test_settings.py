"""The settings: variables and options, and the error when one is wrong."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from pydantic import SecretStr, ValidationError

from cafe.setting_types import parse_hosts, parse_origins, parse_sender
from cafe.settings import (
    Settings,
    SettingsError,
    option_name,
    read_settings,
    unknown_variables,
)

TOKEN = "open-sesame-4711"
"""The shortest valid token."""
DEFAULTS: dict[str, object] = {
    "client_bind": None,
    "worker_bind": None,
    "client_config": None,
    "worker_config": None,
    "log_format": "auto",
    "lease_seconds": 180,
    "max_waiting": 10_000,
    "limit_requests": 600,
    "limit_window_seconds": 10,
    "limit_waiting": 400,
    "limit_connections": 1200,
    "worker_limit_requests": 6000,
    "ban_after": 400,
    "ban_seconds": 60,
    "trusted_proxies": "",
    "worker_token": None,
    "worker_auth": None,
    "worker_hosts": "",
    "database_url": SecretStr("sqlite:///cafe.db"),
    "shop": None,
    "bus": None,
    "shops": "",
    "house_bind": "127.0.0.1:8082",
    "jwt_secret": None,
    "payment_url": None,
    "refund_url": None,
    "notification_url": None,
    "notification_secret": None,
    "autopilot": None,
    "delivery_lease_seconds": 900,
    "time_zone": "UTC",
    "booking_notice_minutes": 60,
    "booking_days_ahead": 90,
    "booking_max_hours": 8,
    "booking_webhook": None,
    "smtp_url": None,
    "mail_from": "cafe@localhost",
    "mail_dir": Path("mail"),
    "public_url": "http://localhost:8080",
    "cors_origins": "",
    "frame_ancestors": "",
    "compat": "cafe,functech,courier-service,restaurant-booking,coffee-shop",
    "env": "development",
    "closing_seconds": 5,
    "keep_days": 400,
    "key_ttl_seconds": 86_400,
}


@pytest.fixture(autouse=True)
def _no_variables(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in os.environ:
        if name.upper().startswith("CAFE_"):
            monkeypatch.delenv(name)


def test_the_defaults_are_as_documented() -> None:
    assert read_settings({}).model_dump() == DEFAULTS


def test_an_option_takes_precedence_over_a_variable(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CAFE_LEASE_SECONDS", "90.5")
    monkeypatch.setenv("CAFE_MAX_WAITING", "7")
    settings = read_settings({"max_waiting": "9", "lease_seconds": None})
    assert (settings.lease_seconds, settings.max_waiting) == (90.5, 9)


def test_the_name_of_a_variable_may_be_in_lower_case(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("cafe_lease_seconds", "90")
    assert read_settings({}).lease_seconds == 90


def test_settings_are_frozen() -> None:
    with pytest.raises(ValidationError):
        read_settings({}).lease_seconds = 1  # pyright: ignore[reportAttributeAccessIssue] - the test assigns on purpose


def test_all_errors_are_in_one_line(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CAFE_BAN_AFTER", "0")
    with pytest.raises(SettingsError) as wrong:
        read_settings({"log_format": "xml", "trusted_proxies": "here"})
    assert str(wrong.value) == (
        "--log-format: input should be 'auto', 'console' or 'json', not 'xml'; "
        "CAFE_BAN_AFTER: input should be greater than or equal to 1, not '0'; "
        "--trusted-proxies: 'here' is not a network like 10.0.0.0/8 or 2001:db8::/32: "
        "'here' does not appear to be an IPv4 or IPv6 network"
    )


def test_a_secret_is_never_shown(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CAFE_WORKER_TOKEN", "4711")
    with pytest.raises(SettingsError, match=r"^CAFE_WORKER_TOKEN: (?!.*4711)"):
        read_settings({})
    settings = read_settings({"worker_token": TOKEN})
    assert TOKEN not in repr(settings)
    assert settings.worker_token is not None
    assert settings.worker_token.get_secret_value() == TOKEN


@pytest.mark.parametrize(("name", "scheme"), [("smtp_url", "smtp"), ("bus", "redis")])
@pytest.mark.parametrize(
    "rest",
    [
        "ada:[s3cret]@server.example",
        "ada:s3\u2100cret@server.example",
        "ada:s3cret/@server.example",
        "ada@server.example:s3cret",
    ],
)
def test_a_password_is_not_shown_where_a_servers_url_is_wrong(
    name: str, scheme: str, rest: str
) -> None:
    option = name.replace("_", "-")
    with pytest.raises(SettingsError, match=rf"^--{option}: (?!.*cret)"):
        read_settings({name: f"{scheme}://{rest}"})


def test_host_names_are_parsed_in_lower_case_without_a_final_dot() -> None:
    names = read_settings({"worker_hosts": " Cafe, kasse.cafe.example. ,,my_service"}).worker_hosts
    assert parse_hosts(names) == {"cafe", "kasse.cafe.example", "my_service"}
    assert parse_hosts("") == frozenset()


@pytest.mark.parametrize(
    "name", ["http://cafe", "cafe:8081", "*.example", "a b", "caf\u00e9", "[::1]", "a..b"]
)
def test_what_is_not_a_host_name_is_an_error_of_one_line(name: str) -> None:
    with pytest.raises(SettingsError) as wrong:
        read_settings({"worker_hosts": f"cafe.example, {name}"})
    shown = name.removesuffix(".")
    expected = f"--worker-hosts: {shown!r} is not a host name like cafe.example"
    assert str(wrong.value) == expected


def test_origins_are_parsed_as_browsers_send_them() -> None:
    given = " https://Cafe.example, ,http://localhost:3000,https://a:443,http://b:80,http://[::1]"
    assert parse_origins(read_settings({"cors_origins": given}).cors_origins) == {
        "https://cafe.example",
        "http://localhost:3000",
        "https://a",
        "http://b",
        "http://[::1]",
    }
    assert parse_origins("") == frozenset()


@pytest.mark.parametrize(
    "origin", ["cafe.example", "https://cafe.example/", "null", "https://*.example", "ftp://a"]
)
def test_what_is_not_an_origin_is_an_error_of_one_line(origin: str) -> None:
    with pytest.raises(SettingsError) as wrong:
        read_settings({"cors_origins": f"https://a, {origin}"})
    expected = f"--cors-origins: {origin!r} is not an origin like https://cafe.example"
    assert str(wrong.value) == expected


@pytest.mark.parametrize("origins", ["*", "https://cafe.example, *"])
def test_every_origin_at_once_is_refused(origins: str) -> None:
    with pytest.raises(SettingsError, match="list the origins"):
        read_settings({"cors_origins": origins})


@pytest.mark.parametrize("port", ["99999", "-1", "x"])
def test_a_provider_s_port_is_a_number_that_a_port_can_have(port: str) -> None:
    with pytest.raises(SettingsError, match="--payment-url: "):
        read_settings({"payment_url": f"http://pay.example:{port}/charges"})


@pytest.mark.parametrize(
    "token", ["", "x", TOKEN[:-1], 16 * " ", f" {TOKEN}", f"{TOKEN}\n", f"{TOKEN}\0{TOKEN}"]
)
def test_a_token_that_is_short_or_cannot_be_sent_is_refused(token: str) -> None:
    with pytest.raises(SettingsError) as wrong:
        read_settings({"worker_token": token})
    assert str(wrong.value) == (
        "--worker-token: a token has 16 printable characters or more, and no space around them"
    )


def test_a_token_may_have_any_printable_characters() -> None:
    for token in (TOKEN, f"caf\u00e9 {TOKEN}", 400 * "x"):
        assert read_settings({"worker_token": token}).worker_token == SecretStr(token)


def test_a_database_s_password_is_never_shown() -> None:
    with pytest.raises(SettingsError, match=r"^--database-url: [^']+$"):
        read_settings({"database_url": ""})
    settings = read_settings({"database_url": "postgresql+psycopg://cafe:open-sesame@here/cafe"})
    assert "open-sesame" not in f"{settings!r} {settings} {settings.model_dump_json()}"
    assert settings.database_url.get_secret_value().endswith(":open-sesame@here/cafe")


@pytest.mark.parametrize("shop", ["", "Bar", "7th", "a-b", "a;b", "a" * 32, "bar\n"])
def test_a_shop_s_name_is_one_that_a_schema_can_have(shop: str) -> None:
    with pytest.raises(SettingsError, match=r"^--shop: .* is no name of a shop: a letter, then "):
        read_settings({"shop": shop})


@pytest.mark.parametrize(
    ("url", "ledger"),
    [
        ("postgresql+psycopg://u:p%40?s@h/db", "postgresql+psycopg://u:p%40%3Fs@h/db?shop=bar"),
        ("postgresql+psycopg:///db?host=/run", "postgresql+psycopg:///db?host=%2Frun&shop=bar"),
        ("sqlite:///cafe.db", "sqlite:///cafe.db?shop=bar"),
        ("no url", "no url"),
    ],
)
def test_a_shop_s_name_is_in_the_query_of_its_ledger_s_url(url: str, ledger: str) -> None:
    assert read_settings({"database_url": url, "shop": "bar"}).ledger_url == ledger
    assert read_settings({"database_url": url}).ledger_url == url


@pytest.mark.parametrize(
    ("name", "said"),
    [
        ("CAFE_LEASE_SECOND", "; did you mean CAFE_LEASE_SECONDS?"),
        ("CAFE_LIMITS_WAITING", "; did you mean CAFE_LIMIT_WAITING?"),
        ("CAFE_FOO", ""),
        ("CAFE_XYZZY_QUX", ""),
    ],
)
def test_an_unknown_variable_is_reported_with_the_nearest_name(name: str, said: str) -> None:
    environ = {name: "1", "CAFE_LEASE_SECONDS": "9", "PATH": "", "MYCAFE_X": ""}
    assert unknown_variables(environ) == [f"{name} is no setting of the café{said}"]


@pytest.mark.parametrize(
    ("given", "name", "address"),
    [
        ("cafe@localhost", "", "cafe@localhost"),
        ("Café Zoë <cafe@cafe.example>", "Café Zoë", "cafe@cafe.example"),
        ("<cafe@cafe.example>", "", "cafe@cafe.example"),
    ],
)
def test_a_sender_is_an_address_with_a_name_or_without(given: str, name: str, address: str) -> None:
    sender = parse_sender(read_settings({"mail_from": given}).mail_from)
    assert (sender.display_name, sender.addr_spec) == (name, address)


@pytest.mark.parametrize(
    "sender",
    [
        "cafe",
        "cafe@",
        "@cafe.example",
        "a@b, c@d",
        "a@b\nBcc: c@d",
        "ü@x.org",
        "a@ü.org",
        "a@b <c",
        "a@b\0",
    ],
)
def test_what_is_no_sender_is_an_error_of_one_line(sender: str) -> None:
    with pytest.raises(SettingsError, match=r"^--mail-from: a sender") as error:
        read_settings({"mail_from": sender})
    assert "\n" not in str(error.value)


def test_every_setting_has_a_description_and_an_option() -> None:
    assert all(field.description for field in Settings.model_fields.values())
    assert option_name("lease_seconds") == "--lease-seconds"
