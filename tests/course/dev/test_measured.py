"""What commands measure stands in pages by itself."""

import datetime
import re
from pathlib import Path

import pytest

from course.dev import measured

ROOT = Path(__file__).resolve().parents[3]
DAY = datetime.date(2026, 11, 30)
INCLUDE = re.compile(r"```\{include\} (measured/\w+\.md)")


def test_the_last_lines_stand_in_the_page_with_command_day_and_machine():
    text = measured.page(measured.Measurement("make x", 2), "one\n\x1b[1mtwo\x1b[0m  \nthree\n\n", DAY)
    assert text.startswith("`make x` on 30 November 2026, ")
    assert text.endswith("```text\ntwo\nthree\n```\n")


def test_all_lines_are_kept_where_none_are_counted():
    assert "```text\none\ntwo\n```" in measured.page(measured.Measurement("make x", 0), "one\ntwo", DAY)


def test_where_the_repository_lies_on_one_machine_stands_in_no_page():
    printed = f"written to {measured.clone()}/executed"
    assert "\nwritten to executed\n" in measured.page(measured.Measurement("make x", 0), printed, DAY)


def test_a_command_that_prints_nothing_is_no_measurement():
    with pytest.raises(ValueError, match="make x has printed nothing"):
        measured.page(measured.Measurement("make x", 0), "\n \n", DAY)


def test_a_command_that_fails_writes_nothing(monkeypatch, tmp_path):
    (tmp_path / "notebooks").mkdir()
    monkeypatch.setattr(measured, "clone", lambda: tmp_path)
    monkeypatch.setitem(measured.MEASURED, "run", measured.Measurement("python -c 'print(1); raise SystemExit(3)'", 0))
    monkeypatch.setattr("sys.argv", ["measured", "run"])
    with pytest.raises(SystemExit, match="exit status 3"):
        measured.main()
    assert not (tmp_path / measured.FOLDER).exists()


def test_each_part_that_pages_include_is_there_and_each_is_included():
    included = set()
    for page in (ROOT / "docs").glob("*.md"):
        included |= set(INCLUDE.findall(page.read_text(encoding="utf-8")))
    assert included == {f"measured/{path.name}" for path in (ROOT / "docs" / "measured").glob("*.md")}
