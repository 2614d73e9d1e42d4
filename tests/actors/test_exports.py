"""The public surface, pinned: a name comes or goes on purpose only."""

from __future__ import annotations

import actors
import actors.testing


def public(owner: type) -> set[str]:
    return {name for name in vars(owner) if not name.startswith("_")}


def test_the_package_exports_these_names() -> None:
    assert actors.__all__ == [
        "Actor",
        "ActorCrashed",
        "ActorError",
        "ActorStatistics",
        "ActorStopped",
        "MailboxFull",
        "Message",
        "Ref",
        "Refusal",
        "Reply",
        "Restart",
        "RestartLimitExceeded",
        "System",
        "Timer",
        "open_system",
    ]


def test_the_classes_have_these_members() -> None:
    assert public(actors.Actor) == {"on_start", "on_stop", "after", "every"}
    assert public(actors.Message) == {"handler", "deferred"}
    assert public(actors.Ref) == {
        "ask",
        "tell",
        "tell_nowait",
        "stop",
        "wait_stopped",
        "statistics",
    }
    assert public(actors.Reply) == {"send", "fail", "on_abandoned"}
    assert public(actors.Restart) == {"limit", "within"}
    assert public(actors.System) == {"start", "tree"}
    assert public(actors.Timer) == {"cancel"}


def test_the_statistics_have_these_members() -> None:
    assert list(actors.ActorStatistics.__dataclass_fields__) == [
        "name",
        "state",
        "queued",
        "mailbox",
        "handled",
        "refused",
        "skipped",
        "crashed",
        "restarts",
        "busy_since",
    ]


def test_the_helpers_for_tests_are_these() -> None:
    assert actors.testing.__all__ == ["run_seeded", "settle"]
