"""Tokens: what they say, how long they hold, and what is none of ours."""

from __future__ import annotations

from typing import Any

import jwt
import pytest
from hypothesis import given
from hypothesis import strategies as st

from cafe.accounts.tokens import (
    ACCESS_SECONDS,
    LEEWAY_SECONDS,
    LONGEST,
    REQUIRED,
    TokenType,
    WrongTokenError,
    hash_of,
    new_program_token,
    tokens_of,
)

SECRET = b"a secret of the tests, and long enough"
NOW = 1_700_000_000.75
ACCESS = tokens_of(SECRET).access("ada", "customer", "sign-in", NOW)
REFRESH = tokens_of(SECRET).refresh("ada", "customer", "sign-in", 3, NOW)
CLAIMS: dict[str, Any] = jwt.decode(
    ACCESS, SECRET, algorithms=["HS256"], options={"verify_exp": False}
)


def signed(claims: Any, secret: Any = SECRET, algorithm: str = "HS256", **header: Any) -> str:
    return jwt.encode(claims, secret, algorithm=algorithm, headers=header or None)


def is_read(token: str, now: float = NOW, kind: TokenType = TokenType.ACCESS) -> bool:
    tokens = tokens_of(SECRET)
    for _ in range(2):  # the second time it may be known
        try:
            tokens.read(token, now, kind)
        except WrongTokenError:
            continue
        return True
    return False


def test_a_token_names_its_account_and_its_sign_in() -> None:
    assert CLAIMS == {
        "sub": "ada",
        "iat": 1_700_000_000,
        "exp": 1_700_000_000 + 30 * 60,
        "jti": "sign-in.0",
        "type": "access",
        "role": "customer",
    }
    claims = tokens_of(SECRET).read(REFRESH, NOW, TokenType.REFRESH)
    assert claims[:4] == ("ada", "sign-in", 3, TokenType.REFRESH)
    assert claims.expires_at == 1_700_000_000 + 14 * 86_400


def test_the_same_refresh_token_is_the_same_text() -> None:
    assert tokens_of(SECRET).refresh("ada", "customer", "sign-in", 3, NOW) == REFRESH
    assert tokens_of(SECRET).refresh("ada", "customer", "sign-in", 4, NOW) != REFRESH


@pytest.mark.parametrize(("after", "holds"), [(0.0, True), (9.0, True), (10.0, False)])
def test_a_token_holds_ten_seconds_longer_than_it_says(after: float, *, holds: bool) -> None:
    assert LEEWAY_SECONDS == 10
    assert is_read(ACCESS, int(NOW) + ACCESS_SECONDS + after) is holds


def test_a_token_that_is_known_expires_as_well() -> None:
    tokens = tokens_of(SECRET)
    tokens.read(ACCESS, NOW, TokenType.ACCESS)
    with pytest.raises(WrongTokenError):
        tokens.read(ACCESS, NOW + ACCESS_SECONDS + 10, TokenType.ACCESS)


def test_a_token_is_of_one_type() -> None:
    assert is_read(REFRESH, kind=TokenType.REFRESH)
    assert not is_read(REFRESH)
    assert not is_read(ACCESS, kind=TokenType.REFRESH)
    assert not is_read(tokens_of(SECRET).operator(NOW))
    assert is_read(tokens_of(SECRET).operator(NOW), kind=TokenType.OPERATOR)
    assert not is_read(tokens_of(SECRET).operator(NOW), NOW + 71, TokenType.OPERATOR)


@pytest.mark.parametrize("claim", REQUIRED)
def test_every_claim_is_required(claim: str) -> None:
    assert is_read(signed(CLAIMS))
    assert not is_read(signed({name: CLAIMS[name] for name in CLAIMS if name != claim}))


WRONG: dict[str, str] = {
    "empty": "",
    "no token": "garbage",
    "three dots": "...",
    "another secret": signed(CLAIMS, b"another secret, which is long enough"),
    "another algorithm": signed(CLAIMS, SECRET * 2, "HS512"),
    "no algorithm": signed(CLAIMS, None, "none"),
    "another header": signed(CLAIMS, kid="1"),
    "a cut signature": ACCESS[:-1],
    "more behind it": f"{ACCESS}x",
    "two dots more": f"{ACCESS}..",
    "padding": f"{ACCESS}=",
    "the same signature in other letters": ACCESS[:-1] + chr(ord(ACCESS[-1]) + 1),
    "a space": f" {ACCESS}",
    "another payload": REFRESH.rpartition(".")[0] + "." + ACCESS.rpartition(".")[2],
    "surrogates": "\ud800",
    "surrogates behind ours": f"{ACCESS}\ud800",
    "other letters": f"{ACCESS}é",
    "nested lists": "W1tb" * 400 + ".e30.e30",
    "too long": ACCESS + "A" * LONGEST,
    "an id without a sign-in": signed({**CLAIMS, "jti": "7"}),
    "a list as id": signed({**CLAIMS, "jti": ["sign-in", 0]}),
    "a word as generation": signed({**CLAIMS, "jti": "sign-in.x"}),
    "an unknown type": signed({**CLAIMS, "type": "id"}),
    "a list as type": signed({**CLAIMS, "type": []}),
}


@pytest.mark.parametrize("token", WRONG.values(), ids=WRONG)
def test_what_is_none_of_ours_is_refused(token: str) -> None:
    assert not is_read(token)


@given(st.text() | st.text().map(lambda text: ACCESS.partition(".")[0] + "." + text))
def test_no_text_raises_anything_else(text: str) -> None:
    assert not is_read(text)


def test_a_programs_token_cannot_be_guessed_and_its_hash_is_kept() -> None:
    first, second = new_program_token(), new_program_token()
    assert first != second
    assert first.startswith("cafe_")
    assert len(first) >= 48
    assert first not in hash_of(first)
    assert hash_of(first) == hash_of(first) != hash_of(second)
