"""The keys of hypercorn's toml files: which ones work here, and why the others cannot be set.

Rule: every key of hypercorn is in exactly one of the two tables; a test compares them with it.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from math import inf
from typing import cast


@dataclass(frozen=True, slots=True)
class Kind:
    """What a value has to be: a predicate, and how to say it."""

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
    "whoever starts the process looks after it": (
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
