"""The same requests to our server and to two others: where those agree, ours does too."""

from __future__ import annotations

import json
from collections.abc import Callable, Generator, Iterable, Mapping

import pytest
from hypothesis import HealthCheck, given, settings

from tests.chance import examples
from tests.peers.application import CUTS_OFF
from tests.peers.comparing import Difference, difference
from tests.peers.corpus import ODD, PROBE, VALID, Case, bytewise
from tests.peers.corpus import ask as request
from tests.peers.dangers import CASES, DANGEROUS, HEADLESS
from tests.peers.differences import REASONS, Reason
from tests.peers.reading import Conversation, Server
from tests.peers.requests import MOST_BYTES, composed, mutated
from tests.peers.servers import all_running

pytestmark = pytest.mark.once

Servers = Mapping[str, Server]

# Derandomized, so that CI has the same result each time.
CHANCE = settings(
    max_examples=examples(300),
    derandomize=True,
    deadline=None,
    suppress_health_check=[HealthCheck.too_slow],
)


@pytest.fixture(scope="module")
def servers() -> Generator[Servers]:
    with all_running() as ports:
        yield {kind: Server(port) for kind, port in ports.items()}


def ask_all(servers: Servers, case: Case) -> dict[str, Conversation]:
    """Send the case to each server, then a probe, which shows the state of the connection."""
    return {kind: ask(server, case) for kind, server in servers.items()}


def ask(server: Server, case: Case) -> Conversation:
    return server.talk((*case.pieces, PROBE), case.methods)


@pytest.fixture(scope="module")
def answered(servers: Servers) -> Mapping[str, Mapping[str, Conversation]]:
    """Return what each server answered to each case; each case is sent once for all tests."""
    return {name: ask_all(servers, case) for name, case in CASES.items()}


def reasons_for(case: Case, found: Difference) -> list[Reason]:
    raw = b"".join(case.pieces)
    return [reason for reason in REASONS if reason.explains(raw, found)]


def check_each(names: Iterable[str], check: Callable[[str], None]) -> None:
    """Check hundreds of cases in one test; raise all failures, with their names, as one group."""
    failures: list[AssertionError] = []
    for name in names:
        try:
            check(name)
        except AssertionError as failure:
            failure.add_note(f"the case: {name}")
            failures.append(failure)
    if failures:
        raise ExceptionGroup("some cases fail", failures)


def test_where_both_peers_agree_ours_agrees_or_has_a_reason(
    answered: Mapping[str, Mapping[str, Conversation]],
) -> None:
    def check(name: str) -> None:
        listed = [reason for reason in REASONS if name in reason.cases]
        found = difference(answered[name])
        # also the reverse: each listed case still differs, and its reason explains it
        assert (reasons_for(CASES[name], found) if found else []) == listed, found

    check_each(CASES, check)


def test_every_listed_difference_names_an_existing_case() -> None:
    assert {name for reason in REASONS for name in reason.cases} <= CASES.keys()


def test_h11_reads_every_response_of_ours(
    answered: Mapping[str, Mapping[str, Conversation]],
) -> None:
    def check(name: str) -> None:
        check_readable(CASES[name], answered[name]["ours"])

    check_each(CASES, check)


def check_readable(case: Case, talk: Conversation) -> None:
    """Check what holds for each of our responses, independent of the peers."""
    raw = b"".join(case.pieces)
    assert not talk.complaint
    for response in talk.responses:
        names = [name for name, _ in response.headers]
        assert names.count(b"date") == names.count(b"server") == 1
        assert response.is_whole or any(path.encode() in raw for path in CUTS_OFF)
        if response.is_the_servers:
            assert (b"content-type", b"application/problem+json") in response.headers
    errors = [response.is_the_servers for response in talk.responses]
    assert True not in errors[:-1]  # after an error of its own the server closes the connection
    assert talk.is_closed or True not in errors


def test_a_dangerous_request_is_refused_with_its_status(servers: Servers) -> None:
    def check(name: str) -> None:
        raw, status = DANGEROUS[name]
        talk = ask(servers["ours"], Case((raw,)))
        assert talk.statuses == (status,)
        assert talk.is_closed

    check_each(DANGEROUS, check)


def can_be_cut(case: Case) -> bool:
    """Return whether the case may be cut elsewhere: no client waits in it, and it is short."""
    raw = b"".join(case.pieces)
    return b"Expect" not in raw and 0 < len(raw) <= MOST_BYTES


def test_a_response_does_not_depend_on_how_the_bytes_arrive(servers: Servers) -> None:
    def check(name: str) -> None:
        case = CASES[name]
        raw = b"".join(case.pieces)
        whole = ask(servers["ours"], Case((raw,), case.methods))
        pieces = bytewise(raw, 1 if name in DANGEROUS else 7)
        in_pieces = ask(servers["ours"], Case(pieces.pieces, case.methods))
        assert in_pieces.essence() == whole.essence()

    check_each([name for name, case in CASES.items() if can_be_cut(case)], check)


@pytest.mark.parametrize("name", HEADLESS)
def test_a_refused_head_request_gets_no_body(servers: Servers, name: str) -> None:
    case = Case((HEADLESS[name],), ("HEAD",))
    talk = ask(servers["ours"], case)
    check_readable(case, talk)
    assert len(talk.responses) == 1
    assert talk.is_closed


@pytest.mark.parametrize("name", [name for name in ODD if "upgrade" in name])
def test_an_upgrade_is_ignored_and_the_next_request_is_served(servers: Servers, name: str) -> None:
    talk = ask(servers["ours"], CASES[name])
    assert talk.statuses == (200, 200, 200)
    assert not talk.is_closed


@pytest.mark.parametrize(
    ("target", "host", "path", "query"),
    [
        (b"http://cafe/a?b", "cafe", "/a", "b"),
        (b"http://other:81/a%20b", "other:81", "/a b", ""),
        (b"https://[::1]:81/", "[::1]:81", "/", ""),
        (b"HTTP://CAFE", "CAFE", "/", ""),
        (b"http://cafe?b", "cafe", "/", "b"),
    ],
)
def test_the_authority_of_an_absolute_target_replaces_host(
    servers: Servers, target: bytes, host: str, path: str, query: str
) -> None:
    first, after = ask(servers["ours"], Case((request(target, b"X-A: b"),))).responses
    seen = json.loads(first.body)
    assert (seen["path"], seen["query_string"]) == (path, query)
    assert sorted(seen["headers"]) == [["host", host], ["x-a", "b"]]
    assert json.loads(after.body)["path"] == "/after"


@pytest.mark.parametrize("name", [name for name in VALID if "1.0" in name])
def test_http_1_0_gets_no_chunks_and_no_second_response(servers: Servers, name: str) -> None:
    talk = ask(servers["ours"], CASES[name])
    assert len(talk.responses) == 1
    assert b"transfer-encoding" not in dict(talk.responses[0].headers)
    assert talk.is_closed


@given(case=composed())
@CHANCE
def test_requests_composed_by_chance_get_the_responses_of_the_peers(
    servers: Servers, case: Case
) -> None:
    check(servers, case)


@given(case=mutated())
@CHANCE
def test_requests_mutated_by_chance_get_the_responses_of_the_peers(
    servers: Servers, case: Case
) -> None:
    check(servers, case)


def check(servers: Servers, case: Case) -> None:
    all_three = ask_all(servers, case)
    check_readable(case, all_three["ours"])
    found = difference(all_three)
    assert found is None or reasons_for(case, found), found
