"""The page at `/` of both ports: links to what is served, as HTML for people, JSON for programs.

Rule: it links only to paths of the app, and has nothing secret. No script, nothing from elsewhere.
"""

from __future__ import annotations

from base64 import b64encode
from collections.abc import Awaitable, Callable, Iterable, Sequence
from hashlib import sha256
from html import escape
from typing import Final, NamedTuple

from fastapi import APIRouter, Request
from fastapi.routing import APIRoute
from pydantic import BaseModel
from starlette.responses import HTMLResponse, Response

from cafe.http.plain_routes import PlainRoute
from cafe.http.reply import answer, prefers, unkept

DOCS: Final = "/docs"
OPENAPI: Final = "/openapi.json"

STYLE: Final = (
    "body{font:1.1em/1.5 system-ui,sans-serif;color:#222;background:#fff;margin:2rem auto;"
    "max-width:34rem;padding:0 1rem}"
)
_HASH: Final = b64encode(sha256(STYLE.encode()).digest()).decode()
HEADERS: Final = {
    "vary": "accept",
    "x-content-type-options": "nosniff",
    "content-security-policy": f"default-src 'none'; style-src 'sha256-{_HASH}'; "
    "base-uri 'none'; form-action 'none'; frame-ancestors 'none'",
}
PAGE: Final = """\
<!DOCTYPE html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>{title}</title>
<style>{style}</style>
</head>
<body>
<main>
<h1>{title}</h1>
<p>{description}</p>
<ul>
{items}
</ul>
</main>
</body>
</html>
"""


class PageLink(NamedTuple):
    """A path without the prefix of its app, and its title."""

    path: str
    title: str


class FrontPage(NamedTuple):
    """The contents of an app's front page."""

    title: str
    description: str
    links: Sequence[PageLink]


class LinkOut(BaseModel):
    """Something that is served here."""

    href: str
    title: str


class FrontOut(BaseModel):
    """What is served here."""

    title: str
    description: str
    version: str
    links: list[LinkOut]


def front_routes(
    said: FrontPage,
    version: str,
    routers: Sequence[APIRouter],
    home: Callable[[Request], Awaitable[Response]] | None = None,
    beside: Sequence[PageLink] = (),
) -> APIRouter:
    """Return the route `/`, with the links that lead to the docs or to a route of `routers`.

    The links of `beside` lead to other apps. `home` answers browsers instead of the page with
    links.
    """
    # Not in OpenAPI: OPTIONS of the root answers for the whole app, not for this route.
    router = APIRouter(route_class=PlainRoute, include_in_schema=False)
    paths = {DOCS, OPENAPI}
    for route in (route for one in routers for route in one.routes):
        if isinstance(route, APIRoute) and "GET" in (route.methods or ()):
            paths.add(route.path)
    served = [*(link for link in said.links if link.path in paths), *beside]

    @router.get("/", response_model=FrontOut)
    async def front(request: Request) -> Response:
        """Say what is served here: as JSON, or as a page with links for people."""
        prefix = request.scope.get("root_path", "")
        shown = [LinkOut(href=prefix + link.path, title=link.title) for link in served]
        accept = ",".join(request.headers.getlist("accept"))
        if prefers(accept, "text/html", over="application/json"):
            if home is not None:
                return await home(request)
            return unkept(HTMLResponse(page(said, shown), headers=HEADERS))
        body = FrontOut(
            title=said.title, description=said.description, version=version, links=shown
        )
        return answer(body, headers={"vary": "accept"})

    return router


def page(said: FrontPage, links: Iterable[LinkOut]) -> str:
    """Return the HTML of the page with these links."""
    items = (f'<li><a href="{escape(one.href)}">{escape(one.title)}</a></li>' for one in links)
    return PAGE.format(
        title=escape(said.title),
        description=escape(said.description),
        style=STYLE,
        items="\n".join(items),
    )
