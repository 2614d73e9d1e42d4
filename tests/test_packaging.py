"""What installs and packages the shop: the locks, the Makefile, the image, the compose file.

Rule: facts that no linter checks, because they are promises of this project. The files are read as
text; hadolint and the compose-spec schema check their syntax in `make check`.
"""

from __future__ import annotations

import json
import re
import tomllib
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest
import yaml
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name
from packaging.version import Version

from cafe.settings import Settings

ROOT = Path(__file__).parent.parent
LOCKS = ("requirements.lock", "requirements-image.lock", "requirements-build.lock")


def text_of(name: str) -> str:
    return (ROOT / name).read_text(encoding="utf-8")


def pins_of(lock: str) -> dict[str, Version]:
    pins = re.findall(r"^([\w.-]+)==([^\s;]+)", text_of(lock), flags=re.MULTILINE)
    return {canonicalize_name(name): Version(version) for name, version in pins}


def project(folder: str = ".") -> dict[str, Any]:
    return tomllib.loads(text_of(f"{folder}/pyproject.toml"))


def requirements(*groups: str) -> list[Requirement]:
    """Read the dependencies of the server, the toolkit and the named groups.

    Without what a group includes, and without the toolkit itself, which comes from no index.
    """
    lists = [
        project()["project"]["dependencies"],
        project("actors")["project"]["dependencies"],
        *(project()["dependency-groups"][g] for g in groups),
    ]
    found = [Requirement(line) for lines in lists for line in lines if isinstance(line, str)]
    return [one for one in found if one.name != project("actors")["project"]["name"]]


def test_the_server_needs_the_toolkit_of_its_own_version() -> None:
    toolkit = project("actors")["project"]
    assert project()["project"]["version"] == toolkit["version"]
    assert f"{toolkit['name']}=={toolkit['version']}" in project()["project"]["dependencies"]


def test_the_toolkit_asks_for_what_the_server_asks_for() -> None:
    toolkit = project("actors")["project"]
    extras = [line for lines in toolkit["optional-dependencies"].values() for line in lines]
    wanted = {str(Requirement(line)) for line in (*toolkit["dependencies"], *extras)}
    assert wanted <= {str(one) for one in requirements("dev")}
    assert toolkit["requires-python"] == project()["project"]["requires-python"]
    assert text_of("actors/LICENSE") == text_of("LICENSE")


def unmet(wanted: list[Requirement], pins: dict[str, Version]) -> list[str]:
    """List what a lock lacks or pins to a version that pyproject.toml does not allow."""
    return [
        str(want)
        for want in wanted
        if (pin := pins.get(canonicalize_name(want.name))) is None
        or not want.specifier.contains(pin)
    ]


@pytest.mark.parametrize("lock", LOCKS)
def test_every_line_of_a_lock_is_a_pin_a_hash_or_a_comment(lock: str) -> None:
    pin, digest, comment = (
        r"[\w.-]+==\S+( ; [^\\]+)? \\",
        r"    --hash=sha256:[0-9a-f]{64}( \\)?",
        r" *#[^:]*(:\w+\)|:)?",
    )
    form = re.compile(f"{pin}|{digest}|{comment}")
    lines = filter(None, text_of(lock).splitlines())
    assert [line for line in lines if not form.fullmatch(line)] == []


@pytest.mark.parametrize("lock", LOCKS)
def test_every_pin_of_a_lock_is_followed_by_a_hash(lock: str) -> None:
    hashed = re.findall(r"^[\w.-]+==.*\\\n    --hash=", text_of(lock), flags=re.MULTILINE)
    assert len(hashed) == len(pins_of(lock)) > 0


@pytest.mark.parametrize("lock", LOCKS[1:])
def test_the_locks_of_the_image_pin_what_the_tests_ran_with(lock: str) -> None:
    assert pins_of(lock).items() <= pins_of("requirements.lock").items()


def test_the_lock_holds_all_that_the_project_and_its_tools_ask_for() -> None:
    assert unmet(requirements("dev", "build"), pins_of("requirements.lock")) == []


def test_the_image_holds_all_that_the_server_asks_for() -> None:
    assert unmet(requirements(), pins_of("requirements-image.lock")) == []


def test_the_image_holds_nothing_that_only_developers_need() -> None:
    server = {canonicalize_name(want.name) for want in requirements()}
    wanted = requirements("dev", "build")
    others = {canonicalize_name(want.name) for want in wanted} - server
    assert pins_of("requirements-image.lock").keys() & others == set()


def test_the_image_installs_the_server_without_an_extra() -> None:
    assert not any("[" in run for run in instructions("RUN"))


def test_the_wheel_is_built_with_what_the_build_lock_pins() -> None:
    wanted = [Requirement(line) for line in project()["build-system"]["requires"]]
    assert unmet(wanted, pins_of("requirements-build.lock")) == []


def test_every_target_of_the_makefile_is_listed_by_make_help() -> None:
    phony = re.search(r"^\.PHONY: (.*)$", text_of("Makefile"), flags=re.MULTILINE)
    assert phony is not None
    described = re.findall(r"^([a-z-]+):.*## \S", text_of("Makefile"), flags=re.MULTILINE)
    assert sorted(described) == sorted(phony[1].split())


