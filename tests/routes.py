"""The table of roles: who may use which route of both apps, and of the APIs of other systems.

Rule: each route is one line, by app, method and path.
"""

from __future__ import annotations

from typing import Final

from cafe.http.authentication import Role
from cafe.setting_types import COMPAT

NONE: Final = "none"
EVERYONE: Final = frozenset({NONE, *Role})
SIGNED_IN: Final = frozenset(Role)
CUSTOMERS: Final = frozenset({Role.CUSTOMER})
STAFF: Final = frozenset({Role.BARISTA, Role.MANAGER})
MANAGERS: Final = frozenset({Role.MANAGER})
COURIERS: Final = frozenset({Role.COURIER})

OURS: Final[dict[str, frozenset[str]]] = {
    "client GET /menu": EVERYONE,
    "client POST /order": EVERYONE,
    "client GET /order/{order_id}": EVERYONE,
    "client DELETE /order/{order_id}": EVERYONE,
    "client GET /queue": EVERYONE,
    "client POST /orders": CUSTOMERS,
    "client GET /orders": CUSTOMERS,
    "client GET /orders/{order_id}": CUSTOMERS | STAFF,
    "client DELETE /orders/{order_id}": CUSTOMERS,
    "client GET /orders/{order_id}/events": CUSTOMERS | STAFF,
    "client GET /tables": EVERYONE,
    "client POST /bookings": EVERYONE,
    "client GET /bookings/{booking_id}": EVERYONE,
    "client DELETE /bookings/{booking_id}": EVERYONE,
    "client GET /bookings/{booking_id}/cancel": EVERYONE,
    "client POST /bookings/{booking_id}/cancel": EVERYONE,
    "client GET /courier/me": COURIERS,
    "client PATCH /courier/me": COURIERS,
    "client GET /courier/me/order": COURIERS,
    "client POST /deliveries/{order_id}/pickup": COURIERS,
    "client POST /deliveries/{order_id}/finish": COURIERS,
    "client POST /deliveries/{order_id}/fail": COURIERS,
    "client POST /auth/register": EVERYONE,
    "client POST /auth/token": EVERYONE,
    "client POST /auth/refresh": EVERYONE,
    "client POST /auth/logout": SIGNED_IN,
    "client GET /auth/me": SIGNED_IN,
    "client POST /auth/password": SIGNED_IN,
    "client GET /livez": EVERYONE,
    "client GET /readyz": EVERYONE,
    "worker GET /menu": EVERYONE,
    "worker PUT /admin/menu": MANAGERS,
    "worker GET /admin/products": MANAGERS,
    "worker POST /admin/products": MANAGERS,
    "worker PATCH /admin/products/{product_id}": MANAGERS,
    "worker DELETE /admin/products/{product_id}": MANAGERS,
    "worker POST /auth/register": EVERYONE,
    "worker POST /auth/token": EVERYONE,
    "worker POST /auth/refresh": EVERYONE,
    "worker POST /auth/logout": SIGNED_IN,
    "worker GET /auth/me": SIGNED_IN,
    "worker POST /auth/password": SIGNED_IN,
    "worker GET /start": STAFF,
    "worker POST /start": STAFF,
    "worker POST /finish": STAFF,
    "worker POST /finish/{order_id}": STAFF,
    "worker POST /release": STAFF,
    "worker POST /release/{order_id}": STAFF,
    "worker GET /orders": STAFF,
    "worker GET /actors": STAFF,
    "worker GET /metrics": STAFF,
    "worker GET /orders/{order_id}": STAFF,
    "worker GET /orders/{order_id}/events": STAFF,
    "worker GET /admin/report": MANAGERS,
    "worker GET /admin/bans": MANAGERS,
    "worker DELETE /admin/bans/{address}": MANAGERS,
    "worker GET /admin/pause": MANAGERS,
    "worker PUT /admin/pause": MANAGERS,
    "worker DELETE /admin/pause": MANAGERS,
    "worker PATCH /orders/{order_id}/status": STAFF,
    "worker GET /admin/orders": MANAGERS,
    "worker GET /admin/letters": MANAGERS,
    "worker GET /admin/letters/{letter_id}": MANAGERS,
    "worker POST /admin/letters/{letter_id}/retry": MANAGERS,
    "worker GET /districts": MANAGERS,
    "worker POST /districts": MANAGERS,
    "worker PATCH /districts/{district_id}": MANAGERS,
    "worker GET /couriers": MANAGERS,
    "worker POST /couriers": MANAGERS,
    "worker GET /couriers/{courier_id}": MANAGERS,
    "worker PATCH /couriers/{courier_id}": MANAGERS,
    "worker POST /deliveries": STAFF,
    "worker GET /deliveries": STAFF,
    "worker GET /deliveries/{order_id}": STAFF,
    "worker POST /deliveries/{order_id}/pickup": STAFF,
    "worker POST /deliveries/{order_id}/finish": STAFF,
    "worker POST /deliveries/{order_id}/fail": STAFF,
    "worker POST /deliveries/{order_id}/retry": STAFF,
    "worker POST /deliveries/{order_id}/cancel": STAFF,
    "worker POST /deliveries/{order_id}/reassign": MANAGERS,
    "worker GET /admin/notifications": MANAGERS,
    "worker POST /admin/notifications/{event_id}/retry": MANAGERS,
    "worker GET /admin/tables": MANAGERS,
    "worker POST /admin/tables": MANAGERS,
    "worker PATCH /admin/tables/{table_id}": MANAGERS,
    "worker POST /admin/tables/{table_id}/close": MANAGERS,
    "worker POST /admin/tables/{table_id}/open": MANAGERS,
    "worker GET /admin/bookings": MANAGERS,
    "worker POST /admin/bookings": MANAGERS,
    "worker GET /admin/bookings/{booking_id}": MANAGERS,
    "worker POST /admin/bookings/{booking_id}/accept": MANAGERS,
    "worker POST /admin/bookings/{booking_id}/decline": MANAGERS,
    "worker POST /admin/bookings/{booking_id}/cancel": MANAGERS,
    "worker GET /admin/users": MANAGERS,
    "worker POST /admin/users": MANAGERS,
    "worker PATCH /admin/users/{user_id}": MANAGERS,
    "worker GET /admin/tokens": MANAGERS,
    "worker POST /admin/tokens": MANAGERS,
    "worker DELETE /admin/tokens/{name}": MANAGERS,
    "worker GET /livez": EVERYONE,
    "worker GET /readyz": EVERYONE,
    "client GET /compat": EVERYONE,
    "worker GET /compat": EVERYONE,
    "client GET /": EVERYONE,
    "worker GET /": EVERYONE,
}
"""Our own."""
OF_OTHERS: Final[dict[str, frozenset[str]]] = {
    "client POST /compat/functech/auth/create_user": EVERYONE,
    "client GET /compat/functech/auth/me": SIGNED_IN,
    "client POST /compat/functech/auth/refresh": EVERYONE,
    "client POST /compat/functech/auth/token": EVERYONE,
    "client POST /compat/functech/orders/create_new_order": CUSTOMERS,
    "client PATCH /compat/functech/orders/update": STAFF,
    "client GET /compat/functech/orders/user/orders": CUSTOMERS | STAFF,
    "client GET /compat/functech/orders/user/{user_id}": STAFF,  # a customer only as oneself
    "client GET /compat/functech/orders/{order_id}": CUSTOMERS | STAFF,
    "client POST /compat/courier-service/courier": STAFF,
    "client GET /compat/courier-service/courier": STAFF,
    "client POST /compat/courier-service/courier/create_district": STAFF,
    "client GET /compat/courier-service/courier/get_districts": STAFF,
    "client GET /compat/courier-service/courier/{sid}": STAFF,
    "client POST /compat/courier-service/order": STAFF,
    "client GET /compat/courier-service/order/{sid}": STAFF,
    "client POST /compat/courier-service/order/{sid}": STAFF,
    "client POST /compat/restaurant-booking/api/token": EVERYONE,
    "client POST /compat/restaurant-booking/api/admin/add_table": MANAGERS,
    "client POST /compat/restaurant-booking/api/admin/update_table": MANAGERS,
    "client PATCH /compat/restaurant-booking/api/admin/update_table": MANAGERS,
    "client POST /compat/restaurant-booking/api/admin/accept_booking": MANAGERS,
    "client POST /compat/restaurant-booking/api/admin/cancel_booking": MANAGERS,
    "client GET /compat/restaurant-booking/api/admin/view_active_bookings": MANAGERS,
    "client POST /compat/restaurant-booking/api/customer/view_tables": EVERYONE,
    "client GET /compat/restaurant-booking/api/customer/view_tables": EVERYONE,
    "client POST /compat/restaurant-booking/api/customer/book_table": CUSTOMERS,
    "client POST /compat/restaurant-booking/api/customer/cancel_booking": CUSTOMERS,
    "client GET /compat/coffee-shop": EVERYONE,
    "client GET /compat/coffee-shop/api/v1/menu": EVERYONE,
    "client POST /compat/coffee-shop/api/v1/auth/token": EVERYONE,
    "client POST /compat/coffee-shop/api/v1/orders": CUSTOMERS,
    "client GET /compat/coffee-shop/api/v1/orders": CUSTOMERS,
    "client GET /compat/coffee-shop/api/v1/orders/{order_id}": CUSTOMERS | STAFF,
    "client DELETE /compat/coffee-shop/api/v1/orders/{order_id}": CUSTOMERS,
    "client GET /compat/coffee-shop/api/v1/orders/{order_id}/events": CUSTOMERS | STAFF,
    "client PATCH /compat/coffee-shop/api/v1/orders/{order_id}/status": STAFF,
    "client GET /compat/coffee-shop/api/v1/admin/orders": MANAGERS,
    "client POST /compat/coffee-shop/api/v1/admin/products": MANAGERS,
    "client PATCH /compat/coffee-shop/api/v1/admin/products/{product_id}": MANAGERS,
    "client DELETE /compat/coffee-shop/api/v1/admin/products/{product_id}": MANAGERS,
    "worker POST /compat/courier-service/courier": STAFF,
    "worker GET /compat/courier-service/courier": STAFF,
    "worker POST /compat/courier-service/courier/create_district": STAFF,
    "worker GET /compat/courier-service/courier/get_districts": STAFF,
    "worker GET /compat/courier-service/courier/{sid}": STAFF,
    "worker POST /compat/courier-service/order": STAFF,
    "worker GET /compat/courier-service/order/{sid}": STAFF,
    "worker POST /compat/courier-service/order/{sid}": STAFF,
}
"""Those of the systems whose clients have moved here."""

PAGES: Final = ("/docs", "/docs/oauth2-redirect", "/openapi.json", "/static-offline-docs")
"""The documentation that each API has."""
_DOCUMENTED: Final = {
    "client": ("", *(f"/compat/{name}" for name in COMPAT if name != "cafe")),
    "worker": ("", "/compat/courier-service"),
}
ROUTES: Final[dict[str, frozenset[str]]] = {
    **OURS,
    **OF_OTHERS,
    **{
        f"{app} GET {prefix}{page}": EVERYONE
        for app, prefixes in _DOCUMENTED.items()
        for prefix in prefixes
        for page in PAGES
    },
}
"""By app, method and path, who is let in where the baristas' port is for accounts."""
