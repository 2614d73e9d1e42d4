"""The shop's settings: `CAFE_` variables, each also an option of `cafe serve`, which overrides it.

Rule: a setting is one field, with its name, description, checks and default; the command line is
generated from the fields. An error is one sentence that names the setting. A secret may also be in
a file that a variable names, as orchestrators provide it: CAFE_WORKER_TOKEN_FILE for
CAFE_WORKER_TOKEN.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from difflib import get_close_matches
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, SecretStr, ValidationError

from cafe.setting_types import (
    COMPAT,
    Bind,
    BusUrl,
    Compat,
    Count,
    Hosts,
    HttpUrl,
    Networks,
    Origins,
    Seconds,
    Secret,
    Sender,
    ShopName,
    Shops,
    SmtpUrl,
    Token,
    WebhookSecret,
    Zone,
)
from cafe.variables import PREFIX, variable_of, variables

SECRETS = frozenset(
    {"worker_token", "database_url", "bus", "jwt_secret", "notification_secret", "smtp_url"}
)
FILE = "_file"
"""The suffix of a secret's name, in a variable with the path of a file."""
OF_COMMANDS = ("URL", "WORKER_URL", "TOKEN")
"""Variables of `cafe order` and similar commands, not settings of a shop; without PREFIX."""


class SettingsError(ValueError):
    """A setting is wrong; the message is one sentence that names it."""


