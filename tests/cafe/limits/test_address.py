from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from cafe.limits.address import (
    address_key,
    client_address,
    is_trusted,
    parse_key,
    parse_networks,
)

PROXY = "10.0.0.1"
TRUSTED = parse_networks("10.0.0.0/8, 2001:db8:ffff::/48")

addresses = st.one_of(
    st.ip_addresses(v=4, network="192.0.2.0/24"), st.ip_addresses(v=6, network="2001:db8::/48")
)
# Whatever HTTP lets a client write into a header field.
header_text = st.text(
    st.characters(max_codepoint=255, exclude_categories=["Cc"], include_characters="\t"),
    max_size=60,
) | st.text(st.sampled_from('for="\\,;=1.[]: '), max_size=60)


def xff(*lines: str) -> list[tuple[bytes, bytes]]:
    return [(b"x-forwarded-for", line.encode("latin-1")) for line in lines]


def forwarded(*lines: str) -> list[tuple[bytes, bytes]]:
    return [(b"forwarded", line.encode("latin-1")) for line in lines]


def forwarded_element(address: IPv4Address | IPv6Address) -> str:
    return f"for={address}" if address.version == 4 else f'for="[{address}]"'


@pytest.mark.parametrize(
    ("host", "key"),
    [
        ("192.0.2.7", "192.0.2.7"),
        ("::ffff:192.0.2.7", "192.0.2.7"),
        ("2001:db8::1", "2001:db8::/64"),
        ("2001:DB8:0:0:ffff::9", "2001:db8::/64"),
        ("fe80::1%eth0", "fe80::/64"),
        ("::1", "::/64"),
        ("/run/cafe.sock", "/run/cafe.sock"),
        ("", ""),
    ],
)
def test_a_host_has_one_key(host: str, key: str) -> None:
    assert address_key(host) == key


@given(st.ip_addresses(v=6, network="2001:db8:1:2::/64"))
def test_every_address_of_a_64_has_the_same_key(address: IPv6Address) -> None:
    assert address_key(str(address)) == address_key("2001:db8:1:2::")


@pytest.mark.parametrize(
    ("text", "key"),
    [
        ("192.0.2.7", "192.0.2.7"),
        ("::ffff:192.0.2.7", "192.0.2.7"),
        ("2001:DB8::1", "2001:db8::/64"),
        ("2001:db8::/64", "2001:db8::/64"),
        ("2001:db8:0:0::/64", "2001:db8::/64"),
    ],
)
def test_a_key_is_read_from_an_address_and_from_a_key(text: str, key: str) -> None:
    assert parse_key(text) == key
    assert parse_key(key) == key


@pytest.mark.parametrize(
    "text",
    [
        "",
        "cafe",
        "192.0.2",
        "192.0.2.0/24",
        "192.0.2.7/32",
        "2001:db8::/48",
        "2001:db8::1/64",
        "::/x",
    ],
)
def test_what_is_no_key_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match=r"."):
        parse_key(text)


def test_networks_are_read_from_comma_separated_text() -> None:
    assert parse_networks(" 10.0.0.0/8,2001:db8::/32 , 192.0.2.1") == (
        IPv4Network("10.0.0.0/8"),
        IPv6Network("2001:db8::/32"),
        IPv4Network("192.0.2.1/32"),
    )


def test_a_mapped_network_is_the_ipv4_network_that_hosts_are_compared_as() -> None:
    networks = parse_networks("::ffff:10.0.0.0/104")
    assert networks == (IPv4Network("10.0.0.0/8"),)
    assert is_trusted("::ffff:10.1.2.3", networks)


@pytest.mark.parametrize("text", ["", " ", ","])
def test_empty_text_is_no_network(text: str) -> None:
    assert parse_networks(text) == ()


@pytest.mark.parametrize("item", ["proxy.example", "10.0.0.1/8", "10.0.0.0/33", "::/200"])
def test_a_malformed_network_raises_a_sentence_that_names_it(item: str) -> None:
    with pytest.raises(ValueError, match=rf"^'{item}' is not a network like .+") as refused:
        parse_networks(f"192.0.2.0/24,{item}")
    assert "\n" not in str(refused.value)


@pytest.mark.parametrize("host", ["10.9.9.9", "::ffff:10.0.0.1", "2001:db8:ffff::1"])
def test_hosts_inside_the_networks_are_trusted(host: str) -> None:
    assert is_trusted(host, TRUSTED)


@pytest.mark.parametrize("host", ["11.0.0.1", "2001:db8::1", "/run/cafe.sock", ""])
def test_all_other_hosts_are_not_trusted(host: str) -> None:
    assert not is_trusted(host, TRUSTED)


@given(header_text, header_text)
def test_headers_of_an_untrusted_peer_never_matter(one: str, other: str) -> None:
    headers = forwarded(one) + xff(other)
    assert client_address("192.0.2.7", headers, TRUSTED) == "192.0.2.7"


