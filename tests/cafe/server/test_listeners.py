from __future__ import annotations

import socket

import pytest

from cafe.server.config import DoorConfig
from cafe.server.listeners import BindError, listening


def config(*binds: str) -> DoorConfig:
    config = DoorConfig()
    config.bind = list(binds)
    return config


def test_port_0_becomes_a_real_port_in_the_url() -> None:
    with listening(config("127.0.0.1:0", "[::1]:0")) as (v4, v6):
        assert v4.url == f"http://127.0.0.1:{v4.socket.getsockname()[1]}"
        assert v6.url == f"http://[::1]:{v6.socket.getsockname()[1]}"


def test_sockets_are_closed_after_the_block() -> None:
    with listening(config("127.0.0.1:0")) as (listener,):
        pass
    assert listener.socket.fileno() == -1


def test_an_address_in_use_is_named_and_nothing_stays_open() -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        address = f"127.0.0.1:{taken.getsockname()[1]}"
        with pytest.raises(BindError) as raised, listening(config("127.0.0.1:0", address)):
            pass
        assert raised.value.address == address
        assert str(raised.value) == f"Cannot listen on {address}: Address already in use."


@pytest.mark.parametrize("bind", ["192.0.2.1:0", "nowhere.invalid:0"])
def test_an_address_that_is_not_ours_is_named(bind: str) -> None:
    with pytest.raises(BindError, match=f"Cannot listen on {bind}: "), listening(config(bind)):
        pass


def test_a_client_that_vanishes_is_noticed_by_the_kernel() -> None:
    with listening(config("127.0.0.1:0")) as (listener,):
        assert listener.socket.getsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE) == 1
        if hasattr(socket, "TCP_USER_TIMEOUT"):
            level = socket.IPPROTO_TCP
            assert listener.socket.getsockopt(level, socket.TCP_USER_TIMEOUT) == 60_000


def test_one_ipv6_wildcard_listens_on_ipv4_too() -> None:
    with listening(config("[::]:0")) as (listener,):
        port = listener.socket.getsockname()[1]
        socket.create_connection(("127.0.0.1", port)).close()
