"""A LOOK on the page: the cheap ones first, with what to look at, and the student's words told from the grader's."""

import json
from pathlib import Path

import nbformat
from nbformat.v4 import new_code_cell, new_notebook

from course.assignments import HINTS
from course.assignments.costs import COSTS, GLANCE, READING, RUN, cost_of
from course.grading.feedback import bullet
from course.grading.judging import lines_named
from course.grading.outcomes import Outcome
from course.grading.page import Pair, TaskSection, by_cost, page
from course.grading.quotes import Piece, pieces
from course.grading.verdicts import Finding, TaskVerdict, Verdict
from course.inbox.archives import Place
from course.inbox.rows import Row
from course.inbox.uploads import Copy
from course.notebooks.reading import parse


def outcome(file: str, finding: Finding) -> Outcome:
    row = Row(
        person=file, id="", key=file, assignment="a1", file=file, shelf="in", name=file, status="graded", reason="",
        place=Place(Path("in") / file), notebook=None, problem=None, remarks=(), folder="", sure=True, copy=Copy(),
        part=(), time=0.0, sha256="0" * 64, size=1,
    )  # fmt: skip
    tasks = {"B1": TaskVerdict("LOOK", (finding,))}
    return Outcome(row, Verdict(file, file, "a1", "LOOK", tasks, None, "0" * 64, ""))


def test_glances_come_before_reading_and_runs_come_last() -> None:
    codes = ["rerun_error", "own_way", "figure_panels"]
    findings = sorted((Finding("LOOK", code, "", "B1") for code in codes), key=by_cost)
    assert [finding.code for finding in findings] == ["figure_panels", "own_way", "rerun_error"]
    assert [cost_of(finding.code) for finding in findings] == [GLANCE, READING, RUN]


def test_each_cost_is_of_a_code_that_has_a_hint() -> None:
    assert COSTS.keys() <= HINTS.keys()


def test_a_look_about_a_picture_shows_it() -> None:
    section = TaskSection("B1", "LOOK", "", [], [Pair("figures/x-0.png", ""), Pair("", "vae_grid")], {3: "draw(model)"})
    assert section.thumbnails(Finding("LOOK", "figure_panels", "")) == ["figures/x-0.png"]
    assert section.thumbnails(Finding("LOOK", "own_way", "")) == []
    assert section.source_line(Finding("LOOK", "own_way", "code cell 3 draws")) == "draw(model)"
    assert section.source_line(Finding("PASS", "own_way", "code cell 3 draws")) == ""


def test_own_words_are_told_from_the_graders() -> None:
    said = "it's fine"
    assert pieces(f"the title {said!r} is the reader's") == [
        Piece("the title ", False), Piece(said, True), Piece(" is the reader's", False),
    ]  # fmt: skip
    assert pieces("nobody's and somebody's") == [Piece("nobody's and somebody's", False)]


def test_feedback_puts_own_words_in_quotes_and_italics() -> None:
    line = bullet(Finding("LOOK", "unclear", f"line {'*loss* 3'!r} differs"))
    assert line.endswith(r'(line *"\*loss\* 3"* differs)')


def test_a_page_shows_own_words_in_their_style_and_the_cheap_submission_first(tmp_path: Path) -> None:
    outcomes = [
        outcome("a_dear_a1.ipynb", Finding("LOOK", "rerun_error", f"stopped at {'<b>x</b>'!r}", "B1")),
        outcome("z_cheap_a1.ipynb", Finding("LOOK", "figure_panels", "3 panels", "B1")),
    ]
    text = page(outcomes, tmp_path)
    assert text.index("<b>z_cheap_a1.ipynb") < text.index("<b>a_dear_a1.ipynb")
    assert '<q class="quoted">&lt;b&gt;x&lt;/b&gt;</q>' in text


def test_the_line_that_a_look_is_about_is_stored_with_the_verdict() -> None:
    cells = [new_code_cell("import torch"), new_code_cell("draw(model)\nprint(1)")]
    cells += [new_code_cell("for x in data:\n    loss.backward()\n    optimizer.step()")]
    submission = parse("x_a1.ipynb", nbformat.writes(new_notebook(cells=cells)).encode())
    doubts = (Finding("LOOK", "own_way", "code cell 2 draws"), Finding("PASS", "own_way", "code cell 1 too"))
    never = Finding("LOOK", "zero_grad", "code cell 3 calls backward() and step(), but never zero_grad()")
    tasks = {"B1": TaskVerdict("LOOK", (*doubts, Finding("LOOK", "own_way", "code cell 99"), never))}
    lines = lines_named(tasks, submission)
    assert lines == {2: "draw(model)", 3: "loss.backward()"}
    verdict = Verdict("x", "x", "a1", "LOOK", tasks, None, "0" * 64, "", lines=lines)
    assert Verdict.from_json(json.loads(json.dumps(verdict.to_json()))).lines == lines
