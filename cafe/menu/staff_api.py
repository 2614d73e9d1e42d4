"""The managers' routes: what is on the menu.

Rule: HTTP into one question at the office, and its answer into HTTP.
"""

from __future__ import annotations

from typing import Annotated, Any, Final

from fastapi import APIRouter, Path
from starlette.responses import Response

from cafe.http.app import problems
from cafe.http.authentication import Manager
from cafe.http.plain_routes import PlainRoute
from cafe.http.reply import NOTHING, answer
from cafe.http.worker_guards import BARISTAS_ONLY
from cafe.menu.keeper import new_id
from cafe.menu.messages import AddProduct, ChangeProduct, DeleteProduct, ReplaceMenu
from cafe.menu.office import MenuOffice
from cafe.menu.product import Board, Menu, members_of
from cafe.menu.schemas import MenuIn, MenuOut, ProductIn, ProductOut, ProductPatch

ProductId = Annotated[str, Path(description="As the menu shows it.")]
CHANGING: Final = {
    **problems(400, 408, 413),
    **problems(409, because="Another product has this name."),
    **problems(503, because="The member `reason` is `ledger`: nothing can be written down."),
}
NO_CONTENT: Final[dict[int | str, dict[str, Any]]] = {
    204: {"description": "It is not on the menu any longer."}
}


def manager_routes(office: MenuOffice, board: Board) -> APIRouter:
    """Return the routes that managers use."""
    router = APIRouter(tags=["menu"], responses=BARISTAS_ONLY, route_class=PlainRoute)

    @router.get("/admin/products", response_model=MenuOut)
    async def products(_manager: Manager) -> Response:
        """List what is on the menu."""
        return answer(menu_members(board.menu))

    @router.post("/admin/products", status_code=201, response_model=ProductOut, responses=CHANGING)
    async def add(manager: Manager, product: ProductIn) -> Response:
        """Put a product on the menu."""
        added = await office.ask(AddProduct(product.wish(new_id()), manager.name))
        return answer(members_of(added), 201)

    @router.patch(
        "/admin/products/{product_id}",
        response_model=ProductOut,
        responses={**CHANGING, **problems(404)},
    )
    async def change(manager: Manager, product_id: ProductId, product: ProductPatch) -> Response:
        """Change a product."""
        changed = await office.ask(ChangeProduct(product_id, product.wish(), manager.name))
        return answer(members_of(changed))

    @router.delete(
        "/admin/products/{product_id}",
        status_code=204,
        responses={**NO_CONTENT, **problems(404, 503)},
    )
    async def delete(manager: Manager, product_id: ProductId) -> Response:
        """Take a product off the menu; old orders show it as sold."""
        await office.ask(DeleteProduct(product_id, manager.name))
        return NOTHING

    @router.put("/admin/menu", response_model=MenuOut, responses=CHANGING)
    async def replace(manager: Manager, menu: MenuIn) -> Response:
        """Replace the whole menu at once; `cafe menu import` does so."""
        replaced = await office.ask(ReplaceMenu(menu.wishes(), manager.name))
        return answer(menu_members(replaced))

    return router


def menu_members(menu: Menu) -> dict[str, Any]:
    """Return a menu as `GET /menu` shows it."""
    return {"products": [members_of(one) for one in menu.products]}
