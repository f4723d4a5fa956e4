"""What a grading leaves for a tutor and for students; whatever stands in a submission, it is text there."""

import csv
import io
from dataclasses import fields, replace
from pathlib import Path

import jinja2
import pytest

from course.assignments import HINTS
from course.grading import feedback, outcomes, tables
from course.grading import page as pages
from course.grading.outcomes import Outcome
from course.grading.verdicts import Finding, StoredPicture, TaskVerdict, Verdict
from course.inbox.archives import Place
from course.inbox.rows import Row
from course.inbox.uploads import Copy

SCRIPT = "<script>alert('1')</script>\"><img src=x onerror=alert(2)>"
PLAIN = Verdict(
    file="max_mustermann_a1.ipynb",
    name="max mustermann",
    assignment="a1",
    verdict="FAIL",
    tasks={
        "file": TaskVerdict("PASS", (Finding("PASS", "order", "in order", "file"),)),
        "A1": TaskVerdict("FAIL", (Finding("FAIL", "kl_sign", "KL = -1", "A1"),)),
        "B3": TaskVerdict("LOOK", (Finding("LOOK", "figure_missing", "none of 3", "B3"),)),
        "B4": TaskVerdict("LOOK"),
    },
    note="a note",
    sha256="0" * 64,
    options="3 None False",
    path="in/max_mustermann_a1.ipynb",
    pictures=(StoredPicture("B3", "figures/max-0.png", "part_b_latent_space"),),
)


def outcome(verdict: Verdict | None, **changes) -> Outcome:
    name, file, key = (verdict.name, verdict.file, verdict.assignment) if verdict else ("", "", "")
    row = Row(
        person=name, id="", key=name.replace(" ", ""), assignment=key, file=file, shelf="in", name=file,
        status="graded", reason="", place=Place(Path("in") / "x"), notebook=None, problem=None, remarks=(), folder="",
        sure=True, copy=Copy(), part=(), time=0.0, sha256="0" * 64, size=1,
    )  # fmt: skip
    return Outcome(replace(row, **changes), verdict)


def page_of(verdicts: list[Verdict], out: Path) -> str:
    return pages.page([outcome(verdict) for verdict in verdicts], out)


def table_of(verdicts: list[Verdict]) -> list[list[str]]:
    text = tables.grades([outcome(verdict) for verdict in verdicts])
    return list(csv.reader(io.StringIO(text.removeprefix("\ufeff"))))


def with_evidence(evidence: str) -> Verdict:
    doubt = TaskVerdict("LOOK", (Finding("LOOK", "unclear", evidence, "A1"),))
    return replace(PLAIN, tasks={**PLAIN.tasks, "A1": doubt})


# every text of a verdict that a student has a say in, be it by a file's name, and what might come of a verdict file
CONTROLLED = {
    "file": replace(PLAIN, file=SCRIPT),
    "name": replace(PLAIN, name=SCRIPT),
    "note": replace(PLAIN, note=SCRIPT),
    "path": replace(PLAIN, path=SCRIPT),
    "assignment": replace(PLAIN, assignment=SCRIPT),
    "evidence": with_evidence(SCRIPT),
    "evidence that holds": replace(PLAIN, tasks={"A1": TaskVerdict("PASS", (Finding("PASS", "x", SCRIPT, "A1"),))}),
    "code": replace(PLAIN, tasks={"A1": TaskVerdict("FAIL", (Finding("FAIL", SCRIPT, "text", "A1"),))}),
    "task": replace(PLAIN, tasks={SCRIPT: TaskVerdict("FAIL", (Finding("FAIL", "x", "text", SCRIPT),))}),
    "task without evidence": replace(PLAIN, tasks={SCRIPT: TaskVerdict("LOOK")}),
    "lines of a cell": replace(with_evidence("code cell 3 differs"), lines={3: SCRIPT}),
    "picture": replace(PLAIN, pictures=(StoredPicture("B3", SCRIPT, SCRIPT),)),
}


@pytest.mark.parametrize("field", CONTROLLED)
def test_a_script_in_any_field_is_text_on_the_page(field, tmp_path):
    page = page_of([CONTROLLED[field], PLAIN], tmp_path)
    assert "<script" not in page and "onerror=alert(2)>" not in page
    assert ("&lt;script&gt;" in page) == (field != "path")  # where the file lay does not stand on the page


@pytest.mark.parametrize("field", [name for name in CONTROLLED if name != "path"])
def test_without_escaping_the_script_would_be_there(field, tmp_path, monkeypatch):
    def careless(**options):
        return jinja2.Environment(**{**options, "autoescape": False})

    monkeypatch.setattr(pages, "Environment", careless)
    assert "<script" in page_of([CONTROLLED[field]], tmp_path)


