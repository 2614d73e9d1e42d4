"""The refusals of payments.

Rule: each has a sentence, its data as members, and the HTTP status of the contract.
"""

from __future__ import annotations

from cafe.http.refusals import CafeRefusal, Unavailable
from cafe.orders.messages import KeyReused
from cafe.payments.payment import Payment, Status

RETRY_SECONDS = 2.0
"""The Retry-After when it is not known when the provider answers."""


class PaymentRefused(CafeRefusal):
    """The provider does not charge it."""

    status = 402

    def __init__(self) -> None:
        super().__init__("The payment was refused; nothing was charged and nothing ordered.")


class ProviderUnavailable(Unavailable):
    """The provider was surely not reached, so nothing is charged."""

    reason = "payment"

    def __init__(self, retry_after: float = RETRY_SECONDS) -> None:
        super().__init__(
            "Payments cannot be made at the moment; nothing was charged. Try again soon.",
            retry_after,
        )


class PaymentUnknown(Unavailable):
    """The provider was asked, and its answer is still unknown."""

    reason = "payment_pending"

    def __init__(self) -> None:
        super().__init__(
            "The payment takes longer than usual. What is charged becomes your order within five "
            "minutes, or is refunded; with an Idempotency-Key, ask again.",
            RETRY_SECONDS,
        )


class NotPlaced(Unavailable):
    """It was charged, and its order could not be placed."""

    reason = "not_placed"

    def __init__(self) -> None:
        super().__init__(
            "It was charged, but could not be ordered; the charge is refunded.", RETRY_SECONDS
        )


class StillRunning(CafeRefusal):
    """The first request with this Idempotency-Key has no outcome yet."""

    status = 409
    retry_after = RETRY_SECONDS

    def __init__(self) -> None:
        super().__init__("The first request with this Idempotency-Key is still running.")


class ForgottenPayment(CafeRefusal):
    """The payment is not in memory: it is in the ledger only, or nowhere."""

    status = 503
    retry_after = RETRY_SECONDS

    def __init__(self) -> None:
        super().__init__("The payment has to be looked up.")


class WrongTotal(CafeRefusal):
    """The customer expects another total."""

    status = 409
    members = ("total_cents",)

    def __init__(self, total_cents: int) -> None:
        super().__init__(f"The total is {total_cents} cents; order again with that.")
        self.total_cents = total_cents


class NotOnMenu(CafeRefusal):
    """Lines of the basket cannot be sold."""

    status = 422
    members = ("errors",)

    def __init__(self, errors: list[dict[str, str]]) -> None:
        super().__init__("; ".join(f"{one['item']}: {one['message']}" for one in errors))
        self.errors = errors


class NotServed(CafeRefusal):
    """No courier serves the district, or there is no such district."""

    status = 422
    members = ("errors", "districts")

    def __init__(self, districts: list[str]) -> None:
        """Name the `districts` that are served."""
        item, message = "fulfilment.district", "no courier serves it"
        served = ", ".join(districts) or "none"
        super().__init__(f"{item}: {message}. The districts that are served: {served}.")
        self.errors = [{"item": item, "message": message}]
        self.districts = districts


def outcome_for_key(
    payment: Payment, fingerprint: str | None, *, has_order: bool = False
) -> Payment | CafeRefusal:
    """Return the outcome of a repeated request with the key of a payment: it, or a refusal.

    `has_order`: its order is placed, even if that event was not followed yet.
    """
    if payment.fingerprint != fingerprint:
        return KeyReused()
    if has_order:
        return payment
    if payment.status in {Status.INTENT, Status.ASKED, Status.PAID}:
        return StillRunning()
    return PaymentRefused() if payment.status is Status.REFUSED else payment


def outcome_of(payment: Payment, retry_after: float) -> Payment | CafeRefusal | None:
    """Return the outcome of a payment for its customer: it, or a refusal; None while unknown."""
    if payment.number is not None:
        return payment
    if payment.status is Status.REFUSED:
        was_asked = payment.charge_status is not None
        return PaymentRefused() if was_asked else ProviderUnavailable(retry_after)
    is_given_back = payment.status in {Status.REFUND_PENDING, Status.REFUNDED}
    return NotPlaced() if is_given_back else None
