"""hypercorn's toml files, read strictly.

Rule: nothing is accepted in silence. hypercorn takes any key and forgets the misspelt ones; here
each key is one that works, or an error that says in one sentence what is wrong.
"""

from __future__ import annotations

import logging
import re
import ssl
import tomllib
from difflib import get_close_matches
from pathlib import Path
from typing import Any

from hypercorn.config import Config

from cafe.server.config_keys import KEYS, REFUSED

_BIND = re.compile(r"(?:\[(?P<v6>[^\[\]]+)\]|(?P<host>[^\[\]:/\s]+)):(?P<port>[0-9]{1,5})")
_LAST_PORT = 65535


class ConfigError(ValueError):
    """What stands in the way of serving, in one sentence for the user."""


class DoorConfig(Config):
    """hypercorn's configuration with this shop's defaults, and four deadlines of its own.

    In seconds: `head_timeout` runs from accept and again from the first byte of a head,
    `body_timeout` while the application waits for a body, `send_timeout` while a client does not
    read, `linger_timeout` for what he still sends after his last answer. An idle connection has
    `keep_alive_timeout`, longer than the 5 s after which httpx drops one: so it is the client who
    hangs up, and no request crosses our close.
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


def load_config(
    path: Path | None, *, default: Path, bind: str | None, default_bind: str
) -> DoorConfig:
    """Read the toml file at `path`, else at `default`, else give the defaults.

    Only a file that was named has to exist. `bind` ("host:port", port 0 allowed) goes before the
    file's, `default_bind` is for a file that has none. Raises ConfigError.
    """
    values = _read(default, required=False) if path is None else _read(path, required=True)
    config = DoorConfig()
    config.bind = default_bind
    for key, value in values.items():
        setattr(config, key, value)
    if bind is not None:
        config.bind = bind
    for text in (*config.bind, *config.insecure_bind):
        parse_bind(text)
    _check_certificate(config)
    return config


def parse_bind(text: str) -> tuple[str, int]:
    """Read "host:port", an IPv6 host in brackets. Raises ConfigError."""
    match = _BIND.fullmatch(text)
    if match is None:
        raise ConfigError(f"{text!r} is not an address like 127.0.0.1:8080, 0.0.0.0:0 or [::1]:0.")
    port = int(match["port"])
    if port > _LAST_PORT:
        raise ConfigError(f"{text!r} is not an address: ports end at {_LAST_PORT}.")
    return match["v6"] or match["host"], port


def _read(file: Path, *, required: bool) -> dict[str, Any]:
    try:
        values = tomllib.loads(file.read_text("utf-8"))
    except FileNotFoundError:
        if required:
            raise ConfigError(f"There is no file {file}.") from None
        return {}
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


def _check_certificate(config: DoorConfig) -> None:
    """Load the certificate before anything is bound, to say in one sentence what is wrong."""
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
