"""Who works in a shop, for the tests of the screens: its manager and baristas."""

from __future__ import annotations

import time
from dataclasses import dataclass
from typing import Any

import httpx

from cafe.accounts.secret import find_secret
from cafe.accounts.tokens import tokens_of
from cafe.http.authentication import Role
from cafe.settings import Settings
from tests.system.api import LATER
from tests.system.credentials import PASSWORD, bearer
from tests.system.shop import Line, Shop
from tests.system.until import TIMEOUT


@dataclass(frozen=True, slots=True)
class Staff:
    """A shop's staff, and other customers of it."""

    shop: Shop

    def ask(self, method: str, path: str, **options: Any) -> Any:
        """Ask the baristas' port as its manager; return the JSON of the answer."""
        settings = Settings.model_validate({"database_url": self.shop.database_url})
        token = tokens_of(find_secret(settings)).operator(time.time())
        options = {"headers": bearer(token), "timeout": TIMEOUT, **options}
        answer = httpx.request(method, self.shop.worker + path, **options)
        assert answer.is_success, answer.text
        return answer.json() if answer.content else None

    def add_user(self, role: Role, email: str, username: str | None = None) -> str:
        """Add an account whose password is PASSWORD; return its id."""
        wish = {"email": email, "password": PASSWORD, "role": role.value, "username": username}
        return str(self.ask("POST", "/admin/users", json=wish)["user_id"])

    def order(self, name: str = "Bob") -> Line:
        """Order an americano as another customer."""
        answer = httpx.post(f"{self.shop.client}/order/", json={"name": name}, headers=LATER)
        assert answer.status_code == httpx.codes.ACCEPTED, answer.text
        placed: Line = answer.json()
        return placed

    def orders(self) -> list[Line]:
        """Return the orders that wait or are in preparation, the oldest first."""
        listed: list[Line] = self.ask("GET", "/orders")["orders"]
        return listed

    def start(self) -> Line:
        """Claim the oldest order."""
        answer = httpx.get(f"{self.shop.worker}/start/", timeout=TIMEOUT)
        assert answer.status_code == httpx.codes.OK, answer.text
        claim: Line = answer.json()
        return claim

    def brew(self, order_id: str | None = None) -> None:
        """Declare an order ready; by default the oldest, which is claimed first."""
        order_id = order_id or self.start()["order_id"]
        self.ask("POST", "/finish/", json={"order_id": order_id})

    def brew_all(self) -> None:
        """Brew what there is."""
        for order in self.orders():
            if order["status"] == "preparation":
                self.brew(order["order_id"])
            else:
                self.brew()
