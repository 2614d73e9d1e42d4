"""The HTTP schemas of accounts; pydantic is used only at the edge.

Rule: an e-mail address and a password are parsed the same way on each route, so any account that is
registered or added can sign in.
"""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Annotated, Any, Final
from unicodedata import normalize

from pydantic import (
    AfterValidator,
    BaseModel,
    ConfigDict,
    Field,
    PlainValidator,
)
from pydantic_core import PydanticCustomError

from cafe.accounts.account import Account, ProgramToken, Status
from cafe.accounts.desk import Email, TokenPair
from cafe.accounts.tokens import ACCESS_SECONDS, LONGEST
from cafe.http.app import example
from cafe.http.authentication import Role
from cafe.http.email_address import EMAIL_SCHEMA, MAX_EMAIL, checked_email
from cafe.http.schema import Schema, Text, fit, schema_example

MIN_PASSWORD: Final = 8
MAX_PASSWORD: Final = 256
MOST_DECOMPOSED: Final = 4 * MAX_PASSWORD
"""The most characters of a password before NFC, which may compose several into one."""

USER: Final[dict[str, Any]] = {
    "user_id": "pGxkC0a9TtqUuXb0n2FZ0w",
    "email": "ada@example.com",
    "username": "Ada",
    "role": "customer",
}
MANAGED: Final[dict[str, Any]] = {
    **USER,
    "disabled": False,
    "registered_at": "2026-03-14T09:26:53.589793Z",
}
PROGRAM: Final[dict[str, Any]] = {
    "name": "till",
    "role": "barista",
    "granted_at": "2026-03-14T09:26:53.589793Z",
}
PASSWORD: Final = "correct horse battery staple"  # noqa: S105 - an example


def read_email(text: Any) -> Email:
    """Return an e-mail address; raises PydanticCustomError for any other value."""
    address = checked_email(text)
    return Email(address.normalized, (address.ascii_email or address.normalized).casefold())


def composed(password: str) -> str:
    """Return a password in the form that is hashed: in NFC, with its spaces."""
    return normalize("NFC", password)


def long_enough(password: str) -> str:
    """Return a new password; raises PydanticCustomError if its length is not allowed."""
    if not MIN_PASSWORD <= len(password) <= MAX_PASSWORD:
        raise PydanticCustomError(
            "password_length",
            "A password has {least} to {most} characters",
            {"least": MIN_PASSWORD, "most": MAX_PASSWORD},
        )
    return password


EmailText = Annotated[Email, PlainValidator(read_email), EMAIL_SCHEMA]
AnyPassword = Annotated[
    str, Field(max_length=MOST_DECOMPOSED), AfterValidator(fit), AfterValidator(composed)
]
"""A password that is checked against a stored hash."""
NewPassword = Annotated[AnyPassword, AfterValidator(long_enough)]
Username = Annotated[
    Text,
    Field(min_length=1, max_length=80, description="A display name; it need not be unique."),
]
TokenName = Annotated[Text, Field(max_length=64, pattern=r"^[A-Za-z0-9_-][A-Za-z0-9._-]*$")]
"""An id in a path, so it is not `.` or `..`, which clients resolve."""


class RegisterIn(Schema):
    """A customer's new account."""

    model_config = schema_example(
        {"email": USER["email"], "password": PASSWORD, "username": USER["username"]}
    )

    email: EmailText
    password: NewPassword
    username: Username | None = None


class SignInForm(BaseModel):
    """The form of OAuth 2.0 (RFC 6749, 4.3.2), whose unknown fields are ignored (3.2)."""

    model_config = ConfigDict(
        extra="ignore",
        hide_input_in_errors=True,
        json_schema_extra={
            "examples": [
                {"grant_type": "password", "username": USER["email"], "password": PASSWORD}
            ]
        },
    )

    username: Annotated[
        Text,
        Field(min_length=1, max_length=MAX_EMAIL, description="The account's e-mail address."),
    ]
    password: Annotated[AnyPassword, Field(min_length=1)]
    grant_type: Annotated[str, Field(max_length=8, pattern="^(password)?$")] = "password"


class RefreshIn(Schema):
    """A refresh token that is to be replaced by its successor."""

    model_config = schema_example({"refresh_token": "eyJhbGciOiJIUzI1NiIsInR5cCI6IkpXVCJ9..."})

    refresh_token: Annotated[str, Field(max_length=LONGEST)]


