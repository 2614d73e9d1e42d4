"""Managers' routes: accounts, and programs' tokens.

Rule: routes only translate between HTTP and the desk.
"""

from __future__ import annotations

from typing import Annotated, Any, Final

from fastapi import APIRouter, Query, Request
from pydantic import BeforeValidator, WithJsonSchema
from starlette.responses import Response

from cafe.accounts.account import Status
from cafe.accounts.desk import OPERATOR, Desk
from cafe.accounts.messages import ChangeAccount
from cafe.accounts.schemas import (
    GrantedTokenOut,
    ManagedUserOut,
    ProgramTokensOut,
    TokenIn,
    UserIn,
    UserPatchIn,
    UsersOut,
    granted_token_out,
    managed_user_out,
    program_token_out,
    read_email,
)
from cafe.http.app import BODY, problems
from cafe.http.authentication import Caller, Manager, Role
from cafe.http.email_address import MAX_EMAIL
from cafe.http.pages import LINKED, link_headers, no_cursor, page_of, read_text_cursor
from cafe.http.plain_routes import PlainRoute
from cafe.http.refusals import CafeRefusal
from cafe.http.reply import NOTHING, answer
from cafe.http.schema import Id
from cafe.http.worker_guards import BARISTAS_ONLY

MOST_LISTED: Final = 500
NO_LEDGER: Final = problems(503, because="The member `reason` says why: `ledger` or `busy`.")
STATUSES: Final = {True: Status.DISABLED, False: Status.ACTIVE}


class WrongRole(CafeRefusal):
    """Programs are baristas or managers."""

    status = 422

    def __init__(self) -> None:
        super().__init__("A program's role is barista or manager.")


LONGEST_CURSOR: Final = 4 * MAX_EMAIL
"""The most characters: base64 of an address that may not be ASCII."""


def _read_cursor(cursor: Any) -> str:
    try:
        email = read_text_cursor(cursor, longest=LONGEST_CURSOR)
    except ValueError:
        raise no_cursor() from None
    if len(email) > MAX_EMAIL or not email.isprintable():
        raise no_cursor()
    return email


def _read_email(text: Any) -> str:
    return read_email(text).folded


Cursor = Annotated[
    str,
    BeforeValidator(_read_cursor),
    WithJsonSchema({"type": "string", "maxLength": LONGEST_CURSOR}),
    Query(description="Where the page begins; take it from the link of the page before."),
]
EmailQuery = Annotated[
    str,
    BeforeValidator(_read_email),
    WithJsonSchema({"type": "string", "maxLength": MAX_EMAIL}),
    Query(description="Only the account that has this e-mail address."),
]
Limit = Annotated[int, Query(ge=1, le=MOST_LISTED, description="How many users, at most.")]
RoleQuery = Annotated[Role, Query(description="Only accounts with this role.")]


def manager_routes(desk: Desk) -> APIRouter:
    """Return the routes of managers."""
    router = APIRouter(
        tags=["accounts"], responses={**BARISTAS_ONLY, **NO_LEDGER}, route_class=PlainRoute
    )

    @router.get("/admin/users", response_model=UsersOut, responses={**problems(400), **LINKED})
    async def users(
        request: Request,
        _caller: Manager,
        email: EmailQuery | None = None,
        role: RoleQuery | None = None,
        limit: Limit = MOST_LISTED,
        cursor: Cursor | None = None,
    ) -> Response:
        """List accounts in the order of their e-mail addresses."""
        if email is not None:
            found = await desk.find(email)
            page = [] if found is None or role not in {None, found.role} else [found]
        else:
            page = await desk.page(cursor or "", limit, role)
        shown, behind = page_of(page, limit, lambda one: one.folded)
        links = link_headers(request, "/admin/users", behind, limit=limit, role=role)
        users_out = [managed_user_out(one) for one in shown]
        return answer(UsersOut(users=users_out), headers=links)

    @router.post(
        "/admin/users",
        status_code=201,
        response_model=ManagedUserOut,
        responses={**BODY, **problems(409)},
    )
    async def add(caller: Manager, wish: UserIn) -> Response:
        """Add an account with a role."""
        by = name_of(caller)
        account = await desk.add(wish.email, wish.password, wish.username, wish.role, by)
        return answer(managed_user_out(account), 201)

    @router.patch(
        "/admin/users/{user_id}",
        response_model=ManagedUserOut,
        responses={**BODY, **problems(404, 409)},
    )
    async def change(caller: Manager, user_id: Id, wish: UserPatchIn) -> Response:
        """Give an account another role, disable or enable it; the last manager stays."""
        role = None if wish.role is None else wish.role.value
        status = None if wish.disabled is None else STATUSES[wish.disabled]
        message = ChangeAccount(user_id, role, status, name_of(caller))
        return answer(managed_user_out(await desk.change(message)))

    _add_token_routes(router, desk)
    return router


def _add_token_routes(router: APIRouter, desk: Desk) -> None:
    @router.get("/admin/tokens", response_model=ProgramTokensOut)
    async def tokens(_caller: Manager) -> Response:
        """List the programs' tokens that hold."""
        found = await desk.program_tokens()
        return answer(ProgramTokensOut(tokens=[program_token_out(one) for one in found]))

    @router.post(
        "/admin/tokens",
        status_code=201,
        response_model=GrantedTokenOut,
        responses={**BODY, **problems(409)},
    )
    async def grant(caller: Manager, wish: TokenIn) -> Response:
        """Grant a token to a program. Its text is shown this once, and kept hashed."""
        if wish.role not in {Role.BARISTA, Role.MANAGER}:
            raise WrongRole
        token, text = await desk.grant(wish.name, wish.role, name_of(caller))
        return answer(granted_token_out(token, text), 201)

    @router.delete(
        "/admin/tokens/{name}", status_code=204, response_class=Response, responses=problems(404)
    )
    async def revoke(caller: Manager, name: Id) -> Response:
        """Revoke a program's token."""
        await desk.revoke(name, name_of(caller))
        return NOTHING


def name_of(caller: Caller) -> str:
    """Return the name of a caller in events."""
    return caller.name or OPERATOR
