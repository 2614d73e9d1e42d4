"""The variables: empty ones, and secrets that are in files."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from cafe.settings import (
    FILE,
    SECRETS,
    Settings,
    SettingsError,
    default_of,
    read_settings,
    unknown_variables,
)
from cafe.variables import EMPTY_COUNTS, variable_of, variables

VALUES = {
    "worker_token": "open-sesame-4711",
    "database_url": "sqlite:///monday.db",
    "bus": "redis://:s3cret@redis.example:6379/0",
    "jwt_secret": "j" * 32,
    "notification_secret": "whsec_" + "QUFB" * 8,
    "smtp_url": "smtp://ada:s3cret@mail.example",
}
"""A valid value of each secret."""


@pytest.fixture(autouse=True)
def _no_variables(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in os.environ:
        if name.upper().startswith("CAFE_"):
            monkeypatch.delenv(name)


def value_of(field: str) -> str:
    secret = getattr(read_settings({}), field)
    return str(secret.get_secret_value())


@pytest.mark.parametrize("field", sorted(Settings.model_fields.keys() - EMPTY_COUNTS))
def test_an_empty_variable_counts_as_not_set(field: str, monkeypatch: pytest.MonkeyPatch) -> None:
    usual = read_settings({})
    monkeypatch.setenv(variable_of(field), "")
    assert read_settings({}) == usual


@pytest.mark.parametrize("field", sorted(EMPTY_COUNTS))
def test_where_empty_text_means_none_it_is_not_the_default(
    field: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert default_of(field)
    monkeypatch.setenv(variable_of(field), "")
    assert getattr(read_settings({}), field) == ""


def test_an_option_that_is_empty_is_a_value() -> None:
    with pytest.raises(SettingsError, match=r"^--time-zone: "):
        read_settings({"time_zone": ""})


def test_a_variable_is_found_whatever_the_case_of_its_name() -> None:
    environ = {"Cafe_Client_Bind": "[::1]:80", "CAFE_ENV": "", "HOME": "/"}
    assert variables(["client_bind", "env", "home"], environ) == {"client_bind": "[::1]:80"}


@pytest.mark.parametrize("field", sorted(SECRETS))
@pytest.mark.parametrize("end", ["", "\n"])
def test_a_secret_is_read_from_its_file_without_a_line_feed_at_its_end(
    field: str, end: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = tmp_path / "secret"
    file.write_text(VALUES[field] + end)
    monkeypatch.setenv(variable_of(field) + "_FILE", str(file))
    monkeypatch.setenv(variable_of(field), "")  # as compose passes it on
    assert value_of(field) == VALUES[field]
    assert unknown_variables(os.environ) == []


def test_only_one_line_feed_is_taken_from_a_secret(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = tmp_path / "secret"
    file.write_bytes(b" \r" * 16 + b"\n\n")
    monkeypatch.setenv("CAFE_JWT_SECRET_FILE", str(file))
    assert value_of("jwt_secret") == " \r" * 16 + "\n"


@pytest.mark.parametrize("field", sorted(SECRETS))
def test_a_secret_and_its_file_are_not_both_set(
    field: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    name = variable_of(field)
    monkeypatch.setenv(name, VALUES[field])
    monkeypatch.setenv(f"{name}_FILE", str(tmp_path / "is not read"))
    with pytest.raises(SettingsError) as wrong:
        read_settings({})
    assert str(wrong.value) == f"{name} and {name}_FILE are both set: set one of them"


def test_an_option_takes_precedence_over_a_secrets_file(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CAFE_DATABASE_URL_FILE", "/is/not/read")
    settings = read_settings({"database_url": "sqlite:///option.db"})
    assert settings.database_url.get_secret_value() == "sqlite:///option.db"


def test_a_secrets_file_that_cannot_be_read_is_an_error_of_one_line(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "bytes").write_bytes(b"\xff" * 32)
    for path, why in {
        tmp_path: "cannot be read: Is a directory",
        tmp_path / "none": "cannot be read: No such file or directory",
        tmp_path / "bytes": "is not text in UTF-8",
    }.items():
        monkeypatch.setenv("CAFE_JWT_SECRET_FILE", str(path))
        with pytest.raises(SettingsError) as wrong:
            read_settings({})
        assert str(wrong.value) == f"CAFE_JWT_SECRET_FILE: {path} {why}"


@pytest.mark.parametrize("field", sorted(SECRETS))
def test_an_error_names_the_file_and_does_not_show_the_secret(
    field: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = tmp_path / "secret"
    for text in ("", "\n", "p4ss@:[", "p4ss@:[\n"):
        file.write_text(text)
        monkeypatch.setenv(variable_of(field + FILE), str(file))
        if field == "database_url" and text.strip():
            continue  # what a database's URL is, its driver says
        with pytest.raises(SettingsError, match=rf"^{variable_of(field)}_FILE: (?!.*p4ss)") as one:
            read_settings({})
        assert "\n" not in str(one.value)


def test_only_secrets_may_be_in_files() -> None:
    assert unknown_variables({"CAFE_TIME_ZONE_FILE": "x"}) != []
