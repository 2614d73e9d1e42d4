"""What installs and packages the shop: the locks, the Makefile, the image.

Rule: facts that no linter checks, because they are promises of this project. The files are read as
text; hadolint and the compose-spec schema check their syntax in `make check`.
"""

from __future__ import annotations

import json
import re
import tomllib
from pathlib import Path
from typing import Any

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name
from packaging.version import Version

from cafe.settings import SECRETS, Settings, default_of
from tests.test_compose import services

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


ASKED_FOR_BY_LIBRARIES = {"deprecated", "packaging"}
"""What developers need and coredis, too."""


def test_the_image_holds_nothing_that_only_developers_need() -> None:
    server = {canonicalize_name(want.name) for want in requirements()} | ASKED_FOR_BY_LIBRARIES
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
    assert re.findall(
        r"^make ([\w-]+(?: TARGET=\w+)?)", text_of(".ci/run"), flags=re.MULTILINE
    ) == ["install", "test-all TARGET=install", "check", "test-all", "test", "test"]


def instructions(name: str) -> list[str]:
    """Return the arguments of each Dockerfile instruction of this name, its lines joined."""
    joined = re.sub(r"\\\n\s*", "", text_of("Dockerfile"))
    return re.findall(rf"^{name} (.*)$", joined, flags=re.MULTILINE)


def test_every_stage_of_the_image_is_based_on_a_slim_python_that_an_argument_replaces() -> None:
    assert instructions("ARG")[0] == "BASE=python:3.13-slim-bookworm"
    assert [one.split(" AS ")[0] for one in instructions("FROM") if "BASE" in one] == 2 * [
        "${BASE}"
    ]
    others = [one for one in instructions("FROM") if "BASE" not in one]
    assert others == ["dependencies AS code"]


def test_our_code_is_the_last_layer_of_the_image() -> None:
    copied = [one.split() for one in instructions("COPY") if one.startswith("--from")]
    assert copied == [
        ["--from=dependencies", "/opt/cafe", "/opt/cafe"],
        ["--from=code", "/opt/code", "/opt/cafe"],
    ]
    last = text_of("Dockerfile").rpartition("FROM ")[2]
    assert last.index("--from=code") > max(last.rindex("RUN "), last.index("hypercorn_client.toml"))


def test_what_the_image_compiles_depends_on_no_times() -> None:
    compiled = [
        step for run in instructions("RUN") for step in run.split("&&") if "compileall" in step
    ]
    assert len(compiled) == 3  # dependencies, our code, the standard library
    assert all("--invalidation-mode unchecked-hash" in step for step in compiled)
    installs = [
        step
        for run in instructions("RUN")
        for step in run.split("&&")
        if "/opt/cafe/bin/python install" in step
    ]
    assert all("--no-compile" in step for step in installs)


def test_the_image_runs_as_a_numeric_user_other_than_root() -> None:
    assert [
        user.split(":")[0].isdecimal() and int(user.split(":")[0]) > 0
        for user in instructions("USER")
    ] == [True]


def test_arguments_of_the_image_are_those_of_cafe_and_it_is_stopped_with_sigterm() -> None:
    assert [json.loads(command) for command in instructions("ENTRYPOINT")] == [["cafe"]]
    assert [json.loads(command) for command in instructions("CMD")] == [["serve"]]
    assert instructions("STOPSIGNAL") == ["SIGTERM"]
    commands = {name: one["command"] for name, one in services().items() if "command" in one}
    assert commands["upgrade"] == ["db", "upgrade"]


def test_the_health_check_is_the_command_for_it() -> None:
    """It asks /livez: a restart would not help a shop that is closing, or without a database."""
    (health,) = instructions("HEALTHCHECK")
    options, _, command = health.partition(" CMD ")
    assert json.loads(command) == ["cafe", "health"]
    assert "--start-interval=" in options
    assert "healthcheck" not in services()["cafe"], "the image's is the one that counts"


def test_the_image_carries_the_configuration_and_binds_where_docker_can_publish() -> None:
    (copied,) = (one for one in instructions("COPY") if "hypercorn" in one)
    assert copied == "hypercorn_client.toml hypercorn_worker.toml /cafe/"
    assert variables_of_the_image() == {
        "CAFE_CLIENT_BIND": "0.0.0.0:8080",
        "CAFE_WORKER_BIND": "0.0.0.0:8081",
        "CAFE_CLIENT_CONFIG": "/cafe/hypercorn_client.toml",
        "CAFE_WORKER_CONFIG": "/cafe/hypercorn_worker.toml",
        "CAFE_LOG_FORMAT": "json",
    }


def variables_of_the_image() -> dict[str, str]:
    """Return the CAFE_ variables that the image sets."""
    return dict(re.findall(r"\b(CAFE_\w+)=(\S+)", " ".join(instructions("ENV"))))


def test_the_image_says_neither_who_may_use_the_baristas_port_nor_a_secret() -> None:
    """Else the port would be open by accident, and a secret's file could not be named."""
    set_here = {name.removeprefix("CAFE_").lower() for name in variables_of_the_image()}
    assert set_here <= Settings.model_fields.keys() - SECRETS - {"worker_auth"}


def test_what_the_image_needs_no_secret_for_is_kept_in_its_volume() -> None:
    assert instructions("WORKDIR")[-1:] == instructions("VOLUME") == ["/var/lib/cafe"]
    assert default_of("database_url") == "sqlite:///cafe.db"
    assert not Path(default_of("mail_dir")).is_absolute()


def test_the_image_names_the_version_of_the_project() -> None:
    (labels,) = instructions("LABEL")
    assert f'image.version="{project()["project"]["version"]}"' in labels
    assert f'image.description="{project()["project"]["description"]}"' in labels


@pytest.mark.parametrize("package", ["httpx", "plotext"])
def test_what_players_need_is_in_the_image_because_a_shop_or_its_operator_needs_it(
    package: str,
) -> None:
    """The providers of payments are called with httpx, and `cafe report` draws with plotext."""
    naming = {
        path.parent.name
        for path in (ROOT / "cafe").rglob("*.py")
        if re.search(
            rf"^ *import {package}$|import_module\(.{package}.\)", path.read_text(), re.MULTILINE
        )
    }
    assert naming - {"players"}


def test_every_install_of_the_image_is_hashed_or_needs_no_index() -> None:
    installs = [
        step
        for run in instructions("RUN")
        for step in run.split("&&")
        if re.search("pip .*install ", step)
    ]
    assert len(installs) == 3
    assert all("--no-deps" in step for step in installs)
    assert all("--require-hashes" in step or "--no-index" in step for step in installs)