def test_the_oldest_python_that_make_tries_is_the_least_that_the_project_requires() -> None:
    versions = re.search(r"^VERSIONS := (\S+)", text_of("Makefile"), flags=re.MULTILINE)
    assert versions is not None
    assert project()["project"]["requires-python"] == f">={versions[1]}"


def test_ci_installs_then_checks_then_tests() -> None:
    assert re.findall(r"^make ([\w-]+)", text_of(".ci/run"), flags=re.MULTILINE) == [
        "install",
        "check",
        "test-all",
        "test",
    ]


def instructions(name: str) -> list[str]:
    """Return the arguments of each Dockerfile instruction of this name, its lines joined."""
    joined = re.sub(r"\\\n\s*", "", text_of("Dockerfile"))
    return re.findall(rf"^{name} (.*)$", joined, flags=re.MULTILINE)


def test_both_stages_of_the_image_are_based_on_the_same_slim_python() -> None:
    assert instructions("FROM") == [
        "python:3.13-slim-bookworm AS build",
        "python:3.13-slim-bookworm",
    ]


def test_the_image_runs_as_a_numeric_user_other_than_root() -> None:
    assert [
        user.split(":")[0].isdecimal() and int(user.split(":")[0]) > 0
        for user in instructions("USER")
    ] == [True]


def test_the_image_starts_the_shop_without_a_shell_and_stops_it_with_sigterm() -> None:
    assert [json.loads(command) for command in instructions("CMD")] == [["cafe", "serve"]]
    assert instructions("STOPSIGNAL") == ["SIGTERM"]


def test_the_health_check_requests_livez_without_a_shell() -> None:
    """A restart would not help a shop that is closing, or whose database is down."""
    (health,) = instructions("HEALTHCHECK")
    program, option, source = json.loads(health.split("CMD ")[1])
    assert (program, option) == ("python", "-c")
    assert re.findall(r"'(/\w+)'", source) == ["/livez"]
    compile(source, "HEALTHCHECK", "exec")
    assert "healthcheck" not in services()["cafe"], "the image's is the one that counts"


def test_the_image_carries_the_configuration_and_binds_where_docker_can_publish() -> None:
    copied = " ".join(instructions("COPY")).split()
    assert {"hypercorn_client.toml", "hypercorn_worker.toml"} <= set(copied)
    assert "CAFE_CLIENT_BIND=0.0.0.0:8080" in text_of("Dockerfile")
    assert "CAFE_WORKER_BIND=0.0.0.0:8081" in text_of("Dockerfile")


def test_every_install_of_the_image_is_hashed_or_needs_no_index() -> None:
    installs = [
        step for run in instructions("RUN") for step in run.split("&&") if " install " in step
    ]
    assert len(installs) == 3
    assert all("--no-deps" in step for step in installs)
    assert all("--require-hashes" in step or "--no-index" in step for step in installs)


@pytest.mark.parametrize(
    "line",
    [
        '- "8080:8080"',
        '- "127.0.0.1:8081:8081"',
        "read_only: true",
        "- /tmp",
        "- ALL",
        "- no-new-privileges:true",
        "stop_grace_period: 10s",
        "restart: unless-stopped",
    ],
)
def test_the_compose_file_restricts_the_container(line: str) -> None:
    lines = [
        re.sub(r" #.*", "", line).strip() for line in text_of("docker-compose.yml").splitlines()
    ]
    assert line in lines


def services() -> dict[str, dict[str, Any]]:
    """Return the services of the compose file, by name."""
    found: dict[str, dict[str, Any]] = yaml.safe_load(text_of("docker-compose.yml"))["services"]
    return found


def test_compose_publishes_no_other_port() -> None:
    published = {name: one["ports"] for name, one in services().items() if "ports" in one}
    assert published == {
        "cafe": ["8080:8080", "127.0.0.1:8081:8081"],
        "mail": ["127.0.0.1:8025:8025"],
    }


def test_the_profile_of_compose_names_services_that_are_there_and_settings_that_exist() -> None:
    lines = text_of("docker-compose.full.env").splitlines()
    variables = dict(line.split("=", 1) for line in lines if not line.startswith("#"))
    profile = variables.pop("COMPOSE_PROFILES")
    assert {name for name, one in services().items() if profile in one.get("profiles", ())} == {
        "upgrade",
        "postgres",
        "mail",
    }
    passed_on = {name for name, value in services()["cafe"]["environment"].items() if value is None}
    assert set(variables) <= passed_on
    settings = {name.removeprefix("CAFE_").lower(): value for name, value in variables.items()}
    assert settings.keys() <= Settings.model_fields.keys()
    hosts = {urlsplit(url).hostname for url in settings.values()}
    assert hosts == {"postgres", "mail"}


def test_a_shop_without_the_profile_needs_none_of_its_services() -> None:
    needed = services()["cafe"]["depends_on"]
    assert [one["required"] for one in needed.values()] == [False]