class Settings(BaseModel):
    """All settings; a value is validated when it is constructed, and never changes."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    client_bind: Bind | None = Field(
        None, description="host:port for customers, port 0 allowed; default: the toml file's"
    )
    worker_bind: Bind | None = Field(
        None, description="host:port for baristas, port 0 allowed; default: the toml file's"
    )
    client_config: Path | None = Field(
        None, description="hypercorn's toml for customers; default: hypercorn_client.toml"
    )
    worker_config: Path | None = Field(
        None, description="hypercorn's toml for baristas; default: hypercorn_worker.toml"
    )
    log_format: Literal["auto", "console", "json"] = Field(
        "auto", description="console, json, or auto: console on a terminal, json elsewhere"
    )
    lease_seconds: Seconds = Field(
        180, description="after this, a claimed order goes back to the queue"
    )
    max_waiting: Count = Field(
        10_000, description="most orders in the queue; beyond: 503 queue_full"
    )
    limit_requests: Count = Field(600, description="requests per address and window")
    limit_window_seconds: Seconds = Field(10, description="length of the window")
    limit_waiting: Count = Field(400, description="waiting orders per address")
    limit_connections: Count = Field(1_200, description="open connections per address")
    worker_limit_requests: Count = Field(
        6_000, description="requests per address and window on the baristas' port without a token"
    )
    ban_after: Count = Field(400, description="refusals within the window that ban an address")
    ban_seconds: Seconds = Field(60, description="length of a first ban")
    trusted_proxies: Networks = Field(
        "", description="CIDRs of proxies whose Forwarded or X-Forwarded-For is trusted"
    )
    worker_token: Token | None = Field(
        None, description="if set, baristas must send it as Bearer token; 16 characters or more"
    )
    worker_auth: Literal["open", "token", "accounts"] | None = Field(
        None,
        description="who may use the baristas' port: open (everyone), token (CAFE_WORKER_TOKEN), "
        "accounts (baristas and managers who sign in); default: token if there is one, else open "
        "on loopback addresses only",
    )
    worker_hosts: Hosts = Field(
        "",
        description="host names that the baristas' port accepts if it has no token, besides IP "
        "addresses and localhost",
    )
    database_url: SecretStr = Field(
        SecretStr("sqlite:///cafe.db"),
        min_length=1,
        description="the database: sqlite:///FILE, sqlite:// for memory only, or "
        "postgresql+psycopg://USER:PASSWORD@HOST/NAME",
    )
    shop: ShopName | None = Field(
        None,
        description="this shop's name where several share a database of PostgreSQL: its tables are "
        "in the schema cafe_NAME",
    )
    bus: BusUrl | None = Field(
        None,
        description="Redis or Valkey between fronts and houses: "
        "redis://USER:PASSWORD@HOST:PORT/DB, or rediss:// with TLS",
    )
    shops: Shops = Field(
        "",
        description="the shops that a front serves, comma-separated: each NAME at /shops/NAME/, "
        "or NAME=HOST also at that host name; default: the one of CAFE_SHOP, at every host",
    )
    house_bind: Bind = Field(
        "127.0.0.1:8082", description="host:port of a house's health and metrics, port 0 allowed"
    )
    jwt_secret: Secret | None = Field(
        None,
        description="signs the tokens of accounts, 32 bytes or more; default: made at the first "
        "start and kept beside the database",
    )
    payment_url: HttpUrl | None = Field(
        None, description="where baskets are charged; without it they are paid at the counter"
    )
    refund_url: HttpUrl | None = Field(None, description="where charges are refunded")
    notification_url: HttpUrl | None = Field(
        None, description="is told of each change of a basket's order"
    )
    notification_secret: WebhookSecret | None = Field(
        None, description="signs notifications: whsec_ and base64 (Standard Webhooks)"
    )
    autopilot: Seconds | None = Field(
        None, description="plays the staff: moves each order one status on every so many seconds"
    )
    delivery_lease_seconds: Seconds = Field(
        900, description="after this, an assigned delivery that is not picked up goes to the next"
    )
    time_zone: Zone = Field(
        "UTC", description="the shop's time zone: of the days that are counted, and of bookings"
    )
    booking_notice_minutes: Annotated[int, Field(ge=0, le=1_000_000)] = Field(
        60, description="how many minutes ahead a table is booked at least"
    )
    booking_days_ahead: Annotated[int, Field(ge=1, le=10_000)] = Field(
        90, description="how many days ahead a table is booked at most"
    )
    booking_max_hours: Annotated[int, Field(ge=1, le=10_000)] = Field(
        8, description="the longest booking"
    )
    booking_webhook: HttpUrl | None = Field(
        None, description="is told of each request for a table, as notifications are"
    )
    smtp_url: SmtpUrl | None = Field(
        None,
        description="sends letters: smtp://, smtps:// or starttls://, USER:PASSWORD@HOST:PORT; "
        "without it they are written as files into CAFE_MAIL_DIR",
    )
    mail_from: Sender = Field("cafe@localhost", description="the sender of letters")
    mail_dir: Path = Field(
        Path("mail"), description="where letters are written without CAFE_SMTP_URL"
    )
    public_url: HttpUrl = Field(
        "http://localhost:8080", description="where guests reach the customers' port: for links"
    )
    cors_origins: Origins = Field(
        "", description="origins whose pages may use the customers' port, comma-separated"
    )
    frame_ancestors: Origins = Field(
        "", description="origins whose pages may show ours in a frame, comma-separated"
    )
    compat: Compat = Field(
        ",".join(COMPAT),
        description="systems whose clients are served under /compat/, comma-separated; empty: none",
    )
    env: Literal["development", "production"] = Field(
        "development", description="production refuses `cafe users seed`"
    )
    closing_seconds: Seconds = Field(5, description="the longest that a shutdown takes")
    keep_days: Count = Field(400, description="days after which what has ended is deleted")
    key_ttl_seconds: Seconds = Field(
        86_400, description="how long an Idempotency-Key is remembered"
    )

    @property
    def ledger_url(self) -> str:
        """The database's URL, with the shop's name in its query; may contain a password."""
        url = self.database_url.get_secret_value()
        if self.shop is None:
            return url
        # Here, since most shops have no name, and a command's help needs none of it.
        from sqlalchemy import make_url  # noqa: PLC0415
        from sqlalchemy.exc import ArgumentError  # noqa: PLC0415

        try:
            named = make_url(url).update_query_dict({"shop": self.shop})
        except (ArgumentError, ValueError):
            return url  # the ledger refuses it
        return named.render_as_string(hide_password=False)


def read_settings(options: Mapping[str, Any]) -> Settings:
    """Return the settings from the environment and `options`, by field name; None is ignored.

    Raises SettingsError if any value is wrong, or if the file of a secret cannot be read.
    """
    given = {name: value for name, value in options.items() if value is not None}
    texts = variables(Settings.model_fields)
    files = _files_of_secrets(texts, given)
    texts |= {field: _read_secret(field, path) for field, path in files.items()}
    where = {
        **{field: variable_of(field) for field in Settings.model_fields},
        **{field: variable_of(field + FILE) for field in files},
        **{field: option_name(field) for field in given},
    }
    try:
        return Settings.model_validate(texts | given)
    except ValidationError as error:
        raise SettingsError("; ".join(_sentence(one, where) for one in error.errors())) from None


def _files_of_secrets(texts: Mapping[str, str], options: Mapping[str, Any]) -> dict[str, str]:
    """Return the paths of the files with secrets, by field, except those whose option is given.

    Raises SettingsError if the secret itself is set as well.
    """
    paths = variables(field + FILE for field in SECRETS)
    files = {field: paths[field + FILE] for field in sorted(SECRETS) if field + FILE in paths}
    for field in files.keys() & texts.keys():
        name, file = variable_of(field), variable_of(field + FILE)
        raise SettingsError(f"{name} and {file} are both set: set one of them")
    return {field: path for field, path in files.items() if field not in options}


def _read_secret(field: str, path: str) -> str:
    """Return the text of the file at `path`, without one line feed at its end."""
    try:
        return Path(path).read_bytes().decode("utf-8").removesuffix("\n")
    except OSError as error:
        why = f"cannot be read: {error.strerror}"
    except UnicodeDecodeError:
        why = "is not text in UTF-8"
    raise SettingsError(f"{variable_of(field + FILE)}: {path} {why}")


def unknown_variables(environ: Mapping[str, str] = os.environ) -> list[str]:
    """Return a sentence for each CAFE_ variable that is not a setting: probably a typing error."""
    known = [name.upper() for name in Settings.model_fields]
    known += [f"{name}{FILE}".upper() for name in SECRETS]
    given = [name.removeprefix(PREFIX) for name in environ if name.startswith(PREFIX)]
    unknown = [name for name in given if name not in known and name not in OF_COMMANDS]
    return [
        f"{PREFIX}{name} is no setting of the café{_did_you_mean(name, known)}" for name in unknown
    ]


def default_of(field: str) -> str:
    """Return a field's default as the text of its variable; empty if there is none."""
    value: object = Settings.model_fields[field].default
    if isinstance(value, SecretStr):
        value = value.get_secret_value()  # the default is not a secret
    return "" if value is None else str(value)


def option_name(field: str) -> str:
    """Return the name of a field's option."""
    return "--" + field.replace("_", "-")


def _sentence(error: Any, where: Mapping[str, str]) -> str:
    field = str(error["loc"][0]) if error["loc"] else "settings"
    said = error["msg"].removeprefix("Value error, ").partition(", unable to parse")[0]
    shown = (
        "" if field in SECRETS or error["type"] == "value_error" else f", not {error['input']!r}"
    )
    return f"{where.get(field, field)}: {said[0].lower()}{said[1:]}{shown}"


def _did_you_mean(name: str, known: list[str]) -> str:
    # Without the prefix, which would make every name similar to every other.
    near = get_close_matches(name, known, n=1)
    return f"; did you mean {PREFIX}{near[0]}?" if near else ""