def test_each_text_of_a_verdict_is_tried():
    harmless = {"verdict", "sha256", "options", "traces"}  # made by the grader from a list of words, or by hashing
    tried = {name.split()[0] for name in CONTROLLED} - {"evidence", "code", "task", "picture"}
    assert {field.name for field in fields(Verdict)} == tried | harmless | {"tasks", "pictures"}


@pytest.mark.parametrize("field", CONTROLLED)
def test_a_script_in_any_field_is_text_in_the_feedback(field):
    text = feedback.markdown(CONTROLLED[field])
    if field != "code":  # codes are words of our own
        assert "<script" not in text.replace("\\<script", "")


def test_a_cell_of_the_table_is_never_a_formula():
    names = ("=cmd()", "+1", "-1", "@x", "\t=1", "a\r\n=b")
    rows = table_of([replace(PLAIN, file=name, name=name) for name in names])
    assert len(rows) == len(names) + 1
    for row in rows[1:]:
        assert not any(cell.startswith(("=", "+", "-", "@", "\t", "\r")) for cell in row)


def test_the_table_has_a_column_a_task_named_after_its_assignment_where_several_are_mixed():
    other = replace(PLAIN, assignment="a2", tasks={"file": TaskVerdict("LOOK"), "1": TaskVerdict("PASS")})
    assert table_of([PLAIN])[0][11:] == ["file", "A1", "B3", "B4"]
    header, one, two = table_of([PLAIN, other])
    assert len(set(header)) == len(header)
    assert header[11:] == ["a1 file", "a1 A1", "a1 B3", "a1 B4", "a2 file", "a2 1"]
    assert one[3] == "FAIL" and one[11:] == ["PASS", "FAIL", "LOOK", "LOOK", "", ""]
    assert two[11:] == ["", "", "", "", "LOOK", "PASS"]


def test_feedback_names_what_is_wrong_in_short_and_says_of_each_task_what_holds():
    text = feedback.markdown(PLAIN)
    head = '# *"max\\_mustermann\\_a1.ipynb"*: FAIL'
    assert text.startswith(f"{head}\n\nNot right: A1.\n\nA person will look at: B3, B4.\n")
    assert HINTS["kl_sign"] in text and "holds: in order" in text and "no evidence was found" in text


def test_the_page_begins_with_what_a_person_must_decide(tmp_path):
    passed, open_case = replace(PLAIN, verdict="PASS", file="p"), replace(PLAIN, verdict="LOOK", file="l")
    page = page_of([passed, PLAIN, open_case], tmp_path)
    places = [page.index(f'<summary><bdi class="quoted"><b>{name}</b>') for name in ("l", PLAIN.file, "p")]
    assert places == sorted(places)
    assert "3 submissions" in page and "1 LOOK, 1 FAIL, 1 PASS" in page and "No evidence was found for B4." in page


def test_pictures_stand_beside_those_that_they_are_named_after():
    def pairs(*pictures):
        verdict = replace(PLAIN, pictures=tuple(StoredPicture("B3", *picture) for picture in pictures))
        return pages.side_by_side(verdict, "B3", ["one", "two"])

    assert pairs(("x.png", ""), ("b.png", "two")) == [("", "one"), ("b.png", "two"), ("x.png", "")]
    assert pairs(("x.png", "")) == [("x.png", "one"), ("", "two")]


def test_feedback_is_a_file_a_person_with_pictures_of_what_is_meant_and_nothing_for_tutors(tmp_path):
    people = outcomes.standings([outcome(PLAIN), outcome(replace(PLAIN, assignment="a2", file="other_a2.ipynb"))])
    feedback.write(tmp_path, people)
    written = {str(path.relative_to(tmp_path)) for path in tmp_path.rglob("*") if path.is_file()}
    assert {"feedback/max_mustermann.md", "feedback/pictures/part_b_latent_space.png"} <= written
    text = (tmp_path / "feedback" / "max_mustermann.md").read_text(encoding="utf-8")
    assert "other" in text and "![what is meant](pictures/part_b_latent_space.png)" in text
    assert "a note" not in text and "tutor" not in text
    requires = "A VAE whose forward gives"  # a sentence for tutors
    assert requires not in text and "The task: implement" in text
    (tmp_path / "feedback" / "other.md").write_text("by hand")
    feedback.write(tmp_path, outcomes.standings([outcome(replace(PLAIN, name="erika muster"))]))
    assert {p.name for p in (tmp_path / "feedback").glob("*.md")} == {"erika_muster.md", "other.md"}
