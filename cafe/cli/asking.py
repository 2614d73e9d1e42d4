"""The HTTP client with which a command for people asks a running shop, one request at a time.

Rule: it is the standard library's. Importing httpx takes longer than an order, and a command makes
only a few requests. A failed or refused request is one line.
"""

from __future__ import annotations

import json
import re
import ssl
from collections.abc import Iterator, Mapping
from http import HTTPStatus
from http.client import HTTPConnection, HTTPException, HTTPSConnection
from typing import Any, Final, Literal, NamedTuple, cast
from urllib.parse import urlencode, urlsplit

import typer
from typer.exceptions import TyperException

from cafe.operations.printable import printable

SECONDS: Final = 30.0
"""The time-out of an answer, beyond the time that the shop was asked to wait."""
MOST_BYTES: Final = 16 * 1024 * 1024
"""The most bytes that are read of one answer."""
PREFIX: Final = re.compile(r"/api/v1/(?:client|worker)$")
NEXT: Final = re.compile(r'<([^>]*)>; *rel="?next"?')

Shown = dict[str, Any]
"""One order, in the JSON of the shop."""


Members = Mapping[str, Any]
"""By required member of an answer: None, or for a list the required members of its objects."""


def of_names(text: str) -> Members:
    """Return members by their names, separated by spaces."""
    return dict.fromkeys(text.split())


PLACED: Final = of_names("order_id status message eta_seconds")
CLAIM: Final = of_names("number drink name")
FINISHED: Final = of_names("number brewed_seconds collected")
LISTED: Final[Members] = {"orders": of_names("order_id number status drink name waited_seconds")}


class NotAnsweredError(TyperException):
    """The shop cannot be asked; ends a command with one line."""

    exit_code = 1


class RefusedError(TyperException):
    """The shop refuses what the command asks; ends a command with one line."""

    exit_code = 1


class Answer(NamedTuple):
    """A successful answer of the shop."""

    status: int
    body: Any
    """The decoded JSON; None without a body."""
    following: str | None
    """The query of the next page of a list."""


