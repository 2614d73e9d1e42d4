"""The types of settings: how the text of a variable is checked and parsed.

Rule: an error is one sentence, and never quotes a secret.
"""

from __future__ import annotations

import re
from base64 import b64decode
from contextlib import suppress
from email.errors import MessageError
from email.headerregistry import Address
from email.policy import default as mail_policy
from typing import Annotated
from urllib.parse import SplitResult, urlsplit
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from pydantic import AfterValidator, Field, SecretStr

from cafe.limits.address import parse_networks
from cafe.names import SHOP

LEAST_TOKEN = 16
"""The minimum length of a token in characters: a shorter one could be guessed."""
MIN_WEBHOOK_KEY, MAX_WEBHOOK_KEY = 24, 64
"""Bytes of a key that signs notifications (Standard Webhooks)."""
_ORIGIN = re.compile(r"https?://(?:[a-z0-9.-]+|\[[0-9a-f:.]+\])(?::[0-9]{1,5})?")
_HOST = re.compile(r"[a-z0-9_-]{1,63}(?:\.[a-z0-9_-]{1,63})*")
COMPAT = ("cafe", "functech", "courier-service", "restaurant-booking", "coffee-shop")
"""The systems whose clients are served as well; see `cafe/compat/`."""
LEAST_SECRET = 32
"""The minimum length of the secret that signs tokens, in bytes: that of its hash."""


def _networks(text: str) -> str:
    parse_networks(text)
    return text


def parse_hosts(text: str) -> frozenset[str]:
    """Parse comma-separated host names, in lower case; raise ValueError with one sentence."""
    names = [name.strip().lower().removesuffix(".") for name in text.split(",")]
    for name in filter(None, names):
        if _HOST.fullmatch(name) is None:
            raise ValueError(f"{name!r} is not a host name like cafe.example")
    return frozenset(filter(None, names))


def _hosts(text: str) -> str:
    parse_hosts(text)
    return text


def _shop_name(text: str) -> str:
    if SHOP.fullmatch(text) is None:
        raise ValueError(
            f"{text!r} is no name of a shop: a letter, then up to 30 of a to z, 0 to 9 and _"
        )
    return text


def _token(token: SecretStr) -> SecretStr:
    text = token.get_secret_value()
    if len(text) < LEAST_TOKEN or text != text.strip() or not text.isprintable():
        raise ValueError(
            f"a token has {LEAST_TOKEN} printable characters or more, and no space around them"
        )
    return token


def _secret(secret: SecretStr) -> SecretStr:
    if len(secret.get_secret_value().encode()) < LEAST_SECRET:
        raise ValueError(f"a secret has {LEAST_SECRET} bytes or more")
    return secret


def _webhook_secret(secret: SecretStr) -> SecretStr:
    try:
        key = b64decode(secret.get_secret_value().removeprefix("whsec_"), validate=True)
    except ValueError:
        raise ValueError("it is whsec_ and base64, as Standard Webhooks has it") from None
    if not MIN_WEBHOOK_KEY <= len(key) <= MAX_WEBHOOK_KEY:
        raise ValueError(f"its key has {MIN_WEBHOOK_KEY} to {MAX_WEBHOOK_KEY} bytes")
    return secret


def _http_url(text: str) -> str:
    url = urlsplit(text)
    if url.scheme not in {"http", "https"} or not url.hostname:
        raise ValueError("a URL begins with http:// or https:// and a host")
    _ = url.port  # raises ValueError for an invalid port
    return text


def _zone(name: str) -> str:
    try:
        ZoneInfo(name)
    except (ValueError, OSError, ZoneInfoNotFoundError):  # OSError: "Europe" is a folder
        raise ValueError(f"{name!r} is no time zone like Europe/Berlin") from None
    return name


def _url_with_password(secret: SecretStr, whose: str) -> SplitResult:
    try:
        url = urlsplit(secret.get_secret_value())
        _ = url.port
    except ValueError:  # its message may quote the password
        raise ValueError(
            f"a {whose}'s URL has user and password percent-encoded, and a port up to 65535"
        ) from None
    return url


def _smtp(secret: SecretStr) -> SecretStr:
    url = _url_with_password(secret, "mail server")
    if url.scheme not in {"smtp", "smtps", "starttls"} or not url.hostname:
        raise ValueError("a mail server's URL begins with smtp://, smtps:// or starttls://")
    if url.path not in {"", "/"} or url.query or url.fragment:
        raise ValueError("a mail server's URL ends with its host or port")
    return secret


