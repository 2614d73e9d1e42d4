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
    "machines": {
        *("postgres", "upgrade", "redis", "balancer"),
        *("house-1", "house-2", "front-1", "front-2"),
    },
}
OURS = ("cafe", "upgrade")
HOUSES, FRONTS = ("house-1", "house-2"), ("front-1", "front-2")
OF_MACHINES = (*HOUSES, *FRONTS)
NO_SETTINGS = {"COMPOSE_PROFILES", "CUSTOMERS_PORT", "ALL_IN_ONE"}
HOUSE_PORT = 8082
HOUSE_BIND = f"0.0.0.0:{HOUSE_PORT}"
BUS = {"CAFE_BUS", "CAFE_BUS_FILE"}
DATABASE = {"CAFE_DATABASE_URL", "CAFE_DATABASE_URL_FILE"}
OTHERS_SETTINGS = {
    "cafe": {*BUS, "CAFE_HOUSE_BIND", "CAFE_SHOPS"},
    "upgrade": {*BUS, "CAFE_HOUSE_BIND", "CAFE_SHOPS"},
    "house": {"CAFE_SHOPS"},
    "front": {*DATABASE, "CAFE_HOUSE_BIND"},
}
"""What a service has no use for. A front, which strangers reach, does not even have a database."""


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


@pytest.mark.parametrize("name", [*OURS, *OF_MACHINES])
def test_each_setting_that_is_set_outside_is_passed_on_and_so_is_the_file_of_each_secret(
    name: str,
) -> None:
    environment = services()[name]["environment"]
    settings = {f"CAFE_{field.upper()}" for field in Settings.model_fields}
    settings |= {f"CAFE_{field.upper()}_FILE" for field in SECRETS}
    assert environment.keys() == settings - OTHERS_SETTINGS[name.partition("-")[0]]
    given = {name: value for name, value in environment.items() if value is not None}
    usual = {"CAFE_WORKER_AUTH": "open", **variables_of_the_image()}
    ours = {name: f"${{{name}:-{value}}}" for name, value in usual.items()}
    assert given == ours | ({"CAFE_HOUSE_BIND": HOUSE_BIND} if name in HOUSES else {})


def test_the_baristas_port_that_is_open_is_published_on_this_machine_only() -> None:
    published = {name: one["ports"] for name, one in services().items() if "ports" in one}
    assert published == {
        "cafe": ["${CUSTOMERS_PORT:-0.0.0.0:8080}:8080", "127.0.0.1:8081:8081"],
        "proxy": ["0.0.0.0:8000:8000"],
        "balancer": ["${CUSTOMERS_PORT:-0.0.0.0:8080}:8080", "127.0.0.1:8081:8081"],
        "mail": ["127.0.0.1:8025:8025"],
    }


@pytest.mark.parametrize("name", [*OURS, *OF_MACHINES, "proxy", "balancer", "redis"])
def test_what_strangers_reach_and_what_has_the_database_can_do_nothing_else(name: str) -> None:
    service = services()[name]
    assert service["read_only"] is True
    assert service["cap_drop"] == ["ALL"]
    assert "cap_add" not in service
    assert service["security_opt"] == ["no-new-privileges:true"]
    assert all(":size=" in place for place in service.get("tmpfs", ()))


@pytest.mark.parametrize("name", ["cafe", *OF_MACHINES])
def test_the_shop_cannot_take_all_of_the_machine(name: str) -> None:
    shop = services()[name]
    assert (shop["mem_limit"], shop["pids_limit"]) == ("1g", 128)


@pytest.mark.parametrize("name", ["cafe", *FRONTS, "proxy", "balancer"])
def test_who_has_customers_waiting_has_descriptors_for_them(name: str) -> None:
    assert services()[name]["ulimits"]["nofile"] == {"soft": 65536, "hard": 65536}


@pytest.mark.parametrize("name", OURS)
def test_a_wrong_setting_does_not_restart_the_shop_for_ever(name: str) -> None:
    assert services()[name]["restart"] == "on-failure:5"
    assert services()[name]["init"] is True


