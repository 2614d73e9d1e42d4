"""Tokens of accounts: signed texts (JWT, RFC 7519) that name a sign-in, and programs' tokens.

Rule: an account's token only names its sign-in: the Accounts actor decides about role and status. A
refresh token is made of its sign-in's row, so it can be made again, byte for byte. No token is
parsed before its signature is verified: all our tokens have the same header, and any other text is
refused.
"""

from __future__ import annotations

import re
import secrets
from dataclasses import dataclass
from enum import StrEnum
from hashlib import sha256
from typing import Any, Final, NamedTuple

import jwt
from jwt.exceptions import PyJWTError

from cafe.accounts.lru import Lru
from cafe.accounts.sign_in import REFRESH_SECONDS
from cafe.http.authentication import Role

ALGORITHM: Final = "HS256"
ACCESS_SECONDS: Final = 30 * 60
OPERATOR_SECONDS: Final = 60
LEEWAY_SECONDS: Final = 10
REQUIRED: Final = ("sub", "exp", "iat", "jti", "type", "role")
LONGEST: Final = 2_048
MOST_VERIFIED: Final = 4_096
"""The most tokens in the cache of verified ones."""
PROGRAM_PREFIX: Final = "cafe_"
"""The prefix of programs' tokens, for people and for scanners of secrets."""
_HEADER: Final = jwt.encode({}, b"\0" * 32, algorithm=ALGORITHM).partition(".")[0] + "."
# The signature is 32 bytes in their only canonical form: base64 decoders accept several.
_OURS: Final = re.compile(
    rf"{re.escape(_HEADER)}[A-Za-z0-9_-]+\.[A-Za-z0-9_-]{{42}}[AEIMQUYcgkosw048]"
)
# PyJWT does not check the times: `read` compares them with the ledger's clock.
_OPTIONS: Final[Any] = {
    "require": list(REQUIRED),
    "verify_exp": False,
    "verify_iat": False,
    "verify_nbf": False,
}


class TokenType(StrEnum):
    """The purpose of a token."""

    ACCESS = "access"
    REFRESH = "refresh"
    OPERATOR = "operator"
    """For the command line, which can read the secret; it has the role of a manager."""


class WrongTokenError(Exception):
    """The text is not a token of ours, is of another type, or has expired."""


class Claims(NamedTuple):
    """The claims of a token that are used."""

    account_id: str
    sign_in_id: str
    generation: int
    type: TokenType
    expires_at: float


@dataclass(frozen=True, slots=True)
class Tokens:
    """Makes and reads tokens with one secret."""

    secret: bytes
    verified: Lru[str, Claims]

    def access(self, account_id: str, role: str, sign_in_id: str, now: float) -> str:
        """Return a token for requests of a sign-in."""
        return self._make(account_id, role, f"{sign_in_id}.0", TokenType.ACCESS, now)

    def refresh(
        self, account_id: str, role: str, sign_in_id: str, generation: int, issued_at: float
    ) -> str:
        """Return a sign-in's refresh token; the same arguments give the same text."""
        jti = f"{sign_in_id}.{generation}"
        return self._make(account_id, role, jti, TokenType.REFRESH, issued_at)

    def operator(self, now: float) -> str:
        """Return a token for one command."""
        jti = f"{secrets.token_urlsafe(12)}.0"
        return self._make("operator", Role.MANAGER, jti, TokenType.OPERATOR, now)

    def read(self, token: str, now: float, *types: TokenType) -> Claims:
        """Return the claims of a token of one of these types; raises WrongTokenError."""
        claims = self.verified.get(token)
        if claims is None:
            claims = self._verify(token)
            self.verified.put(token, claims)
        if claims.type not in types or now >= claims.expires_at + LEEWAY_SECONDS:
            raise WrongTokenError
        return claims

    def _verify(self, token: str) -> Claims:
        if len(token) > LONGEST or _OURS.fullmatch(token) is None:
            raise WrongTokenError
        try:
            said = jwt.decode(token, self.secret, algorithms=[ALGORITHM], options=_OPTIONS)
            sign_in_id, generation = said["jti"].rsplit(".", 1)
            return Claims(
                said["sub"],
                sign_in_id,
                int(generation),
                TokenType(said["type"]),
                float(said["exp"]),
            )
        except (PyJWTError, UnicodeError, ValueError, TypeError):
            raise WrongTokenError from None

    def _make(self, subject: str, role: str, jti: str, of_type: TokenType, at: float) -> str:
        issued_at = int(at)
        claims = {
            "sub": subject,
            "iat": issued_at,
            "exp": issued_at + SECONDS[of_type],
            "jti": jti,
            "type": of_type.value,
            "role": str(role),
        }
        return jwt.encode(claims, self.secret, algorithm=ALGORITHM)


SECONDS: Final = {
    TokenType.ACCESS: ACCESS_SECONDS,
    TokenType.REFRESH: REFRESH_SECONDS,
    TokenType.OPERATOR: OPERATOR_SECONDS,
}


def tokens_of(secret: bytes) -> Tokens:
    """Return the Tokens of a secret, with an empty cache."""
    return Tokens(secret, Lru(MOST_VERIFIED))


def new_program_token() -> str:
    """Return a new token for a program: 256 random bits."""
    return PROGRAM_PREFIX + secrets.token_urlsafe(32)


def hash_of(program_token: str) -> str:
    """Return the stored hash of a program's token, which is random: a plain hash hides it."""
    return sha256(program_token.encode()).hexdigest()
