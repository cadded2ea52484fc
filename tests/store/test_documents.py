"""YAML 1.2 and JSON in, YAML out."""

from datetime import date
from pathlib import Path

import pytest

from workbench.errors import InputError
from workbench.store import documents


def test_norway_is_not_false() -> None:
    """YES, NO, on and off are texts; true, null and numbers are themselves; a date is a date."""
    text = "[NO, no, yes, off, y, true, null, ~, 012, 1e3, 0x1F, '5', 2026-06-30, 12:30]"
    assert documents.parse(text) == [
        "NO", "no", "yes", "off", "y", True, None, None, 12, 1000.0, 31, "5", date(2026, 6, 30), "12:30",
    ]  # fmt: skip


@pytest.mark.parametrize(
    "body",
    [
        {"a": ["NO", "yes", "null", "1", "1.5", "2026-06-30", "~", "", " x ", "a: b", "# c", "12:30", "0o7", "1_000"]},
        {"numbers": [1, 1.5, -0.0, 1e300, 12345678901234567890], "flags": [True, False, None]},
        {"text": "two\nlines\n", "long": "x " * 200, "signs": "'\"\\ \t{}[]&*!|>%@`", "é": "🦆", "nul": "\x07"},
        {"empty": {}, "none": [], "z": 1, "a": 2},
    ],
)  # fmt: skip
def test_what_is_dumped_is_read_back(body: dict[str, object]) -> None:
    """Text that looks like something else stays text, and keys keep their order."""
    again = documents.parse(documents.dump(body))
    assert again == body
    assert list(again) == list(body)


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("a: 1\nb: [1\nc: 2\n", r'"s.yaml", line 3: '),
        ("a: 1\na: 2\n", r'"s.yaml", line 2: '),
        ("a:\n\t- 1\n", r'"s.yaml", line 2: '),
        ("a: !!python/object:os.system x", r'"s.yaml", line 1: '),
    ],
)
def test_what_is_not_yaml_is_told_with_its_line(tmp_path: Path, text: str, problem: str) -> None:
    """An open bracket, a key that comes twice, a tab, a foreign tag."""
    path = tmp_path / "s.yaml"
    path.write_text(text, encoding="utf-8")
    with pytest.raises(InputError, match=problem):
        documents.read(path)


def test_what_cannot_be_read_is_told(tmp_path: Path) -> None:
    """No such file, a folder, and text that is not UTF-8."""
    (tmp_path / "latin.yaml").write_bytes(b"a: caf\xe9")
    for name, reason in (
        ("none.yaml", "No such file"),
        ("", "Is a directory"),
        ("latin.yaml", "it is not UTF-8"),
    ):
        with pytest.raises(InputError, match=reason):
            documents.read(tmp_path / name)


@pytest.mark.parametrize("text", ["a: \x00", "a: \x07b"])
def test_control_signs_are_told(text: str) -> None:
    """Signs that YAML does not allow are an error in a sentence."""
    with pytest.raises(InputError):
        documents.parse(text)
