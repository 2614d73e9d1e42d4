"""What docs/limits.md says, against the code."""

import re
from pathlib import Path

import pytest

from cafe.limits.rate_limiter import Limits
from cafe.settings import Settings

PAGE = Path(__file__).parents[3] / "docs" / "limits.md"
ROWS: list[tuple[str, str]] = re.findall(
    r"^\| `CAFE_(\w+)` \| (\d+) \|", PAGE.read_text(encoding="utf-8"), re.MULTILINE
)


@pytest.mark.parametrize(("name", "default"), ROWS)
def test_the_page_has_the_default_of_each_setting(name: str, default: str) -> None:
    assert Settings.model_fields[name.lower()].default == int(default)


def test_the_limiters_own_defaults_are_those_of_the_settings() -> None:
    shown = {name.lower().replace("limit_", ""): int(default) for name, default in ROWS}
    del shown["connections"]  # of Admission
    assert shown | {"max_addresses": 100_000} == {
        name: getattr(Limits(), name) for name in Limits.__dataclass_fields__
    }
