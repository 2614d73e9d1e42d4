"""hypercorn's toml files, read strictly: which keys work here, and why the others cannot be set.

Rule: nothing is ignored silently. hypercorn accepts any key and ignores a misspelt one; here each
key works, or is an error in one sentence. Every key of hypercorn is in exactly one of the two
tables; a test compares them with it.
"""

from __future__ import annotations

import logging
import re
import ssl
import tomllib
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from difflib import get_close_matches
from math import inf
from pathlib import Path
from typing import Any, cast

from hypercorn.config import Config

_BIND = re.compile(r"(?:\[(?P<v6>[^\[\]]+)\]|(?P<host>[^\[\]:/\s]+)):(?P<port>[0-9]{1,5})")
_LAST_PORT = 65535


@dataclass(frozen=True, slots=True)
class Kind:
    """A type of values: a predicate, and its description."""

    fits: Callable[[object], bool]
    wants: str


def _is_text(value: object) -> bool:
    return isinstance(value, str) and value != ""


def _is_binds(value: object) -> bool:
    if not isinstance(value, list):
        return _is_text(value)
    items = cast("list[object]", value)
    return items != [] and all(map(_is_text, items))


def _is_switch(value: object) -> bool:
    return isinstance(value, bool)


def _is_count(value: object) -> bool:
    return isinstance(value, int) and not _is_switch(value) and value > 0


def _is_seconds(value: object) -> bool:
    return isinstance(value, (int, float)) and not _is_switch(value) and 0 < value < inf


BINDS = Kind(_is_binds, 'an address like "127.0.0.1:8080", or a list of them')
TEXT = Kind(_is_text, "a text")
SWITCH = Kind(_is_switch, "true or false")
COUNT = Kind(_is_count, "a whole number above 0")
SECONDS = Kind(_is_seconds, "a number of seconds above 0")

KEYS: Mapping[str, Kind] = {
    "bind": BINDS,
    "insecure_bind": BINDS,
    "backlog": COUNT,
    "graceful_timeout": SECONDS,
    "keep_alive_timeout": SECONDS,
    "keep_alive_max_requests": COUNT,
    "startup_timeout": SECONDS,
    "shutdown_timeout": SECONDS,
    "ssl_handshake_timeout": SECONDS,
    "head_timeout": SECONDS,
    "body_timeout": SECONDS,
    "send_timeout": SECONDS,
    "linger_timeout": SECONDS,
    "certfile": TEXT,
    "keyfile": TEXT,
    "keyfile_password": TEXT,
    "ciphers": TEXT,
    "include_date_header": SWITCH,
    "include_server_header": SWITCH,
}

_REASONS: Mapping[str, tuple[str, ...]] = {
    "it also fires while a healthy customer waits for coffee": ("read_timeout",),
    "the process would end while orders wait": ("max_requests", "max_requests_jitter"),
    "all orders live in this one process, which runs on trio": ("workers", "worker_class"),
    "only HTTP/1.1 is spoken here": (
        "alpn_protocols",
        "alt_svc_headers",
        "h2_max_concurrent_streams",
        "h2_max_header_list_size",
        "h2_max_inbound_frame_size",
        "quic_bind",
        "websocket_max_message_size",
        "websocket_ping_interval",
    ),
    "the limits of a request's head are fixed": ("h11_max_incomplete_size",),
    "a Host that is no text would fail in there; a proxy in front can check it": ("server_names",),
    "client certificates are not asked for": (
        "ca_certs",
        "cert_reqs",
        "verify_flags",
        "verify_mode",
    ),
    "the shop writes its own log, see --log-format": (
        "access_log_format",
        "accesslog",
        "errorlog",
        "logconfig",
        "logconfig_dict",
        "logger_class",
        "loglevel",
    ),
    "the shop has metrics of its own, see GET /metrics": (
        "dogstatsd_tags",
        "statsd_host",
        "statsd_prefix",
    ),
    "the apps are fixed, and know their own prefix": (
        "application_path",
        "h11_pass_raw_headers",
        "max_app_queue_size",
        "root_path",
        "wsgi_max_body_size",
    ),
    "it is up to whatever starts the process": (
        "daemon",
        "debug",
        "group",
        "pid_path",
        "umask",
        "use_reloader",
        "user",
    ),
}

REFUSED: Mapping[str, str] = {key: reason for reason, keys in _REASONS.items() for key in keys}


