"""Tree: all actors of a system at one moment, in their groups; as values, and as text."""

from collections.abc import Iterator
from dataclasses import dataclass

from actors.statistics import ActorStatistics
from actors.strategy import Strategy


@dataclass(frozen=True, slots=True)
class Tree:
    """A group and its members, in the order of their start; `str` draws it."""

    name: str
    strategy: Strategy
    members: "tuple[ActorStatistics | Tree, ...]"

    def __iter__(self) -> Iterator[ActorStatistics]:
        """Yield every actor, those of the groups within included."""
        for member in self.members:
            if isinstance(member, Tree):
                yield from member
            else:
                yield member

    def __str__(self) -> str:
        """Draw one line for each group and each actor."""
        return "\n".join(drawn(self))


def drawn(member: ActorStatistics | Tree) -> Iterator[str]:
    """Yield the lines of a member, and of those in it."""
    if not isinstance(member, Tree):
        yield line(member)
        return
    yield f"{member.name}, {member.strategy.value}"
    for number, within in enumerate(member.members, 1):
        last = number == len(member.members)
        lines = drawn(within)
        yield ("└─ " if last else "├─ ") + next(lines)
        for below in lines:
            yield ("   " if last else "│  ") + below


def line(actor: ActorStatistics) -> str:
    """Tell of one actor; what has never happened is left out."""
    counts = {
        name: getattr(actor, name)
        for name in ("handled", "refused", "skipped", "crashed", "restarts")
    }
    told = "".join(f", {name} {count}" for name, count in counts.items() if count)
    busy = "" if actor.busy_since is None else ", busy"
    return f"{actor.name} {actor.state}{busy}, queued {actor.queued} of {actor.mailbox}{told}"
