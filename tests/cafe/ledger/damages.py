"""Damages of a ledger, as SQL, and the promise that each breaks, with the order that breaks it.

The orders are those of `tests.cafe.ledger.test_checking`.
"""

from __future__ import annotations

WHOLE = "the database's own check of its file finds nothing"
STRAYS = "every event of an order has its order"
UNTOLD = "every order has its events"
FORBIDDEN = "every event is a step that its department allows"
GOES_ON = "every event goes on from where the one before it ended"
STANDS = "every order stands where its last event left it"
COUNTED = "events have the positions 1, 2, 3 and so on"
LATER = "no event is earlier than the one before it, unless the clock was set right"
NUMBERS = "ticket numbers never repeat or go back"
ONCE = "nothing is brewed twice, unless its lease ran out or it was given back"
KEYS = "every key leads to the order placed with it, and no plain one is cancelled"
FOUND = "every live order with a key is found by it"
UNSHARED = "no two live orders share a key"
TIMES = "the times of an order are in order, and those of its events"
FIELDS = "every order has what its status asks for, and nothing else"
LINES = "every line belongs to the order of a basket"
TOTALS = "the lines of every basket make its total"
DESTINATIONS = "every destination belongs to a basket, or to what staff published"
PUBLISHED = "all that staff published has a destination, and is no customer's"
PAUSES = "what is said of a pause is what its last event says"
BASKETS = "every basket has an account, a total and a fingerprint"