def _bus(secret: SecretStr) -> SecretStr:
    url = _url_with_password(secret, "bus")
    if url.scheme not in {"redis", "rediss"} or not url.hostname:
        raise ValueError("a bus's URL begins with redis:// or rediss:// and a host")
    if url.query or (url.path.strip("/") and not url.path.strip("/").isdecimal()):
        raise ValueError("a bus's URL ends with its host, its port or the number of a database")
    return secret


def parse_shops(text: str) -> dict[str, str | None]:
    """Parse comma-separated shops, each NAME or NAME=HOST, into hosts by name.

    Raises ValueError with one sentence.
    """
    shops: dict[str, str | None] = {}
    for one in filter(None, (part.strip().lower() for part in text.split(","))):
        name, has_host, host = one.partition("=")
        _shop_name(name)
        if has_host and _HOST.fullmatch(host) is None:
            raise ValueError(f"{host!r} is not a host name like cafe.example")
        if name in shops or (host and host in shops.values()):
            raise ValueError(f"{one!r} is named twice")
        shops[name] = host or None
    return shops


def _shops(text: str) -> str:
    parse_shops(text)
    return text


def parse_sender(text: str) -> Address:
    """Parse an address, with a name or without one; raise ValueError with one sentence."""
    found: tuple[Address, ...] = ()
    if text.isprintable():
        with suppress(ValueError, IndexError, MessageError):
            header = mail_policy.header_factory("From", text)
            found = () if header.defects else header.addresses
    if len(found) != 1 or not (found[0].username and found[0].domain):
        raise ValueError("a sender is an address like cafe@cafe.example, or Name <address>")
    if not found[0].addr_spec.isascii():
        raise ValueError("a sender's address is ASCII")
    return found[0]


def _sender(text: str) -> str:
    parse_sender(text)
    return text


def parse_origins(text: str) -> frozenset[str]:
    """Parse comma-separated origins, such as `https://cafe.example`; raises ValueError."""
    origins = [origin.strip().lower() for origin in text.split(",")]
    for origin in filter(None, origins):
        if origin == "*":
            raise ValueError("list the origins: * would go together with credentials")
        if _ORIGIN.fullmatch(origin) is None:
            raise ValueError(f"{origin!r} is not an origin like https://cafe.example")
    return frozenset(map(_as_sent, filter(None, origins)))


def _as_sent(origin: str) -> str:
    """Return an origin as browsers send it: without the default port of its scheme."""
    return origin.removesuffix(":443" if origin.startswith("https:") else ":80")


def _origins(text: str) -> str:
    parse_origins(text)
    return text


def parse_compat(text: str) -> frozenset[str]:
    """Parse comma-separated names of systems; raise ValueError with one sentence."""
    names = frozenset(filter(None, (name.strip() for name in text.split(","))))
    for name in sorted(names.difference(COMPAT)):
        raise ValueError(f"{name!r} is none of the systems {', '.join(COMPAT)}")
    return names


def _compat(text: str) -> str:
    parse_compat(text)
    return text


Seconds = Annotated[float, Field(gt=0, le=1e9, allow_inf_nan=False)]
"""At most thirty years, so that a time plus this is still a valid time."""
Count = Annotated[int, Field(ge=1)]
HttpUrl = Annotated[str, AfterValidator(_http_url)]
Bind = Annotated[str, Field(min_length=1)]
Networks = Annotated[str, AfterValidator(_networks)]
ShopName = Annotated[str, AfterValidator(_shop_name)]
Hosts = Annotated[str, AfterValidator(_hosts)]
Origins = Annotated[str, AfterValidator(_origins)]
Compat = Annotated[str, AfterValidator(_compat)]
Zone = Annotated[str, AfterValidator(_zone)]
Sender = Annotated[str, Field(min_length=3, max_length=254), AfterValidator(_sender)]
Token = Annotated[SecretStr, AfterValidator(_token)]
Secret = Annotated[SecretStr, AfterValidator(_secret)]
WebhookSecret = Annotated[SecretStr, AfterValidator(_webhook_secret)]
SmtpUrl = Annotated[SecretStr, AfterValidator(_smtp)]
BusUrl = Annotated[SecretStr, AfterValidator(_bus)]
Shops = Annotated[str, AfterValidator(_shops)]
