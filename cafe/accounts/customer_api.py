"""Signing in, over HTTP: the routes under `/auth`, on both apps.

Rule: routes only translate between HTTP and the desk. Wrong credentials count against the client's
address, as a wrong token does.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from functools import partial
from typing import Annotated, Final, TypeVar

from fastapi import APIRouter, Body, Form, Request
from pydantic_core import PydanticCustomError
from starlette.responses import Response
from starlette.types import Scope

from actors import Ref
from cafe.accounts.desk import Desk
from cafe.accounts.refusals import NotAnAccount, SignedOut, WrongCredentials, WrongPassword
from cafe.accounts.schemas import (
    PasswordIn,
    RefreshIn,
    RegisterIn,
    SignInForm,
    SignOutIn,
    TokenPairOut,
    UserOut,
    read_email,
    token_pair_out,
    user_out,
)
from cafe.http.app import BODY, problems
from cafe.http.authentication import Anyone, Caller
from cafe.http.form_route import FormRoute
from cafe.http.plain_routes import PlainRoute
from cafe.http.reply import NOTHING, answer
from cafe.limits.guard import count_refusal
from cafe.limits.rate_limiter import RateLimiter

R = TypeVar("R")
NO_LEDGER: Final = problems(503, because="The member `reason` says why: `ledger` or `busy`.")
WRONG: Final = problems(401, because="The credentials are wrong, or hold no longer.")
TRIED: Final = problems(
    429,
    because="This address is over its limit; the member `limit` says over which:"
    " `requests`, `banned`, `sign_in`, `register` or `passwords`.",
)


def auth_routes(desk: Desk, limiter: Ref[RateLimiter]) -> APIRouter:
    """Return the routes by which a customer registers, and an account signs in and out."""
    router = APIRouter(
        tags=["accounts"], responses={**BODY, **TRIED, **NO_LEDGER}, route_class=PlainRoute
    )

    @router.post(
        "/auth/register",
        status_code=201,
        response_model=UserOut,
        responses=problems(409, because="There is an account with this e-mail address."),
    )
    async def register(request: Request, wish: RegisterIn) -> Response:
        """Make an account for a customer."""
        address = address_of(request.scope)
        account = await desk.register(wish.email, wish.password, wish.username, address)
        return answer(user_out(account), 201)

    @router.post("/auth/refresh", response_model=TokenPairOut, responses=WRONG)
    async def refresh(request: Request, spent: RefreshIn) -> Response:
        """Give a refresh token's successor; once that is used, the token must not come again."""
        asking = partial(desk.refresh, spent.refresh_token)
        return answer(token_pair_out(await counting_wrong(request.scope, limiter, asking)))

    @router.post("/auth/logout", status_code=204, response_class=Response)
    async def sign_out(
        caller: Anyone, which: Annotated[SignOutIn | None, Body()] = None
    ) -> Response:
        """End this sign-in, or all of the account."""
        everywhere = which is not None and which.everywhere
        await desk.sign_out(*signed_in(caller), everywhere=everywhere)
        return NOTHING

    @router.get("/auth/me", response_model=UserOut)
    async def me(caller: Anyone) -> Response:
        """Show the account that is signed in."""
        return answer(user_out(await desk.account(*signed_in(caller))))

    @router.post("/auth/password", status_code=204, response_class=Response)
    async def change_password(request: Request, caller: Anyone, wish: PasswordIn) -> Response:
        """Change the password; all other sign-ins of the account end."""
        account_id, sign_in_id = signed_in(caller)
        account = await desk.account(account_id, sign_in_id)
        changing = partial(
            desk.change_password,
            account,
            sign_in_id,
            wish.current_password,
            wish.new_password,
            address_of(request.scope),
        )
        await counting_wrong(request.scope, limiter, changing)
        return NOTHING

    return router


def form_routes(desk: Desk, limiter: Ref[RateLimiter], *, prefix: str = "") -> APIRouter:
    """Return the route of the sign-in form, which a PlainRoute could not read."""
    router = APIRouter(
        prefix=prefix,
        tags=["accounts"],
        responses={**BODY, **WRONG, **TRIED, **NO_LEDGER},
        route_class=FormRoute,
    )

    @router.post("/auth/token", response_model=TokenPairOut)
    async def sign_in(request: Request, form: Annotated[SignInForm, Form()]) -> Response:
        """Sign in. An unknown address, a wrong password and a disabled account answer alike."""
        signing_in = partial(
            desk.sign_in, folded(form.username), form.password, address_of(request.scope)
        )
        return answer(token_pair_out(await counting_wrong(request.scope, limiter, signing_in)))

    return router


def folded(email: str) -> str:
    """Return an e-mail address as it is compared; for another text, one that equals no address."""
    try:
        return read_email(email).folded
    except PydanticCustomError:
        return f" {email.casefold()}"


def address_of(scope: Scope) -> str:
    """Return the client's address, which the guard has put into the scope."""
    address: str = scope["state"]["address"]
    return address


def signed_in(caller: Caller) -> tuple[str, str]:
    """Return the ids of the caller's account and sign-in; raises NotAnAccount for a program."""
    if caller.account_id is None or caller.sign_in_id is None:
        raise NotAnAccount
    return caller.account_id, caller.sign_in_id


async def counting_wrong(
    scope: Scope, limiter: Ref[RateLimiter], ask: Callable[[], Awaitable[R]]
) -> R:
    """Ask, and count wrong credentials against the request's address."""
    try:
        return await ask()
    except (WrongCredentials, WrongPassword, SignedOut):
        await count_refusal(limiter, "credentials", scope)
        raise
