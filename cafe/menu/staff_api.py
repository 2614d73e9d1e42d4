"""The managers' routes of the menu.

Rule: routes only translate between HTTP and the MenuKeeper. Every message can be repeated, and is
retried after a crash, so that the client does not notice.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated, Any, Final

from fastapi import APIRouter, Path
from starlette.responses import Response

from actors import Ref
from cafe.http.app import BODY, problems
from cafe.http.authentication import Manager
from cafe.http.plain_routes import PlainRoute
from cafe.http.reply import NOTHING, answer
from cafe.http.worker_guards import BARISTAS_ONLY
from cafe.ledger.retries import ask_in_time
from cafe.menu.keeper import MenuKeeper, new_id
from cafe.menu.messages import AddProduct, ChangeProduct, DeleteProduct, ReplaceMenu
from cafe.menu.product import Board, Product, members_of
from cafe.menu.schemas import MenuIn, MenuOut, ProductIn, ProductOut, ProductPatch

ProductId = Annotated[str, Path(description="As the menu shows it.")]
CHANGING: Final = {
    **BODY,
    **problems(409, because="Another product has this name."),
    **problems(503, because="The member `reason` is `ledger`: nothing can be written down."),
}
NO_CONTENT: Final[dict[int | str, dict[str, Any]]] = {
    204: {"description": "It is not on the menu any longer."}
}


def manager_routes(keeper: Ref[MenuKeeper], board: Board) -> APIRouter:
    """Return the routes that managers use."""
    router = APIRouter(tags=["menu"], responses=BARISTAS_ONLY, route_class=PlainRoute)

    @router.get("/admin/products", response_model=MenuOut)
    async def products(_manager: Manager) -> Response:
        """List what is on the menu."""
        return answer(menu_members(board.menu.products))

    add_changing(router, keeper)

    @router.put("/admin/menu", response_model=MenuOut, responses=CHANGING)
    async def replace(manager: Manager, menu: MenuIn) -> Response:
        """Replace the whole menu at once; `cafe menu import` does so."""
        replaced = await ask_in_time(keeper, ReplaceMenu(menu.wishes(), manager.name))
        return answer(menu_members(replaced))

    return router


def add_changing(router: APIRouter, keeper: Ref[MenuKeeper]) -> None:
    """Add the routes that change one product."""

    @router.post("/admin/products", status_code=201, response_model=ProductOut, responses=CHANGING)
    async def add(manager: Manager, product: ProductIn) -> Response:
        """Put a product on the menu."""
        added = await ask_in_time(keeper, AddProduct(product.wish(new_id()), manager.name))
        return answer(members_of(added), 201)

    @router.patch(
        "/admin/products/{product_id}",
        response_model=ProductOut,
        responses={**CHANGING, **problems(404)},
    )
    async def change(manager: Manager, product_id: ProductId, product: ProductPatch) -> Response:
        """Change a product."""
        changed = await ask_in_time(keeper, ChangeProduct(product_id, product.wish(), manager.name))
        return answer(members_of(changed))

    @router.delete(
        "/admin/products/{product_id}",
        status_code=204,
        responses={**NO_CONTENT, **problems(404, 503)},
    )
    async def delete(manager: Manager, product_id: ProductId) -> Response:
        """Take a product off the menu; old orders show it as sold."""
        await ask_in_time(keeper, DeleteProduct(product_id, manager.name))
        return NOTHING


def menu_members(products: Sequence[Product]) -> dict[str, Any]:
    """Return a menu as `GET /menu` shows it."""
    return {"products": [members_of(one) for one in products]}
