"""Stories that chance makes up: whatever happens, each event is noted once and taken in sequence.

In a story there are orders with couriers, requests for tables, one or two receivers that fail or
are slow, crashes, kills, outages, and answers of the database that are lost.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import partial

import trio
from hypothesis import given, settings
from hypothesis import strategies as st

from actors import Restart
from actors.testing import run_seeded
from cafe.notifications.notification import PAUSES, State, Topic
from tests.cafe.ledger.fakes import FaultyStore
from tests.cafe.notifications.post import (
    Post,
    Receiver,
    expected_in,
    noted_in,
    open_post,
    rows_in,
    wrong_in,
)
from tests.chance import examples

PATIENT = Restart(limit=1_000, backoff=0.25, longest=1, jitter=0)
STEPS = st.lists(
    st.tuples(
        st.sampled_from([0.0, 0.05, 0.3, 4.0, 40.0]),
        st.sampled_from(
            ["go", "go", "go", "book", "fail", "heal", "slow", "crash", "gone", "back", "mute"]
        ),
        st.integers(0, 3),
    ),
    min_size=3,
    max_size=14,
)
Story = list[list[tuple[float, str, int]]]
"""The processes of a shop, one after the other; each is killed at its end."""


WAY = (
    ("order", "place"),
    ("order", "start"),
    ("order", "finish"),
    ("ride", "wait"),
    ("ride", "assign"),
    ("ride", "pick up"),
    ("order", "hand over"),
)
"""Of an order that is brought by a courier."""
MOST_PROCESSES = 3


@dataclass
class Play:
    """What outlives the processes of a story."""

    late: int
    """The number of processes before the first one that has a URL for bookings."""
    receiver: Receiver = field(default_factory=Receiver)
    program: Receiver = field(default_factory=Receiver)
    store: FaultyStore = field(default_factory=FaultyStore)
    lives: list[list[tuple[str, str]]] = field(default_factory=lambda: [list(WAY) for _ in "1234"])
    booked: int = 0
    booked_after: int = 0
    """Where bookings begin to be followed."""

    async def go(self, post: Post, which: int) -> None:
        """Let the next thing happen to an order; at its end let a table be requested."""
        if not self.lives[which]:
            self.booked += 1
            await post.book(f"b{self.booked}", "request", "accept")
            return
        what, action = self.lives[which].pop(0)
        await (post.happen if what == "order" else post.ride)(f"o{which}", action)

    async def run(self, story: Story) -> None:
        """Run one process after the other; in the last one all receivers are well."""
        for number, steps in enumerate([*story, []]):
            self.receiver.now = self.program.now = 0
            topics = frozenset(Topic) if number >= self.late else frozenset({Topic.ORDER})
            if number == self.late:
                self.booked_after = len(self.store.logged)
            async with (
                open_post(
                    self.store,
                    receiver=self.receiver,
                    program=self.program,
                    restart=PATIENT,
                    topics=topics,
                ) as post,
                trio.open_nursery() as nursery,
            ):
                for pause, what, which in steps:
                    await trio.sleep(pause)
                    await self.step(post, nursery, what, which)
                if not steps:
                    self.receiver.always.clear()
                    self.program.always.clear()
                    await trio.sleep(2 * sum(PAUSES))
                self.store = post.store.survivor()
                nursery.cancel_scope.cancel()

    async def step(self, post: Post, nursery: trio.Nursery, what: str, which: int) -> None:
        """Let one thing happen."""
        if what == "go":
            if not post.store.link.gone:
                await self.go(post, which)
        elif what == "book":
            self.lives[which].clear()
        elif what in {"fail", "heal"}:
            outcome = {"fail": "503", "heal": "200"}[what]
            self.receiver.always[f"o{which}"] = self.program.always[f"b{which}"] = outcome
        elif what == "slow":
            self.receiver.seconds[f"o{which}"] = self.program.seconds[f"b{which}"] = 0.2 * which
        elif what == "crash":
            nursery.start_soon(post.crash)
        elif what == "mute":
            post.store.link.mute = which
        else:
            post.store.link.gone = what == "gone"


@given(
    seed=st.integers(0, 2**32),
    story=st.lists(STEPS, min_size=1, max_size=MOST_PROCESSES),
    late=st.integers(0, MOST_PROCESSES),
)
@settings(max_examples=examples(50), deadline=None)
def test_each_event_is_noted_once_and_taken_in_order_in_any_story(
    seed: int, story: Story, late: int
) -> None:
    play = Play(min(late, len(story)))
    run_seeded(seed, partial(play.run, story))
    expected = expected_in(play.store, booked_after=play.booked_after)
    assert noted_in(play.store) == expected
    for row in rows_in(play.store):
        assert row.state is State.DELIVERED
    for about in {about for about, _, _, _ in expected}:
        receiver = play.receiver if about.startswith("o") else play.program
        wanted = [status for one, _, status, _ in expected if one == about]
        assert receiver.statuses(about) == wanted
    assert wrong_in(play.store) == []
