"""The caller of a request, and the roles of a route: the one dependency that enforces roles.

Rule: a route declares `Annotated[Caller, Depends(Allow(...))]`, and nothing else decides. The app's
`Authenticate` function returns the caller: it reads `Authorization: Bearer` only, never a cookie,
so a page of another site cannot act for anyone. A plain route calls it before it reads a body.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Annotated, Final

from fastapi import Depends, Request
from starlette.types import Scope

from cafe.http.refusals import CafeRefusal, HeaderFields
from cafe.http.role import Role as Role  # noqa: PLC0414 - exported with Caller


@dataclass(frozen=True, slots=True)
class Caller:
    """The person or program that makes a request."""

    role: Role
    account_id: str | None = None
    """None without an account: for an open port, the worker token, a program's token."""
    name: str | None = None
    """The name in events: an account's e-mail address, or the name of a program's token."""
    sign_in_id: str | None = None
    """For an account: the sign-in that signing out ends."""


Authenticate = Callable[[Scope], Awaitable[Caller | None]]
"""Returns the caller of a request; None for one without credentials that needs some.

Raises Unauthenticated for credentials that are wrong, expired or revoked.
"""


class Unauthenticated(CafeRefusal):
    """The request has no credentials, or wrong ones."""

    status = 401

    def __init__(self, detail: str = "Send credentials: Authorization: Bearer <token>.") -> None:
        super().__init__(detail)

    def headers(self) -> HeaderFields:
        """Return how to authenticate (RFC 6750, 3)."""
        return ((b"www-authenticate", b'Bearer realm="cafe"'),)


class Forbidden(CafeRefusal):
    """The caller's role may not do this."""

    status = 403

    def __init__(self, role: Role, allowed: frozenset[Role]) -> None:
        roles = " or ".join(sorted(allowed))
        super().__init__(f"This takes the role {roles}; yours is {role}.")


async def nobody(_scope: Scope) -> Caller | None:
    """Authenticate no one: for an app without accounts."""
    return None


class Allow:
    """A dependency that returns the caller of a route, and refuses callers of other roles."""

    def __init__(self, *roles: Role) -> None:
        """Allow only these roles."""
        self.roles = frozenset(roles)

    async def __call__(self, request: Request) -> Caller:
        """Return the caller; raises Unauthenticated or Forbidden."""
        return await self.caller_of(request.scope)

    async def caller_of(self, scope: Scope) -> Caller:
        """Return the caller of a request; raises Unauthenticated or Forbidden."""
        caller: Caller | None = await scope["app"].state.authenticate(scope)
        if caller is None:
            raise Unauthenticated
        if caller.role not in self.roles:
            raise Forbidden(caller.role, self.roles)
        return caller


STAFF: Final = (Role.BARISTA, Role.MANAGER)

Customer = Annotated[Caller, Depends(Allow(Role.CUSTOMER))]
Staff = Annotated[Caller, Depends(Allow(*STAFF))]
Manager = Annotated[Caller, Depends(Allow(Role.MANAGER))]
CustomerOrStaff = Annotated[Caller, Depends(Allow(Role.CUSTOMER, *STAFF))]
Anyone = Annotated[Caller, Depends(Allow(*Role))]
"""Callers of any role."""
STAFF_ONLY: Final = [Depends(Allow(*STAFF))]
"""For a router whose routes are all for staff, and do not need the caller."""


def bearer_of(scope: Scope) -> str | None:
    """Return the token in `Authorization: Bearer`; None without the header.

    Raises Unauthenticated for another scheme, or for several such headers.
    """
    given = [value for name, value in scope["headers"] if name == b"authorization"]
    if not given:
        return None
    scheme, _, token = given[0].partition(b" ")
    token = token.strip()
    if len(given) > 1 or scheme.lower() != b"bearer" or not token.isascii():
        raise Unauthenticated
    return str(token, "ascii")
