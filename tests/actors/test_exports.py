"""The public surface, pinned: no name is added or removed by accident."""

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
        "ActorState",
        "ActorStatistics",
        "ActorStopped",
        "Deadlock",
        "Instrument",
        "MailboxFull",
        "Message",
        "Ref",
        "Refusal",
        "Reply",
        "Restart",
        "RestartLimitExceeded",
        "Strategy",
        "System",
        "Timer",
        "Tree",
        "open_system",
    ]


def test_the_classes_have_these_members() -> None:
    assert public(actors.Actor) == {"on_start", "on_stop", "after", "every"}
    assert public(actors.Message) == {"handler", "deferred"}
    assert public(actors.Ref) == {
        "name",
        "messages",
        "ask",
        "post",
        "tell",
        "tell_nowait",
        "stop",
        "wait_stopped",
        "statistics",
    }
    assert public(actors.Reply) == {"send", "fail", "on_abandoned"}
    assert public(actors.Restart) == {"limit", "within", "backoff", "longest", "jitter"}
    assert public(actors.System) == {"start", "group", "stop", "tree"}
    assert public(actors.Tree) == {"name", "strategy", "members"}
    assert public(actors.Instrument) == {
        "enqueued",
        "started",
        "finished",
        "refused",
        "crashed",
        "restarted",
    }
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
    assert actors.testing.__all__ == ["Probe", "assert_handles_all", "run_seeded", "settle"]


def test_a_probe_has_these_members_beside_those_of_a_ref() -> None:
    added = {"answer", "fail", "name", "next", "received", "reply", "unasked"}
    assert public(actors.testing.Probe) == public(actors.Ref) | added