class ConfigError(ValueError):
    """The server cannot start; the message is one sentence for the user."""


class ServerConfig(Config):
    """hypercorn's configuration with other defaults, and four time-outs of its own.

    In seconds: `head_timeout` runs from accept and again from the first byte of a head,
    `body_timeout` while the application waits for a body, `send_timeout` while a client does not
    read, `linger_timeout` while it still sends after its last response. An idle connection has
    `keep_alive_timeout`, longer than the 5 s after which httpx drops one: so the client closes
    first, and no request is lost to a close by the server.
    """

    alpn_protocols = ["http/1.1"]  # noqa: RUF012 - hypercorn's Config is made of class attributes
    backlog = 4096
    errorlog = logging.getLogger("hypercorn.error")  # left to the root's handlers
    graceful_timeout: float = 3.0
    keep_alive_timeout: float = 15.0
    keyfile_password: str | None = ""  # None would ask at the terminal
    ssl_handshake_timeout: float = 10.0
    head_timeout: float = 5.0
    body_timeout: float = 10.0
    send_timeout: float = 10.0
    linger_timeout: float = 2.0
    file: Path | None = None
    """The file that was read; None if there was none, so that all keys have their defaults."""


def load_config(
    path: Path | None, *, default: Path, bind: str | None, default_bind: str
) -> ServerConfig:
    """Read the toml file at `path`, else the one at `default`, else return the defaults.

    Only a file that was named has to exist. `bind` ("host:port", port 0 allowed) overrides the
    file's; `default_bind` is used if neither is given. Raises ConfigError.
    """
    file = path or default
    values = _read(file, required=path is not None)
    config = ServerConfig()
    config.bind = default_bind
    if values is not None:
        config.file = file
    for key, value in (values or {}).items():
        setattr(config, key, value)
    if bind is not None:
        config.bind = bind
    _check_binds(config)
    _check_certificate(config)
    return config


def _check_binds(config: ServerConfig) -> None:
    """Raise ConfigError for an invalid bind."""
    for text in (*config.bind, *config.insecure_bind):
        parse_bind(text)


def parse_bind(text: str) -> tuple[str, int]:
    """Parse "host:port", an IPv6 host in brackets. Raises ConfigError."""
    match = _BIND.fullmatch(text)
    if match is None:
        raise ConfigError(f"{text!r} is not an address like 127.0.0.1:8080, 0.0.0.0:0 or [::1]:0.")
    port = int(match["port"])
    if port > _LAST_PORT:
        raise ConfigError(f"{text!r} is not an address: ports end at {_LAST_PORT}.")
    return match["v6"] or match["host"], port


def _read(file: Path, *, required: bool) -> dict[str, Any] | None:
    try:
        values = tomllib.loads(file.read_text("utf-8"))
    except FileNotFoundError:
        if required:
            raise ConfigError(f"There is no file {file}.") from None
        return None
    except OSError as error:
        raise ConfigError(f"{file} cannot be read: {error.strerror}.") from None
    except ValueError as error:  # not UTF-8, not TOML
        raise ConfigError(f"{file} is not TOML: {error}.") from None
    for key, value in values.items():
        if complaint := _complaint(key, value):
            raise ConfigError(f"{file}: {complaint}.")
    return values


def _complaint(key: str, value: object) -> str | None:
    if key in REFUSED:
        return f"{key} cannot be set: {REFUSED[key]}"
    if key not in KEYS:
        near = get_close_matches(key, KEYS, n=1, cutoff=0.5)
        return f"there is no key {key!r}, " + (
            f"the nearest is {near[0]}" if near else f"only {', '.join(KEYS)}"
        )
    kind = KEYS[key]
    return None if kind.fits(value) else f"{key} has to be {kind.wants}, not {value!r}"


def _check_certificate(config: ServerConfig) -> None:
    """Load the certificate before anything is bound. Raises ConfigError."""
    if (config.certfile is None) != (config.keyfile is None):
        raise ConfigError("TLS takes both a certfile and a keyfile.")
    for file in filter(None, (config.certfile, config.keyfile)):
        try:
            Path(file).open("rb").close()
        except OSError as error:
            raise ConfigError(f"{file} cannot be read: {error.strerror}.") from None
    try:
        config.create_ssl_context()
    except ssl.SSLError as error:
        raise ConfigError(
            f"TLS cannot be set up with certfile {config.certfile} and keyfile {config.keyfile}: "
            f"{error.args[-1]}."
        ) from None
