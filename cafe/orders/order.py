"""One order: its life and its id. The table *is* the state machine: nothing else changes a status.

Rule: pure. Time is passed in, in seconds since the Unix epoch. The secret that signs the ids never
leaves its object.

    waiting --start--> preparation --finish--> ready --hand over--> delivered

with a way back to the queue (release, expire), a way out of it (cancel, abandon, cut off), and
transitions that keep the status (unbind, abandon). An order that needs no brewing begins as ready
(publish); one that a courier brings may be cancelled until it is handed over (call off). Every
change of an order is one of these transitions.
"""

from __future__ import annotations

import secrets
from base64 import urlsafe_b64encode
from enum import StrEnum
from hashlib import blake2b
from hmac import compare_digest
from typing import Any, Final, NamedTuple


class Status(StrEnum):
    """Where an order stands; these words are the HTTP contract's."""

    WAITING = "waiting"
    PREPARATION = "preparation"
    READY = "ready"
    DELIVERED = "delivered"
    CANCELLED = "cancelled"


class Action(StrEnum):
    """What can happen to an order, and who does it."""

    PLACE = "place"
    """A customer orders. This is how an order begins, so the table below has no row for it."""
    PUBLISH = "publish"
    """Staff add an order that needs no brewing, for a courier. The other way to begin."""
    START = "start"
    """A barista claims it."""
    FINISH = "finish"
    """A barista declares it ready."""
    RELEASE = "release"
    """A barista returns it to the queue."""
    EXPIRE = "expire"
    """Its lease expired: the barista did not finish it in time."""
    FINISH_LATE = "finish late"
    """A barista declares it ready after their lease expired."""
    HAND_OVER = "hand over"
    """The customer received it: at the counter, or from a courier."""
    CALL_OFF = "call off"
    """Its delivery was cancelled."""
    UNBIND = "unbind"
    """Its customer was told that it can be collected later."""
    CANCEL = "cancel"
    """The customer no longer wants it, or staff cancel it."""
    ABANDON = "abandon"
    """No customer can collect it any longer. One in preparation is still finished."""
    CUT_OFF = "cut off"
    """Its address is banned."""


LIVE: Final = (Status.WAITING, Status.PREPARATION)
BREWED: Final = (Status.READY, Status.DELIVERED)
NEXT: Final = {
    Status.WAITING: Status.PREPARATION,
    Status.PREPARATION: Status.READY,
    Status.READY: Status.DELIVERED,
}
"""The one status to which staff may move an order, by its status."""
FINISHES: Final = (Action.FINISH, Action.FINISH_LATE)

TRANSITIONS: Final[dict[tuple[Status, Action], Status]] = {
    (Status.WAITING, Action.START): Status.PREPARATION,
    (Status.WAITING, Action.FINISH_LATE): Status.READY,
    (Status.WAITING, Action.UNBIND): Status.WAITING,
    (Status.WAITING, Action.CANCEL): Status.CANCELLED,
    (Status.WAITING, Action.ABANDON): Status.CANCELLED,
    (Status.WAITING, Action.CUT_OFF): Status.CANCELLED,
    (Status.PREPARATION, Action.FINISH): Status.READY,
    (Status.PREPARATION, Action.RELEASE): Status.WAITING,
    (Status.PREPARATION, Action.EXPIRE): Status.WAITING,
    (Status.PREPARATION, Action.UNBIND): Status.PREPARATION,
    (Status.PREPARATION, Action.ABANDON): Status.PREPARATION,
    (Status.READY, Action.HAND_OVER): Status.DELIVERED,
    (Status.READY, Action.CALL_OFF): Status.CANCELLED,
}
BEGINNINGS: Final = {Action.PLACE: Status.WAITING, Action.PUBLISH: Status.READY}
"""The actions with which an order begins, and its status then."""


class NotAllowedError(Exception):
    """The table has no such transition."""

    def __init__(self, status: Status, action: Action) -> None:
        """Keep both, so that a refusal can name the status."""
        super().__init__(f"an order that is {status} cannot {action}")
        self.status = status
        self.action = action


class Line(NamedTuple):
    """One line of a basket, with names and price as they were sold."""

    product_id: str
    variation_id: str | None
    name: str
    variation: str | None
    """The variation's name."""
    quantity: int
    unit_price_cents: int

    @property
    def total_cents(self) -> int:
        """The price of the whole line."""
        return self.quantity * self.unit_price_cents


ACCOUNT: Final = "account:"
LONGEST_SUMMARY: Final = 200


class Basket(NamedTuple):
    """What a customer with an account has ordered; an order of the plain counter has none."""

    account_id: str
    lines: tuple[Line, ...]
    total_cents: int
    fingerprint: str
    """Identifies what was asked for, without prices: a key with another one is refused."""
    metadata: str | None = None
    """The customer's own JSON, as text."""
    prepaid: bool = False
    """Whether it was charged before it was placed: then no limit and no ban stops it."""

    @property
    def scope(self) -> str:
        """The scope of its order's Idempotency-Key: the account's."""
        return account_scope(self.account_id)

    @property
    def summary(self) -> str:
        """What was ordered, in a few words for a barista."""
        text = ", ".join(map(_in_words, self.lines))
        return text if len(text) <= LONGEST_SUMMARY else f"{text[: LONGEST_SUMMARY - 1]}…"


def _in_words(line: Line) -> str:
    number = f"{line.quantity} " if line.quantity > 1 else ""
    variation = "" if line.variation is None else f" ({line.variation.lower()})"
    return f"{number}{line.name.lower()}{variation}"


class Destination(NamedTuple):
    """Where a courier brings an order; one that is handed over at the counter has none."""

    district_id: str
    district: str
    """The district's name when this was ordered."""
    address: str | None = None


