"""Settle: let the others go first.

The one rule: no time passes in here.
"""

import trio.testing


async def settle() -> None:
    """Return when every other task has come as far as it can without time passing.

    Under the sweep's virtual time, what is due later (a sleep, a timer, a deadline) stays due;
    `await trio.sleep(seconds)` lets that time pass. A task that waits for a thread or a socket
    counts as one that can come no further: settle does not wait for what the world will send.
    """
    await trio.testing.wait_all_tasks_blocked()
