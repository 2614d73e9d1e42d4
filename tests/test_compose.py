"""The compose file: what it publishes and passes on, how it restricts what it runs, its profiles.

Rule: facts that no linter checks, because they are promises of this project; the compose-spec
schema checks its syntax in `make check`.
"""

from __future__ import annotations

import re
from ipaddress import ip_address, ip_network
from typing import Any
from urllib.parse import urlsplit

import pytest
import yaml

from cafe.limits.address import parse_networks
from cafe.settings import SECRETS, Settings
from tests.imports import ROOT

PROFILES = {
    "postgres": {"postgres", "upgrade"},
    "proxy": {"proxy"},
    "full": {"postgres", "upgrade", "mail"},
}
OURS = ("cafe", "upgrade")
NO_SETTINGS = {"COMPOSE_PROFILES", "CUSTOMERS_PORT"}


def compose() -> dict[str, Any]:
    """Return the compose file."""
    found: dict[str, Any] = yaml.safe_load((ROOT / "docker-compose.yml").read_text("utf-8"))
    return found


def services() -> dict[str, dict[str, Any]]:
    """Return its services, by name."""
    found: dict[str, dict[str, Any]] = compose()["services"]
    return found


def variables_of(profile: str) -> dict[str, str]:
    """Return the variables in the file that goes with a profile."""
    lines = (ROOT / f"docker-compose.{profile}.env").read_text("utf-8").splitlines()
    return dict(line.split("=", 1) for line in lines if not line.startswith("#"))


def variables_of_the_image() -> dict[str, str]:
    """Return the settings that the image brings; Docker removes those that are set to nothing."""
    text = (ROOT / "Dockerfile").read_text("utf-8")
    return dict(re.findall(r"^ +(CAFE_\w+)=(\S+)", text, re.MULTILINE))


@pytest.mark.parametrize("name", OURS)
def test_each_setting_that_is_set_outside_is_passed_on_and_so_is_the_file_of_each_secret(
    name: str,
) -> None:
    environment = services()[name]["environment"]
    settings = {f"CAFE_{field.upper()}" for field in Settings.model_fields}
    assert environment.keys() == settings | {f"CAFE_{field.upper()}_FILE" for field in SECRETS}
    given = {name: value for name, value in environment.items() if value is not None}
    usual = {"CAFE_WORKER_AUTH": "open", **variables_of_the_image()}
    assert given == {name: f"${{{name}:-{value}}}" for name, value in usual.items()}


def test_the_baristas_port_that_is_open_is_published_on_this_machine_only() -> None:
    published = {name: one["ports"] for name, one in services().items() if "ports" in one}
    assert published == {
        "cafe": ["${CUSTOMERS_PORT:-0.0.0.0:8080}:8080", "127.0.0.1:8081:8081"],
        "proxy": ["0.0.0.0:8000:8000"],
        "mail": ["127.0.0.1:8025:8025"],
    }


@pytest.mark.parametrize("name", [*OURS, "proxy"])
def test_what_strangers_reach_and_what_has_the_database_can_do_nothing_else(name: str) -> None:
    service = services()[name]
    assert service["read_only"] is True
    assert service["cap_drop"] == ["ALL"]
    assert "cap_add" not in service
    assert service["security_opt"] == ["no-new-privileges:true"]
    assert all(":size=" in place for place in service.get("tmpfs", ()))


def test_the_shop_cannot_take_all_of_the_machine() -> None:
    shop = services()["cafe"]
    assert (shop["mem_limit"], shop["pids_limit"]) == ("1g", 128)
    assert shop["ulimits"]["nofile"] == {"soft": 65536, "hard": 65536}


@pytest.mark.parametrize("name", OURS)
def test_a_wrong_setting_does_not_restart_the_shop_for_ever(name: str) -> None:
    assert services()[name]["restart"] == "on-failure:5"
    assert services()[name]["init"] is True


def test_the_shop_has_time_to_close() -> None:
    default: float = Settings.model_fields["closing_seconds"].default
    assert services()["cafe"]["stop_grace_period"] == f"{2 * default:g}s"


@pytest.mark.parametrize("name", services())
def test_no_log_of_a_container_grows_for_ever(name: str) -> None:
    logging = services()[name]["logging"]
    assert logging["driver"] == "json-file"
    assert logging["options"] == {"max-size": "20m", "max-file": "5"}


@pytest.mark.parametrize("profile", PROFILES)
def test_the_file_of_a_profile_names_its_services_and_settings_that_exist(profile: str) -> None:
    variables = variables_of(profile)
    assert variables["COMPOSE_PROFILES"] == profile
    in_profile = {n for n, one in services().items() if profile in one.get("profiles", ())}
    assert in_profile == PROFILES[profile]
    settings = variables.keys() - NO_SETTINGS
    assert settings <= services()["cafe"]["environment"].keys()
    urls = [urlsplit(variables[name]) for name in settings if name.endswith("_URL")]
    assert {url.hostname for url in urls} <= PROFILES[profile]


def test_a_shop_without_a_profile_needs_none_of_their_services() -> None:
    alone = {name for name, one in services().items() if "profiles" not in one}
    assert alone == {"cafe"}
    assert [one["required"] for one in services()["cafe"]["depends_on"].values()] == [False]


def test_the_shop_trusts_the_proxy_s_own_address_and_neither_its_network_nor_the_gateway() -> None:
    variables = variables_of("proxy")
    proxy = services()["proxy"]["networks"]["default"]["ipv4_address"]
    assert variables["CAFE_TRUSTED_PROXIES"] == proxy
    (network,) = parse_networks(variables["CAFE_TRUSTED_PROXIES"])
    assert network.num_addresses == 1
    (subnet,) = compose()["networks"]["default"]["ipam"]["config"]
    assert ip_address(proxy) in ip_network(subnet["subnet"])


def test_with_the_proxy_the_shop_s_own_port_is_published_on_this_machine_only() -> None:
    assert variables_of("proxy")["CUSTOMERS_PORT"] == "127.0.0.1:8080"


def test_the_proxy_runs_the_configuration_that_the_tests_run_and_finds_the_shop() -> None:
    file, place, mode = services()["proxy"]["volumes"][0].split(":")
    assert (file, place, mode) == ("./docs/examples/nginx.conf", "/etc/nginx/nginx.conf", "ro")
    text = (ROOT / file).read_text("utf-8")
    assert re.findall(r"server (\w+):(\d+);", text) == [("cafe", "8080")]
    assert re.findall(r"listen (\d+);", text) == ["8000"]