class Port:
    """One of the two ports of a running shop, at the URL that a command was given."""

    def __init__(
        self, url: str, app: Literal["client", "worker"], token: str | None = None
    ) -> None:
        """Ask at a URL as `parse_url` returns it; raises BadParameter for a malformed token."""
        if token is not None and not (token.isascii() and token.isprintable()):
            raise typer.BadParameter("A token has printable ASCII characters only.")
        self._place = urlsplit(url)
        self._app = app
        self._token = token

    def get(self, path: str, members: Members, **options: Any) -> Answer:
        """Send a GET request for a path of the app; as `ask`."""
        return self.ask("GET", path, members, **options)

    def post(self, path: str, members: Members, body: object = None, **options: Any) -> Answer:
        """Send JSON to a path of the app; as `ask`."""
        return self.ask("POST", path, members, body=body, **options)

    def ask(
        self,
        method: str,
        path: str,
        members: Members,
        *,
        body: object = None,
        fields: Mapping[str, str] | None = None,
        wait: float = 0.0,
        may_be_empty: bool = False,
    ) -> Answer:
        """Return the answer, for which the shop may take SECONDS and `wait` seconds more.

        Raises NotAnsweredError, or RefusedError, also if the answer lacks one of the members, or a
        body unless it `may_be_empty`.
        """
        sent = {"Content-Type": "application/json"} if body is not None else {}
        if self._token is not None:
            sent["Authorization"] = f"Bearer {self._token}"
        content = None if body is None else json.dumps(body).encode()
        connection = self._connection(SECONDS + wait)
        try:
            connection.request(method, self._target(path), content, {**sent, **(fields or {})})
            response = connection.getresponse()
            text = response.read(MOST_BYTES)
        except (OSError, HTTPException, UnicodeError) as error:
            why = str(error) or type(error).__name__
            raise NotAnsweredError(f"{self.where} cannot be asked: {why}.") from None
        finally:
            connection.close()
        answer = self._read(response.status, text, response.headers.get("Link", ""))
        is_empty = may_be_empty and answer.body is None
        if not is_empty and not has(answer.body, members):
            raise RefusedError(self._not_the_cafe(answer.status))
        return answer

    @property
    def where(self) -> str:
        """The URL, without its password if it has one."""
        return printable(f"{self._place.scheme}://{self._place.netloc.rpartition('@')[2]}")

    def _connection(self, seconds: float) -> HTTPConnection:
        host, port = self._place.hostname or "", self._place.port
        if self._place.scheme == "https":
            context = ssl.create_default_context()
            return HTTPSConnection(host, port, timeout=seconds, context=context)
        return HTTPConnection(host, port, timeout=seconds)

    def _target(self, path: str) -> str:
        """Return the path under the app's prefix: a proxy may serve both apps on one host."""
        return f"{self._place.path}/api/v1/{self._app}{path}"

    def _read(self, status: int, text: bytes, link: str) -> Answer:
        if status == HTTPStatus.NO_CONTENT:
            return Answer(status, None, None)
        try:
            body: Any = json.loads(text)
        except (ValueError, RecursionError):
            body = None
        if not isinstance(body, dict):
            raise RefusedError(self._not_the_cafe(status))
        if status >= HTTPStatus.MULTIPLE_CHOICES:
            raise RefusedError(self._refusal(status, cast("dict[str, Any]", body)))
        following = NEXT.search(link)
        return Answer(status, body, following and urlsplit(following[1]).query)

    def _not_the_cafe(self, status: int) -> str:
        return f"{self.where} answered {status}, and not as the café does."

    def _refusal(self, status: int, problem: Mapping[str, Any]) -> str:
        said = str(problem.get("detail") or problem.get("title") or status)
        if status == HTTPStatus.UNAUTHORIZED:
            return f"{said} Give --token, or set CAFE_TOKEN."
        if status == HTTPStatus.NOT_FOUND:
            port = "customers'" if self._app == "client" else "baristas'"
            return f"{said} {self.where} should be the {port} port of the shop."
        return said


def parse_url(value: str) -> str:
    """Parse the URL of one of the shop's ports, with or without the path that `cafe serve` prints.

    Raises BadParameter for any other text.
    """
    return PREFIX.sub("", parse_full_url(value)).rstrip("/")


def parse_full_url(value: str) -> str:
    """Parse the URL of one of the shop's ports; its prefix stays, since a proxy may need it.

    Raises BadParameter for any other text.
    """
    try:
        place = urlsplit(value)
        _ = place.port  # raises ValueError for an invalid port
    except ValueError:
        place = urlsplit("")
    is_plain = value.isascii() and value.isprintable() and " " not in value
    if not is_plain or place.scheme not in {"http", "https"} or not place.hostname:
        raise typer.BadParameter(f"{value} is not an address like http://127.0.0.1:8080.")
    return value.rstrip("/").removesuffix("/docs")


def has(body: object, members: Members) -> bool:
    """Return whether a JSON value is an object that has these members."""
    if not isinstance(body, dict):
        return False
    given = cast("dict[str, object]", body)  # isinstance cannot tell of what
    return all(name in given and _holds(given[name], inner) for name, inner in members.items())


def _holds(value: object, inner: Members | None) -> bool:
    if inner is None:
        return True
    return isinstance(value, list) and all(has(one, inner) for one in cast("list[object]", value))


def live_orders(worker: Port, barista: str | None = None) -> Iterator[Shown]:
    """Yield the orders that wait or are in preparation, or only those in a barista's hand."""
    query: str | None = query_of(barista=barista)
    while query is not None:
        answer = worker.get(f"/orders?{query}", LISTED)
        yield from answer.body["orders"]
        query = answer.following


def query_of(**given: object) -> str:
    """Return a query of the values that are not None."""
    return urlencode({name: value for name, value in given.items() if value is not None})
