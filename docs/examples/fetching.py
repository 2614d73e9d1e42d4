"""Do I/O in a task beside the actor, which tells it the result."""

from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass

import trio

from actors import Actor, ActorStopped, Message, Ref, Reply, open_system


@dataclass(frozen=True, slots=True)
class Read(Message["Library", str]):
    """Answered with the text of a page, as soon as it is there."""

    page: str


@dataclass(frozen=True, slots=True)
class Fetched(Message["Library", None]):
    """Told by a task that the library started: the text, or why there is none."""

    page: str
    text: str | OSError


class Library(Actor):
    """Fetches each page once, however many asks there are for it."""

    def __init__(self, nursery: trio.Nursery, own: Callable[[], Ref["Library"]]) -> None:
        self.nursery = nursery
        self.own = own
        self.texts: dict[str, str] = {}
        self.readers: dict[str, list[Reply[str]]] = {}

    @Read.deferred
    def read(self, message: Read, reply: Reply[str]) -> None:
        """Answer, or keep the reply and start a task that fetches the page."""
        if message.page in self.texts:
            reply.send(self.texts[message.page])
        elif message.page in self.readers:
            self.readers[message.page].append(reply)
        else:
            self.readers[message.page] = [reply]
            self.nursery.start_soon(fetch, message.page, self.own())

    @Fetched.handler
    def shelve(self, message: Fetched) -> None:
        """Answer all asks that wait; none does, if a crashed instance started the task."""
        for reply in self.readers.pop(message.page, []):
            if isinstance(message.text, OSError):
                reply.fail(OSError(f"no {message.page}"))
            else:
                reply.send(message.text)
        if isinstance(message.text, str):
            self.texts[message.page] = message.text


async def fetch(page: str, library: Ref[Library]) -> None:
    """Fetch a page, which takes a second; not a turn, so it does not touch the library's state."""
    text: str | OSError
    try:
        print("fetching", page)
        text = await download(page)
    except OSError as error:
        text = error
    with suppress(ActorStopped):
        await library.tell(Fetched(page, text))


async def download(page: str) -> str:
    """Stand in for a socket."""
    await trio.sleep(1)
    if page == "index":
        raise ConnectionResetError
    return f"all about {page}"


async def main() -> None:
    """Read one page twice at once, and a page that cannot be fetched."""
    async with trio.open_nursery() as work, open_system() as system:
        library: Ref[Library] = await system.start(lambda: Library(work, lambda: library))
        async with trio.open_nursery() as readers:
            for _ in range(2):
                readers.start_soon(library.ask, Read("tea"))
        text = await library.ask(Read("tea"))
        print(text)
        try:
            await library.ask(Read("index"))
        except OSError as error:
            print(error)


if __name__ == "__main__":
    trio.run(main)
