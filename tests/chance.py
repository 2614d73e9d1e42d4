"""The number of Hypothesis's examples: five in `make quick`, few in `make test`, many in a sweep.

The one rule: a test sets its number of examples in CI, and Hypothesis's profile sets the share of
them that it gets. tests/conftest.py makes the profiles; `--hypothesis-profile=` chooses one.
"""

from __future__ import annotations

from hypothesis import settings

EXAMPLES = {"quick": 5, "few": 25, "ci": 100, "many": 1000}
"""By profile, for a test that does not say how many it is worth: that is 100."""


def make_profiles() -> None:
    """Register a profile for each number of examples; none limits what an example may take."""
    for profile, examples in EXAMPLES.items():
        settings.register_profile(
            profile,
            max_examples=examples,
            deadline=None,  # machines are busy
            derandomize=profile == "ci",  # a failure is one of the change's, and comes again
            print_blob=True,
        )


def examples(worth: int) -> int:
    """Return how many of its examples a test gets under the current profile."""
    return max(1, worth * settings().max_examples // EXAMPLES["ci"])