@pytest.mark.parametrize("name", ["cafe", *OF_MACHINES])
def test_the_shop_has_time_to_close(name: str) -> None:
    default: float = Settings.model_fields["closing_seconds"].default
    assert services()[name]["stop_grace_period"] == f"{2 * default:g}s"


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
    taken = {name for one in ("cafe", *OF_MACHINES) for name in services()[one]["environment"]}
    assert settings <= taken
    urls = [urlsplit(variables[name]) for name in settings if name.endswith(("_URL", "_BUS"))]
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


def test_the_machines_take_the_place_of_the_shop_in_one_process() -> None:
    assert services()["cafe"]["scale"] == "${ALL_IN_ONE:-1}"
    assert variables_of("machines")["ALL_IN_ONE"] == "0"


def test_two_houses_and_two_fronts_are_the_same_but_for_their_names() -> None:
    ours = services()
    assert ours["house-1"] == ours["house-2"]
    assert ours["front-1"] == ours["front-2"]
    assert {*ours["front-1"]["command"], *ours["house-1"]["command"]} == {"front", "house"}


@pytest.mark.parametrize("name", FRONTS)
def test_a_front_has_the_bus_and_no_database(name: str) -> None:
    environment = services()[name]["environment"].keys()
    assert environment >= BUS
    assert not environment & DATABASE
    assert "volumes" not in services()[name]


@pytest.mark.parametrize("name", HOUSES)
def test_a_house_has_both_and_is_asked_for_its_health_where_it_answers(name: str) -> None:
    house = services()[name]
    assert house["environment"].keys() >= BUS | DATABASE
    assert house["environment"]["CAFE_HOUSE_BIND"] == HOUSE_BIND
    assert f"CAFE_CLIENT_BIND=127.0.0.1:{HOUSE_PORT}" in house["healthcheck"]["test"]
    assert "ports" not in house


@pytest.mark.parametrize("name", OF_MACHINES)
def test_a_machine_that_has_ended_comes_back_however_often(name: str) -> None:
    assert services()[name]["restart"] == "unless-stopped"


def test_redis_keeps_nothing_has_a_bound_evicts_nothing_and_asks_for_the_password_of_the_bus() -> (
    None
):
    redis = services()["redis"]
    words = redis["command"]
    options = dict(zip(words[1::2], words[2::2], strict=True))
    assert (options["--save"], options["--appendonly"]) == ("", "no")
    assert (options["--maxmemory"], options["--maxmemory-policy"]) == ("256mb", "noeviction")
    password = urlsplit(variables_of("machines")["CAFE_BUS"]).password
    assert options["--requirepass"] == password == redis["environment"]["REDISCLI_AUTH"]
    assert "ports" not in redis
    assert "volumes" not in redis


def test_the_fronts_trust_the_balancer_s_own_address_which_no_other_service_can_get() -> None:
    balancer = services()["balancer"]["networks"]["default"]["ipv4_address"]
    assert variables_of("machines")["CAFE_TRUSTED_PROXIES"] == balancer
    (subnet,) = compose()["networks"]["default"]["ipam"]["config"]
    others = ip_network(subnet["ip_range"])
    fixed = [
        ip_address(one["networks"]["default"]["ipv4_address"])
        for one in services().values()
        if "networks" in one
    ]
    assert len(set(fixed)) == len(fixed) == 3
    assert all(one in ip_network(subnet["subnet"]) and one not in others for one in fixed)
    assert ip_address(subnet["gateway"]) not in {*fixed, *others}


def test_the_balancer_runs_the_configuration_that_the_tests_run_and_finds_both_fronts() -> None:
    balancer = services()["balancer"]
    (volume,) = balancer["volumes"]
    file, place, mode = volume.split(":")
    assert (file, mode) == ("./docs/examples/haproxy.cfg", "ro")
    assert place in balancer["command"]
    text = (ROOT / file).read_text("utf-8")
    assert re.findall(r"server (\S+) (\S+):(\d+)$", text, re.MULTILINE) == [
        (name, name, port) for port in ("8080", "8081") for name in FRONTS
    ]
    assert re.findall(r"bind :(\d+)", text) == ["8080", "8081"]


def test_a_customer_of_the_balancer_may_wait_for_more_than_an_hour() -> None:
    text = (ROOT / "docs/examples/haproxy.cfg").read_text("utf-8")
    waits = dict(re.findall(r"timeout (client|server|tunnel) (\d+)m", text))
    assert waits.keys() == {"client", "server", "tunnel"}
    assert all(int(minutes) > 60 for minutes in waits.values())