NO_ADDRESS: Final = ""
"""Stands for the customer's address in orders that staff published or that were imported."""


def account_scope(account_id: str) -> str:
    """Return the scope of an account's Idempotency-Keys; no address is spelled like that."""
    return f"{ACCOUNT}{account_id}"


class Order(NamedTuple):
    """One order, at one moment; a change makes a new one.

    It is a tuple because each change makes a new one, at a third of the cost of a frozen
    dataclass.
    """

    order_id: str
    """Opaque, and hard to guess: a client that knows it may look at the order and cancel it."""
    number: int
    """The ticket number: oldest first means lowest first."""
    drink: str
    name: str | None
    address: str
    """The customer's address, as `cafe.limits.address` normalizes it."""
    placed_at: float
    key: str | None = None
    """The customer's Idempotency-Key."""
    bound: bool = True
    """Bound to the customer's connection: once they hang up, it cannot be collected."""
    abandoned: bool = False
    """Its customer hung up while it was in preparation."""
    status: Status = Status.WAITING
    barista: str | None = None
    claim: str | None = None
    """The claim's id, made by the sender so that the request can be repeated."""
    started_at: float | None = None
    lease_expires_at: float | None = None
    lapsed: bool = False
    """A lease on it expired, so a late finish still counts."""
    ended_at: float | None = None
    """When it became ready, or was cancelled before it was."""
    basket: Basket | None = None
    destination: Destination | None = None
    """Where a courier brings it, if one does: then only the courier hands it over."""

    def after(self, action: Action, **changes: Any) -> Order:
        """Return the order as it is after `action`.

        Raises NotAllowedError if the table has no such transition.
        """
        status = TRANSITIONS.get((self.status, action))
        if status is None:
            raise NotAllowedError(self.status, action)
        return self._replace(status=status, **changes)

    @property
    def scope(self) -> str:
        """The scope of its Idempotency-Key: the customer's address, or the account's scope."""
        return self.address if self.basket is None else self.basket.scope

    @property
    def prepaid(self) -> bool:
        """Whether it was charged before it was placed."""
        return self.basket is not None and self.basket.prepaid

    def is_wish(self, drink: str, name: str | None, basket: Basket | None) -> bool:
        """Return whether a request for these repeats this order's, so that both may use one key."""
        if basket is None or self.basket is None:
            return basket is self.basket and (self.drink, self.name) == (drink, name)
        return basket.fingerprint == self.basket.fingerprint

    @property
    def is_found_by_key(self) -> bool:
        """Whether its key, if it has one, finds it: a basket's also once it is cancelled."""
        return self.status is not Status.CANCELLED or self.basket is not None

    @property
    def ended(self) -> bool:
        """Whether it has left the queue for good: ready, delivered or cancelled."""
        return self.status not in LIVE

    def waited_seconds(self, now: float) -> float:
        """Return the seconds from placing it to its end, or to `now`."""
        return max(0.0, (self.ended_at or now) - self.placed_at)

    @property
    def brewed_seconds(self) -> float:
        """Return the seconds from the last start to the finish; 0 while there is none."""
        if self.started_at is None or self.ended_at is None:
            return 0.0
        return max(0.0, self.ended_at - self.started_at)


class Change(NamedTuple):
    """One transition that has happened."""

    action: Action
    before: Status | None
    order: Order
    at: float
    by: str | None = None
    """The barista or courier who did it, if they gave a name."""
    reason: str | None = None
    """Why, if the action does not say it."""


SECRET_BYTES: Final = 32
RANDOM_BYTES: Final = 12
MAC_BYTES: Final = 6
UNSIGNED_LENGTH: Final = 16
"""Characters of the random part, and of a whole id before ids were signed."""


class OrderIds:
    """Makes ids, and recognizes those that it may have made, so that a guess costs no look-up.

    An id is a random text and a MAC of it (keyed BLAKE2b, RFC 7693), which only a shop on the same
    ledger can make. A client that knows an id may look at its order and cancel it, so ids must not
    be guessable: the random text has 96 bits. The MAC has 48 only, since a guess that passes costs
    one look-up.
    """

    __slots__ = ("_has_unsigned", "_secret")

    def __init__(self, secret: bytes, *, has_unsigned: bool = False) -> None:
        """Sign with `secret`; `has_unsigned`: some orders are older than the signatures."""
        self._secret = secret
        self._has_unsigned = has_unsigned

    def new(self) -> str:
        """Return a new id that cannot be guessed: 24 characters of A-Z, a-z, 0-9, `-` and `_`."""
        random = secrets.token_urlsafe(RANDOM_BYTES)
        return random + self._sign(random)

    def of_imported(self, system: str, former: str) -> str:
        """Return the id of an imported order, derived from its id in the former system.

        It is the same each time, and as hard to guess as any other: making it takes the secret.
        """
        name = blake2b(
            f"{system} {former}".encode(),
            key=self._secret,
            digest_size=RANDOM_BYTES,
            person=b"imported",
        )
        random = urlsafe_b64encode(name.digest()).decode("ascii")
        return random + self._sign(random)

    def may_exist(self, order_id: str) -> bool:
        """Return whether there may be such an order; False for any other text.

        The signature is compared in constant time.
        """
        if not order_id.isascii():
            return False
        random, signature = order_id[:UNSIGNED_LENGTH], order_id[UNSIGNED_LENGTH:]
        if not signature:
            return self._has_unsigned and len(random) == UNSIGNED_LENGTH
        return compare_digest(signature, self._sign(random))

    def _sign(self, random: str) -> str:
        mac = blake2b(random.encode("ascii"), key=self._secret, digest_size=MAC_BYTES)
        return urlsafe_b64encode(mac.digest()).decode("ascii")