class SignOutIn(Schema):
    """Which sign-ins are to end."""

    model_config = schema_example({"everywhere": True})

    everywhere: bool = Field(default=False, description="All of the account, not only this one.")


class PasswordIn(Schema):
    """A new password, and the current one."""

    model_config = schema_example(
        {"current_password": PASSWORD, "new_password": "a staple of horses"}
    )

    current_password: AnyPassword
    new_password: NewPassword


class UserIn(Schema):
    """An account that a manager adds."""

    model_config = schema_example(
        {"email": "bo@example.com", "password": PASSWORD, "role": "barista"}
    )

    email: EmailText
    password: NewPassword
    username: Username | None = None
    role: Annotated[Role, Field(strict=False)]


class UserPatchIn(Schema):
    """What a manager changes of an account; what is left out stays as it is."""

    model_config = schema_example({"role": "manager"})

    role: Annotated[Role, Field(strict=False)] | None = None
    disabled: bool | None = None


class TokenIn(Schema):
    """A token for a program."""

    model_config = schema_example({"name": PROGRAM["name"], "role": PROGRAM["role"]})

    name: TokenName
    role: Annotated[Role, Field(strict=False, json_schema_extra={"enum": ["barista", "manager"]})]


class UserOut(BaseModel):
    """An account, as its owner sees it."""

    model_config = example(USER)

    user_id: str
    email: str
    username: str | None
    role: Role


class ManagedUserOut(UserOut):
    """An account, as managers see it."""

    model_config = example(MANAGED)

    disabled: bool
    registered_at: datetime


class UsersOut(BaseModel):
    """Accounts, in the order of their e-mail addresses."""

    model_config = example({"users": [MANAGED]})

    users: list[ManagedUserOut]


class TokenPairOut(BaseModel):
    """What a client sends with its requests, and what it gets the next of these with."""

    model_config = example(
        {
            "access_token": "eyJhbGciOiJIUzI1NiIsInR5cCI6IkpXVCJ9...",
            "refresh_token": "eyJhbGciOiJIUzI1NiIsInR5cCI6IkpXVCJ9...",
            "token_type": "bearer",
            "expires_in": ACCESS_SECONDS,
        }
    )

    access_token: str
    refresh_token: str
    token_type: str
    expires_in: int = Field(description="Seconds that the access token holds.")


class ProgramTokenOut(BaseModel):
    """A program's token, without its text, which is not kept."""

    model_config = example(PROGRAM)

    name: str
    role: Role
    granted_at: datetime


class GrantedTokenOut(ProgramTokenOut):
    """A new token: its text is shown this once."""

    model_config = example({**PROGRAM, "token": "cafe_..."})

    token: str


class ProgramTokensOut(BaseModel):
    """The programs' tokens that hold, by name."""

    model_config = example({"tokens": [PROGRAM]})

    tokens: list[ProgramTokenOut]


def user_out(account: Account) -> UserOut:
    """Return the answer that shows an account to its owner."""
    return UserOut(
        user_id=account.account_id,
        email=account.email,
        username=account.username,
        role=Role(account.role),
    )


def managed_user_out(account: Account) -> ManagedUserOut:
    """Return the answer that shows an account to a manager."""
    return ManagedUserOut(
        user_id=account.account_id,
        email=account.email,
        username=account.username,
        role=Role(account.role),
        disabled=account.status is Status.DISABLED,
        registered_at=datetime.fromtimestamp(account.registered_at, UTC),
    )


def token_pair_out(pair: TokenPair) -> TokenPairOut:
    """Return the answer with a client's tokens."""
    return TokenPairOut(
        access_token=pair.access_token,
        refresh_token=pair.refresh_token,
        token_type="bearer",  # noqa: S106 - no password
        expires_in=ACCESS_SECONDS,
    )


def program_token_out(token: ProgramToken) -> ProgramTokenOut:
    """Return the answer that shows a program's token, without its text."""
    return ProgramTokenOut(
        name=token.name,
        role=Role(token.role),
        granted_at=datetime.fromtimestamp(token.granted_at, UTC),
    )


def granted_token_out(token: ProgramToken, text: str) -> GrantedTokenOut:
    """Return the answer that shows a new token with its text."""
    return GrantedTokenOut(**program_token_out(token).model_dump(), token=text)
