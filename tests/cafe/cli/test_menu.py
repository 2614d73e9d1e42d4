"""`cafe menu`: what is exported is imported, and a wrong file changes nothing."""

from __future__ import annotations

import io
import sys
from pathlib import Path

import pytest

from cafe.menu.menu_file import MOST_BYTES
from tests.cafe.cli.running import run_command

LATTE = "- id: latte\n  name: Latte\n"


@pytest.fixture(autouse=True)
def shop_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Use a new database, in a folder of its own, which is the current one."""
    monkeypatch.setenv("CAFE_DATABASE_URL", f"sqlite:///{tmp_path}/cafe.db")
    monkeypatch.chdir(tmp_path)
    return tmp_path


class Cafe:
    """Runs `cafe menu`, and keeps what it prints."""

    def __init__(self, capsys: pytest.CaptureFixture[str]) -> None:
        self._capsys = capsys

    def __call__(self, *args: str) -> tuple[int, str, str]:
        """Return the exit code, and what was printed on both streams."""
        status = run_command(["menu", *args])
        captured = self._capsys.readouterr()
        return status, captured.out, captured.err

    def exported(self) -> str:
        """Return the menu as a file."""
        status, text, errors = self("export", "-")
        assert (status, errors) == (0, "")
        return text


@pytest.fixture
def cafe(capsys: pytest.CaptureFixture[str]) -> Cafe:
    return Cafe(capsys)


def test_a_new_shop_exports_its_first_menu(cafe: Cafe) -> None:
    assert cafe("export", "menu.yaml") == (0, "menu.yaml: 6 products\n", "")
    text = Path("menu.yaml").read_text("utf-8")
    assert LATTE in text
    assert cafe.exported() == text


def test_export_then_import_changes_nothing(cafe: Cafe) -> None:
    cafe("export", "menu.yaml")
    done = (0, "The menu is that of menu.yaml: 6 products.\n", "")
    assert cafe("import", "menu.yaml") == done
    assert cafe.exported() == Path("menu.yaml").read_text("utf-8")


def test_what_is_edited_is_imported_and_what_is_left_out_leaves(cafe: Cafe) -> None:
    text = cafe.exported()
    americano, latte = text.index("- id: americano"), text.index(LATTE)
    edited = text[:americano] + text[latte:].replace("4.00", "19.99").replace("Vanilla", "NO")
    Path("menu.yaml").write_text(edited, "utf-8")
    status, said, _ = cafe("import", "menu.yaml")
    assert (status, said) == (0, "The menu is that of menu.yaml: 5 products.\n")
    again = cafe.exported()
    assert again == edited.replace("name: NO", "name: 'NO'")
    Path("menu.yaml").write_text(text, "utf-8")
    cafe("import", "menu.yaml")
    assert cafe.exported() == text


def test_a_menu_moves_to_another_shop_with_its_ids(
    cafe: Cafe, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    Path("new.yaml").write_text("products:\n- {name: Caf\u00e9 \u2615, price: 1.10}\n", "utf-8")
    assert cafe("import", "new.yaml")[1] == "The menu is that of new.yaml: 1 product.\n"
    cafe("export", "menu.yaml")
    monkeypatch.setenv("CAFE_DATABASE_URL", f"sqlite:///{tmp_path}/other.db")
    cafe("import", "menu.yaml")
    assert cafe.exported() == Path("menu.yaml").read_text("utf-8")


def test_a_file_of_names_alone_changes_the_products_of_these_names(cafe: Cafe) -> None:
    text = cafe.exported()
    lines = [line.replace("  name:", "- name:") for line in text.splitlines() if "- id" not in line]
    Path("menu.yaml").write_text("\n".join(lines), "utf-8")
    assert cafe("import", "menu.yaml")[0] == 0
    assert cafe.exported() == text


@pytest.mark.parametrize(
    ("old", "new", "error"),
    [
        ("4.00", "2.345", "line 15: products.1.price: A price is decimal text with two places"),
        ("0.50", "-4.01", "line 20: products.1.variations.0.price_change: With this variation"),
        ("Latte", "americano", "line 11: products.1.name: Another product has this name."),
    ],
)
def test_an_error_names_file_line_and_member_and_changes_nothing(
    cafe: Cafe, old: str, new: str, error: str
) -> None:
    text = cafe.exported()
    wrong = text.replace("name: Americano", "name: Americano 2", 1) if old == "4.00" else text
    Path("menu.yaml").write_text(wrong.replace(old, new, 1), "utf-8")
    status, said, errors = cafe("import", "menu.yaml")
    assert (status, said) == (2, "")
    assert errors.startswith(f"cafe: menu.yaml, {error}")
    assert errors.count("\n") == 1
    assert cafe.exported() == text


def test_standard_input_is_a_file_without_a_name(
    cafe: Cafe, monkeypatch: pytest.MonkeyPatch
) -> None:
    text = cafe.exported()
    given = io.TextIOWrapper(io.BytesIO(text.replace("4.00", "4.10").encode()))
    monkeypatch.setattr(sys, "stdin", given)
    assert cafe("import", "-") == (0, "The menu is that of standard input: 6 products.\n", "")
    assert cafe.exported() == text.replace("4.00", "4.10")
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(b"products: [1]")))
    assert cafe("import", "-")[2].startswith("cafe: standard input, line 1: products.0: ")
    monkeypatch.setattr(sys, "stdin", None)
    assert cafe("import", "-") == (2, "", "cafe: standard input: The file is empty.\n")


@pytest.mark.parametrize("command", ["import", "export"])
def test_a_file_that_cannot_be_used_is_one_line(cafe: Cafe, command: str) -> None:
    status, said, errors = cafe(command, "none/menu.yaml")
    assert (status, said) == (2, "")
    assert errors == "cafe: none/menu.yaml: No such file or directory.\n"
    status, said, errors = cafe(command, ".")
    assert (status, errors) == (2, "cafe: .: Is a directory.\n")


def test_a_large_file_is_not_read_to_its_end(cafe: Cafe) -> None:
    Path("menu.yaml").write_bytes(b"#" * (MOST_BYTES + 10))
    error = "cafe: menu.yaml: A menu has at most 262,144 bytes.\n"
    assert cafe("import", "menu.yaml") == (2, "", error)
    long = "x" * 1000
    lines = [f"- {{name: n{number}, price: 1.00, description: {long}}}" for number in range(60)]
    Path("menu.yaml").write_text("\n".join(["products:", *lines]), "utf-8")
    status, _, errors = cafe("import", "menu.yaml")
    assert status == 2
    assert errors.startswith("cafe: menu.yaml, line 1: products: A menu has at most 60,000 bytes")


def test_a_menu_of_nothing_is_a_menu(cafe: Cafe) -> None:
    Path("menu.yaml").write_text("products: []\n", "utf-8")
    assert cafe("import", "menu.yaml")[1] == "The menu is that of menu.yaml: 0 products.\n"
    assert cafe.exported() == "products: []\n"


def test_a_name_of_a_file_is_printed_escaped(cafe: Cafe) -> None:
    assert cafe("import", "a\x1bb")[2] == "cafe: a\\x1bb: No such file or directory.\n"