DAMAGES: dict[str, tuple[str, dict[str, list[str]]]] = {
    "a pause that is lost": ("DELETE FROM order_pauses", {PAUSES: ["shop"]}),
    "a pause without an event": (
        "DELETE FROM events WHERE subject = 'shop'",
        {PAUSES: ["shop"], COUNTED: ["order-11"]},
    ),
    "a pause that was ended by hand": (
        "UPDATE order_pauses SET intake = 'open', until = NULL, text = NULL",
        {PAUSES: ["shop"]},
    ),
    "a pause without an end": ("UPDATE order_pauses SET until = NULL", {PAUSES: ["shop"]}),
    "an order without events": (
        "DELETE FROM events WHERE subject = 'order-8'",
        {UNTOLD: ["order-8"], COUNTED: ["order-1"]},
    ),
    "events without an order": (
        "DELETE FROM orders WHERE order_id = 'order-8'",
        {STRAYS: ["order-8"]},
    ),
    "an event lost in the middle of a life": (
        "DELETE FROM events WHERE subject = 'order-2' AND action = 'release'",
        {GOES_ON: ["order-2"], COUNTED: ["order-2"], ONCE: ["order-2"]},
    ),
    "the last event lost": (
        "DELETE FROM events WHERE position = (SELECT max(position) FROM events)",
        {STANDS: ["order-7"], TIMES: ["order-7"]},
    ),
    "the beginning lost": (
        "DELETE FROM events WHERE position = 1",
        {GOES_ON: ["order-1"], COUNTED: ["order-2"], TIMES: ["order-1"]},
    ),
    "an action that there is not": (
        "UPDATE events SET action = 'vanish' WHERE action = 'cancel'",
        {FORBIDDEN: ["order-4", "order-12"]},
    ),
    "a life that begins ready": (
        "UPDATE events SET action = 'finish', after = 'ready' WHERE subject = 'order-8'",
        {FORBIDDEN: ["order-8"], STANDS: ["order-8"], TIMES: ["order-8"]},
    ),
    "an order that was undone": (
        "UPDATE orders SET status = 'waiting' WHERE order_id = 'order-4'",
        {STANDS: ["order-4"], FIELDS: ["order-4"]},
    ),
    "a clock that was set back": (
        "UPDATE events SET at = at - 1 WHERE action = 'hand over'",
        {LATER: ["order-1"]},
    ),
    "numbers that go back": (
        "UPDATE orders SET number = 0 WHERE order_id = 'order-8'",
        {NUMBERS: ["order-8"]},
    ),
    "an order started twice": (
        "UPDATE events SET action = 'start' WHERE action = 'expire'",
        {FORBIDDEN: ["order-7"], ONCE: ["order-7"], TIMES: ["order-7"], FIELDS: ["order-7"]},
    ),
    "an order started when it was ready": (
        "UPDATE events SET action = 'start' WHERE action = 'hand over'",
        {FORBIDDEN: ["order-1"], ONCE: ["order-1"], TIMES: ["order-1"]},
    ),
    "an order finished twice": (
        "UPDATE events SET action = 'finish' WHERE action = 'hand over'",
        {FORBIDDEN: ["order-1"], ONCE: ["order-1"]},
    ),
    "a key for nothing": (
        "INSERT INTO idempotency_keys VALUES ('192.0.2.1', 'none', 'order-99', 1.0)",
        {KEYS: ["order-99"]},
    ),
    "a key of a cancelled order": (
        "UPDATE orders SET status = 'cancelled' WHERE order_id = 'order-5'",
        {STANDS: ["order-5"], KEYS: ["order-5"], FIELDS: ["order-5"]},
    ),
    "a key that its order was not placed with": (
        "UPDATE idempotency_keys SET key = 'six and a half' WHERE order_id = 'order-9'",
        {KEYS: ["order-9"]},
    ),
    "a key of another moment": (
        "UPDATE idempotency_keys SET placed_at = placed_at + 1 WHERE order_id = 'order-9'",
        {KEYS: ["order-9"]},
    ),
    "a lost key": (
        "DELETE FROM idempotency_keys WHERE order_id = 'order-5'",
        {FOUND: ["order-5"]},
    ),
    "a shared key": (
        "UPDATE orders SET key = 'six', bound = false WHERE order_id = 'order-8'",
        {FOUND: ["order-8"], UNSHARED: ["order-9"]},
    ),
    "an end before the beginning": (
        "UPDATE orders SET ended_at = placed_at - 1 WHERE order_id = 'order-4'",
        {TIMES: ["order-4"]},
    ),
    "a start before the order": (
        """UPDATE orders SET started_at = placed_at - 1 WHERE order_id = 'order-5';
        UPDATE events SET at = (SELECT started_at FROM orders WHERE order_id = 'order-5')
        WHERE subject = 'order-5' AND action = 'start'""",
        {LATER: ["order-5"], TIMES: ["order-5"]},
    ),
    "a finish before the start": (
        """UPDATE orders SET ended_at = started_at - 1 WHERE order_id = 'order-2';
        UPDATE events SET at = (SELECT ended_at FROM orders WHERE order_id = 'order-2')
        WHERE subject = 'order-2' AND action = 'finish'""",
        {LATER: ["order-2"], TIMES: ["order-2"]},
    ),
    "a coffee that was not started": (
        "UPDATE orders SET started_at = NULL WHERE order_id = 'order-1'",
        {TIMES: ["order-1"], FIELDS: ["order-1"]},
    ),
    "an end at no time": (
        "UPDATE orders SET ended_at = NULL WHERE order_id = 'order-4'",
        {TIMES: ["order-4"], FIELDS: ["order-4"]},
    ),
    "a start without an event": (
        "UPDATE orders SET started_at = started_at + 1 WHERE order_id = 'order-2'",
        {TIMES: ["order-2"]},
    ),
    "a lease that ends before it begins": (
        "UPDATE orders SET lease_expires_at = started_at WHERE order_id = 'order-5'",
        {TIMES: ["order-5"]},
    ),
    "a claim without a lease": (
        "UPDATE orders SET lease_expires_at = NULL WHERE order_id = 'order-5'",
        {FIELDS: ["order-5"]},
    ),
    "a waiting order with a barista": (
        "UPDATE orders SET barista = 'Bo' WHERE order_id = 'order-8'",
        {FIELDS: ["order-8"]},
    ),
    "a waiting order with a claim": (
        "UPDATE orders SET claim = 'of Bo' WHERE order_id = 'order-8'",
        {FIELDS: ["order-8"]},
    ),
    "a waiting order with a lease": (
        "UPDATE orders SET lease_expires_at = placed_at + 180 WHERE order_id = 'order-8'",
        {FIELDS: ["order-8"]},
    ),
    "a bound order with a key": (
        "UPDATE orders SET bound = true WHERE order_id = 'order-5'",
        {FIELDS: ["order-5"]},
    ),
    "a lease that ran out without an event": (
        "UPDATE orders SET lapsed = true WHERE order_id = 'order-8'",
        {FIELDS: ["order-8"]},
    ),
    "a lease that ran out and was forgotten": (
        "UPDATE orders SET lapsed = false WHERE order_id = 'order-7'",
        {FIELDS: ["order-7"]},
    ),
    "a customer gone without an event": (
        "UPDATE orders SET abandoned = true WHERE order_id = 'order-8'",
        {FIELDS: ["order-8"]},
    ),
    "a bound basket": (
        "UPDATE orders SET bound = true WHERE order_id = 'order-11'",
        {FIELDS: ["order-11"]},
    ),
    "a basket's key under an address": (
        "UPDATE idempotency_keys SET address = '192.0.2.1' WHERE order_id = 'order-12'",
        {KEYS: ["order-12"]},
    ),
    "a lost key of a basket": (
        "DELETE FROM idempotency_keys WHERE order_id = 'order-11'",
        {FOUND: ["order-11"]},
    ),
    "a key that two baskets of an account share": (
        """UPDATE orders SET status = 'waiting', ended_at = NULL, key = 'eleven'
        WHERE order_id = 'order-12'""",
        {
            STANDS: ["order-12"],
            KEYS: ["order-12"],
            UNSHARED: ["order-12"],
            TIMES: ["order-12"],
        },
    ),
    "a line without an order": (
        "UPDATE order_lines SET order_id = 'order-99' WHERE order_id = 'order-12'",
        {LINES: ["order-99"], TOTALS: ["order-12"]},
    ),
    "a line of an order of the plain counter": (
        "INSERT INTO order_lines VALUES ('order-8', 1, 'donuts', NULL, 'Donuts', NULL, 1, 200)",
        {LINES: ["order-8"]},
    ),
    "a lost line": (
        "DELETE FROM order_lines WHERE order_id = 'order-11' AND line = 1",
        {TOTALS: ["order-11"]},
    ),
    "a lost line that was free": (
        "DELETE FROM order_lines WHERE order_id = 'order-11' AND line = 2",
        {TOTALS: ["order-11"]},
    ),
    "a line that was changed": (
        "UPDATE order_lines SET quantity = 3 WHERE order_id = 'order-12'",
        {TOTALS: ["order-12"]},
    ),
    "a destination without an order": (
        "UPDATE order_destinations SET order_id = 'order-99' WHERE order_id = 'order-13'",
        {DESTINATIONS: ["order-99"]},
    ),
    "a destination of an order of the plain counter": (
        "INSERT INTO order_destinations VALUES ('order-8', 'harbour', 'Harbour', NULL)",
        {DESTINATIONS: ["order-8"]},
    ),
    "a lost destination of what staff published": (
        "DELETE FROM order_destinations WHERE order_id = 'order-14'",
        {PUBLISHED: ["order-14"]},
    ),
    "an address of a customer in what staff published": (
        "UPDATE orders SET address = '192.0.2.1' WHERE order_id = 'order-14'",
        {PUBLISHED: ["order-14"]},
    ),
    "an order that was called off and is held": (
        "UPDATE orders SET barista = 'Bo' WHERE order_id = 'order-15'",
        {FIELDS: ["order-15"]},
    ),
    "a basket without a fingerprint": (
        "UPDATE orders SET fingerprint = NULL WHERE order_id = 'order-11'",
        {BASKETS: ["order-11"]},
    ),
    "a plain order with metadata": (
        "UPDATE orders SET metadata = '{}' WHERE order_id = 'order-8'",
        {BASKETS: ["order-8"]},
    ),
    "a basket of nobody": (
        "UPDATE orders SET account_id = NULL WHERE order_id = 'order-12'",
        {KEYS: ["order-12"], LINES: ["order-12"], BASKETS: ["order-12"]},
    ),
}