@pytest.mark.parametrize(
    "headers",
    [
        xff("192.0.2.7"),
        xff("192.0.2.7:4711"),
        xff("192.0.2.7, 10.1.1.1"),
        xff("192.0.2.7", "10.1.1.1, 10.2.2.2"),
        xff("192.0.2.7, ,"),
        xff("::ffff:192.0.2.7"),
        forwarded("for=192.0.2.7"),
        forwarded('For="192.0.2.7:4711"'),
        forwarded('for="192.0.2.7:_port"'),
        forwarded("for=192.0.2.7; proto=https ;by=_us;"),
        forwarded(r'host="a\",for=6.6.6.6\\";for=192.0.2.7'),
        forwarded(r'for=6.6.6.6, host="a\",b";for=192.0.2.7'),
        forwarded('for=192.0.2.7;host="a,b", for="[2001:db8:ffff::2]"'),
        forwarded("for=192.0.2.7", "for=10.1.1.1,for=10.2.2.2"),
    ],
)
def test_the_rightmost_untrusted_hop_is_the_client(headers: list[tuple[bytes, bytes]]) -> None:
    assert client_address(PROXY, headers, TRUSTED) == "192.0.2.7"


@pytest.mark.parametrize(
    "headers",
    [
        xff("2001:db8::7"),
        xff("[2001:db8::7]"),
        xff("[2001:db8::7]:4711"),
        forwarded('for="[2001:DB8::7]"'),
        forwarded('for="[2001:db8::7]:4711"'),
    ],
)
def test_an_ipv6_client_is_known_by_its_64(headers: list[tuple[bytes, bytes]]) -> None:
    assert client_address(PROXY, headers, TRUSTED) == "2001:db8::/64"


@pytest.mark.parametrize(
    "headers",
    [
        [],
        xff(""),
        xff("unknown"),
        xff("192.0.2.7, nonsense"),
        xff("192.0.2.7, 1.2.3"),
        xff("192.0.2.7, nonsense, 10.1.1.1"),
        forwarded("for=unknown"),
        forwarded("for=_hidden"),
        forwarded('for="_hidden:_port"'),
        forwarded("proto=https"),
        forwarded("for=192.0.2.7;for=192.0.2.8"),
        forwarded("for=192.0.2.7 extra"),
        forwarded('for="192.0.2.7'),
        forwarded('for=""'),
        forwarded("192.0.2.7"),
    ],
)
def test_a_client_that_is_not_known_is_counted_as_the_proxy(
    headers: list[tuple[bytes, bytes]],
) -> None:
    assert client_address(PROXY, headers, TRUSTED) == PROXY


def test_the_leftmost_hop_is_the_client_when_all_hops_are_trusted() -> None:
    assert client_address(PROXY, xff("10.5.5.5, 10.6.6.6"), TRUSTED) == "10.5.5.5"


@given(spoofed=header_text, client=addresses, own_line=st.booleans())
@example(spoofed='for="', client=IPv4Address("192.0.2.7"), own_line=False)
@example(spoofed='for="\\', client=IPv4Address("192.0.2.7"), own_line=False)
def test_what_a_client_writes_into_forwarded_never_matters(
    *, spoofed: str, client: IPv4Address | IPv6Address, own_line: bool
) -> None:
    appended = forwarded_element(client)
    lines = (spoofed, appended) if own_line else (f"{spoofed}, {appended}",)
    assert client_address(PROXY, forwarded(*lines), TRUSTED) == address_key(str(client))


@given(spoofed=header_text, client=addresses, own_line=st.booleans())
def test_what_a_client_writes_into_x_forwarded_for_never_matters(
    *, spoofed: str, client: IPv4Address | IPv6Address, own_line: bool
) -> None:
    # This header knows no quotes: an item that a client begins with one must not hide the next.
    lines = (spoofed, str(client)) if own_line else (f"{spoofed}, {client}",)
    assert client_address(PROXY, xff(*lines), TRUSTED) == address_key(str(client))


@given(header_text, addresses)
def test_a_header_that_the_proxy_passes_on_unread_never_changes_the_client(
    spoofed: str, client: IPv4Address | IPv6Address
) -> None:
    headers = forwarded(spoofed) + xff(str(client))
    assert client_address(PROXY, headers, TRUSTED) in {PROXY, address_key(str(client))}


def test_both_headers_are_believed_when_they_agree() -> None:
    headers = forwarded('for="[2001:db8::7]"') + xff("2001:db8::8")
    assert client_address(PROXY, headers, TRUSTED) == "2001:db8::/64"


def test_both_headers_are_dropped_when_they_differ() -> None:
    headers = forwarded("for=192.0.2.7") + xff("192.0.2.8")
    assert client_address(PROXY, headers, TRUSTED) == PROXY


def test_a_long_header_of_lone_quotes_is_read_in_one_pass() -> None:
    # Read with a copy of the rest for each quote, 256 KiB would take minutes.
    headers = forwarded('\\"' * 131_072 + ",for=10.1.1.1")
    assert client_address(PROXY, headers, TRUSTED) == PROXY
