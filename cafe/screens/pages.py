"""The pages, as routes of both apps.

Rule: a page is a shell, the same for all who open it. Its script asks the API for all that changes,
with a token if it needs one; so pages are public, are rendered once, and hold no data of anyone.
Nothing comes from another host, no script or style is inline, and no cookie is set.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from collections.abc import Set as AbstractSet
from functools import cache, lru_cache, partial
from typing import Any, Final

from fastapi import APIRouter, Request
from jinja2 import Environment, PackageLoader, StrictUndefined
from starlette.exceptions import HTTPException
from starlette.responses import Response

from cafe.http.etags import is_current
from cafe.http.plain_routes import PlainRoute
from cafe.offer import Offer
from cafe.screens.files import Body, body_of, static_files
from cafe.screens.texts import LANGUAGES, chosen_language, texts_of

HTML: Final = "text/html; charset=utf-8"
POLICY: Final = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; "
    "connect-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors {ancestors}"
)
HOME: Final = "order"
"""The page at `/` of the customers' port."""
CUSTOMERS: Final = ("board", "courier")
STAFF: Final = ("barista", "manager")


def open_screens(ancestors: AbstractSet[str]) -> Offer:
    """Return what the screens offer; pages of these origins may show ours in a frame."""
    policy = POLICY.format(ancestors=" ".join(sorted(ancestors)) or "'none'")
    return Offer(
        name="screens",
        customer_routes=(page_routes(CUSTOMERS, policy),),
        staff_routes=(page_routes(STAFF, policy),),
        home=partial(show_page, HOME, policy),
    )


def page_routes(pages: Sequence[str], policy: str) -> APIRouter:
    """Return the routes of some pages, and of the files that all pages have."""
    # Not in OpenAPI: they are for people.
    router = APIRouter(route_class=PlainRoute, include_in_schema=False)

    def add(page: str) -> None:
        @router.get(f"/{page}")
        async def show(request: Request) -> Response:
            return await show_page(page, policy, request)

    for page in pages:
        add(page)

    @router.get("/screens/{name}")
    async def static(request: Request, name: str) -> Response:
        found = static_files().get(name)
        if found is None:
            raise HTTPException(404)
        return kept(request, found, {})

    return router


async def show_page(page: str, policy: str, request: Request) -> Response:
    """Return a page in the language that is asked for: by `?lang=`, else by the browser."""
    accepted = ",".join(request.headers.getlist("accept-language"))
    language = chosen_language(request.query_params.get("lang"), accepted)
    headers = {
        "content-language": language,
        "content-security-policy": policy,
        "referrer-policy": "same-origin",
        "vary": "accept, accept-language",
    }
    return kept(request, rendered(page, language, request.scope.get("root_path", "")), headers)


def kept(request: Request, body: Body, headers: Mapping[str, str]) -> Response:
    """Return a response that browsers keep, and ask about each time; a 304 if they have it."""
    headers = {
        **headers,
        "cache-control": "no-cache",
        "etag": body.etag.decode("ascii"),
        "x-content-type-options": "nosniff",
    }
    if is_current(body.etag, request.scope["headers"]):
        return Response(status_code=304, headers=headers)
    return Response(body.content, media_type=body.media_type, headers=headers)


@lru_cache(maxsize=128)  # by page, language and prefix, of which an app has a handful
def rendered(page: str, language: str, root: str) -> Body:
    """Return a page; `root` is the prefix of its app."""
    texts = texts_of(page, language)
    html = (
        templates()
        .get_template(f"{page}.html")
        .render(
            page=page,
            language=language,
            languages=LANGUAGES,
            root=root,
            t=texts,
            texts=script_json(texts),
        )
    )
    return body_of(html.encode(), HTML)


def script_json(value: Any) -> str:
    """Return JSON that may stand in a script element: no text in it ends the element."""
    return json.dumps(value).replace("<", "\\u003c")


@cache
def templates() -> Environment:
    """Return the templates; each is compiled once."""
    return Environment(
        loader=PackageLoader("cafe.screens"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
    )
