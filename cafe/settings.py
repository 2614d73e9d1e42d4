"""The settings of the shop: `CAFE_` variables, each also an option of `cafe serve`, options first.

Rule: one field each, which names, explains, checks and defaults it; the command line is made of
the fields. What goes wrong is one sentence that names the setting.
"""

from __future__ import annotations

import os
import re
from collections.abc import Mapping
from difflib import get_close_matches
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, SecretStr, ValidationError

from cafe.limits.address import parse_networks

PREFIX = "CAFE_"


LEAST_TOKEN = 16
"""Characters of a token: fewer could be guessed."""
_HOST = re.compile(r"[a-z0-9_-]{1,63}(?:\.[a-z0-9_-]{1,63})*")
SECRETS = frozenset({"worker_token", "database_url"})


class SettingsError(ValueError):
    """A setting is wrong; the message is one clear sentence."""


def _networks(text: str) -> str:
    parse_networks(text)
    return text


def parse_hosts(text: str) -> frozenset[str]:
    """Read comma-separated host names, in small letters; raises ValueError, one sentence."""
    names = [name.strip().lower().removesuffix(".") for name in text.split(",")]
    for name in filter(None, names):
        if _HOST.fullmatch(name) is None:
            raise ValueError(f"{name!r} is not a host name like cafe.example")
    return frozenset(filter(None, names))


def _hosts(text: str) -> str:
    parse_hosts(text)
    return text


def _token(token: SecretStr) -> SecretStr:
    text = token.get_secret_value()
    if len(text) < LEAST_TOKEN or text != text.strip() or not text.isprintable():
        raise ValueError(
            f"a token has {LEAST_TOKEN} printable characters or more, and no space around them"
        )
    return token


Seconds = Annotated[float, Field(gt=0, le=1e9, allow_inf_nan=False)]
"""Up to thirty years: what is added to a time has to be a time."""
Count = Annotated[int, Field(ge=1)]
Bind = Annotated[str, Field(min_length=1)]


class Settings(BaseModel):
    """Everything that an operator may set."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    client_bind: Bind | None = Field(
        None, description="host:port for customers, port 0 allowed, else as the toml file says"
    )
    worker_bind: Bind | None = Field(
        None, description="host:port for baristas, port 0 allowed, else as the toml file says"
    )
    client_config: Path | None = Field(
        None, description="hypercorn's toml for customers, else hypercorn_client.toml"
    )
    worker_config: Path | None = Field(
        None, description="hypercorn's toml for baristas, else hypercorn_worker.toml"
    )
    log_format: Literal["auto", "console", "json"] = Field(
        "auto", description="console, json, or auto: console on a terminal, json elsewhere"
    )
    lease_seconds: Seconds = Field(180, description="a claimed order goes back after this")
    max_waiting: Count = Field(10_000, description="orders in the queue; beyond: 503 queue_full")
    limit_requests: Count = Field(600, description="requests per address and window")
    limit_window_seconds: Seconds = Field(10, description="length of the window")
    limit_waiting: Count = Field(400, description="waiting orders per address")
    limit_connections: Count = Field(1_200, description="open connections per address")
    worker_limit_requests: Count = Field(
        6_000, description="requests per address and window on the baristas' port without a token"
    )
    ban_after: Count = Field(400, description="refusals within the window that cut an address off")
    ban_seconds: Seconds = Field(60, description="length of a first ban")
    trusted_proxies: Annotated[str, AfterValidator(_networks)] = Field(
        "", description="CIDRs of proxies whose Forwarded or X-Forwarded-For is believed"
    )
    worker_token: Annotated[SecretStr, AfterValidator(_token)] | None = Field(
        None, description="when set, baristas must send it as Bearer token; 16 characters or more"
    )
    worker_hosts: Annotated[str, AfterValidator(_hosts)] = Field(
        "",
        description="names by which the baristas' port may be asked for where it has no token, "
        "besides IP addresses and localhost",
    )
    database_url: SecretStr = Field(
        SecretStr("sqlite:///cafe.db"),
        min_length=1,
        description="where orders are kept: sqlite:///FILE, sqlite:// for memory only, or "
        "postgresql+psycopg://USER:PASSWORD@HOST/NAME",
    )
    closing_seconds: Seconds = Field(5, description="from SIGTERM to the end, at most")
    keep_days: Count = Field(400, description="how long orders are kept that have ended")
    key_ttl_seconds: Seconds = Field(
        86_400, description="how long an Idempotency-Key is remembered"
    )


def read_settings(options: Mapping[str, Any]) -> Settings:
    """Give the settings from the environment and `options` (by field name; None is not given).

    Raises SettingsError.
    """
    given = {name: value for name, value in options.items() if value is not None}
    try:
        return Settings.model_validate(_variables() | given)
    except ValidationError as error:
        raise SettingsError("; ".join(_sentence(one, given) for one in error.errors())) from None


def _variables() -> dict[str, str]:
    """Give the variables that are settings, by field; their names in capitals or not."""
    environ = {name.upper(): value for name, value in os.environ.items()}
    names = {field: PREFIX + field.upper() for field in Settings.model_fields}
    return {field: environ[name] for field, name in names.items() if name in environ}


def unknown_variables(environ: Mapping[str, str] = os.environ) -> list[str]:
    """Give a sentence for each CAFE_ variable that is none of ours: a slip of the pen, probably."""
    known = [PREFIX + name.upper() for name in Settings.model_fields]
    unknown = [name for name in environ if name.startswith(PREFIX) and name not in known]
    return [f"{name} is no setting of the café{_did_you_mean(name, known)}" for name in unknown]


def option_name(field: str) -> str:
    """Give the command line's name of a field."""
    return "--" + field.replace("_", "-")


def _sentence(error: Any, options: Mapping[str, Any]) -> str:
    field = str(error["loc"][0]) if error["loc"] else "settings"
    where = option_name(field) if field in options else PREFIX + field.upper()
    said = error["msg"].removeprefix("Value error, ").partition(", unable to parse")[0]
    shown = (
        "" if field in SECRETS or error["type"] == "value_error" else f", not {error['input']!r}"
    )
    return f"{where}: {said[0].lower()}{said[1:]}{shown}"


def _did_you_mean(name: str, known: list[str]) -> str:
    near = get_close_matches(name, known, n=1)
    return f"; did you mean {near[0]}?" if near else ""
