# ruff: noqa: E501, RUF005 made-up files stand on long lines
"""One submission from its outputs: what is seen in them, what hostile files do, and whose mistake is whose."""

import json
import re
from pathlib import Path

import pytest

from course import paths
from course.assignments import ASSIGNMENTS, HINTS
from course.assignments.a2 import NUMPY_MISTAKES
from course.grading import feedback, judging
from course.grading.corpus import attacks, variants
from course.grading.corpus.attacks import bomb, text_bomb
from course.grading.corpus.notebooks import NAME, RESULTS, cell, class_cells, notebook, picture_output, png, text_output
from course.grading.judging import Options, grade_content
from course.grading.verdicts import Finding, Verdict
from course.notebooks import reading


def graded(cells: list[dict], name: str = NAME) -> Verdict:
    return grade_content(name, notebook(cells), Options()).verdict


def codes(verdict: Verdict, task: str, level: str | None = None) -> set[str]:
    return {finding.code for finding in verdict.tasks[task].findings if level in (None, finding.level)}


# ---------------------------------------------------------------- hints


def test_every_hint_that_can_be_given_is_there_and_every_hint_can_be_given():
    folder, checks = paths.ROOT / "course", paths.ROOT / "helpers" / "checks"
    files = [path for path in checks.glob("*.py") if path.stem != "hints"]
    for part in ("grading", "inbox"):
        inside = (path for path in Path(folder / part).rglob("*.py"))
        files += [path for path in inside if path.relative_to(folder).parts[1] not in ("corpus", "probes")]
    source = "".join(path.read_text(encoding="utf-8") for path in files)
    codes_in_use = {word for word in HINTS if re.search(rf'"{word}[" ]', source)} | set(NUMPY_MISTAKES)
    assert codes_in_use | {"trains_on_val"} == set(HINTS), set(HINTS) - codes_in_use
    assert all(hint.endswith(".") and len(hint) < 130 for hint in HINTS.values())
    for mistake in variants.MISTAKES:
        assert set(mistake.codes) <= HINTS.keys()
    assert set(NUMPY_MISTAKES) <= HINTS.keys()


# ---------------------------------------------------------------- what outputs show


def test_an_honest_notebook_without_our_helpers_passes():
    verdict = graded(class_cells())
    assert verdict.verdict == "PASS", verdict.tasks
    assert verdict.name == "max mustermann"


def test_missing_numbers_and_figures_are_looked_for_not_failed():
    verdict = graded([cell("train_vae()", text_output("done"))] + class_cells()[4:])
    assert codes(verdict, "A1", "LOOK") >= {"numbers_missing"} and not codes(verdict, "A1", "FAIL")
    verdict = graded(class_cells()[:6])
    assert codes(verdict, "B5", "LOOK") == {"figure_missing"}


def test_cells_out_of_order_not_executed_or_failing():
    cells = class_cells()
    cells[2]["execution_count"] = 40
    assert "order" in codes(graded(cells), "file", "LOOK")
    bare = [{**c, "outputs": []} for c in class_cells()]
    raw = json.dumps({"cells": [{**c, "execution_count": None} for c in bare]}).encode()
    verdict = grade_content(NAME, raw, Options()).verdict
    assert verdict.verdict == "FAIL" and "not_executed" in codes(verdict, "file", "FAIL")
    broken = class_cells()
    broken[-1]["outputs"] = [{"output_type": "error", "ename": "NameError", "evalue": "x", "traceback": []}]
    assert "error_output" in codes(graded(broken), "file", "FAIL")


def test_blank_and_repeated_figures():
    cells = class_cells()
    cells[-1]["outputs"] = [picture_output(png(blank=True))]
    assert "figure_blank" in codes(graded(cells), "B5", "FAIL")
    cells = class_cells()
    cells[-1]["outputs"] = cells[-2]["outputs"]
    assert "figure_twice" in codes(graded(cells), "B5", "FAIL")
    cells = class_cells()
    cells[-1]["outputs"] *= 2  # the same figure shown twice by one cell is nobody's mistake
    assert graded(cells).verdict == "PASS"
    cells = class_cells()
    cells[-3]["outputs"] = [picture_output(png(77, 1, 2))]
    assert "figure_panels" in codes(graded(cells), "B3", "LOOK")


def test_a_figure_of_part_a_does_not_stand_for_one_of_part_b():
    cells = class_cells()
    cells[-3] = cell("plt.savefig('part_a_vae_dataset3_latent_space.png')", picture_output(png(5, 1, 1)))
    assert codes(graded(cells), "B3") == {"figure_missing"}


def test_static_signs_of_training_on_the_test_set_and_of_no_zero_grad():
    cells = class_cells()
    cells[0]["source"] = "train_loader = DataLoader(test_dataset1, batch_size=512)"
    assert "trains_on_test" in codes(graded(cells), "A2", "FAIL")
    cells[0]["source"] = "for x in test_loader:\n    loss(x).backward()\n    opt.step()\n    opt.zero_grad()"
    assert "trains_on_test" in codes(graded(cells), "A2", "FAIL")
    cells[0]["source"] = "for x in train_loader:\n    loss(x).backward()\n    opt.step()"
    assert "zero_grad" in codes(graded(cells), "A2", "FAIL")
    cells[0]["source"] = "def train(m, train_loader, test_loader):\n    for x in train_loader:\n" \
                         "        opt.zero_grad(); loss(x).backward(); opt.step()\n    for x in test_loader: m(x)"  # fmt: skip
    assert graded(cells).verdict == "PASS"


KINDS = [kind for kind in reading.PICTURE_KINDS if kind not in reading.OPENED_KINDS]
DATA = {"image/svg+xml": "<svg xmlns='http://www.w3.org/2000/svg'/>", "application/vnd.plotly.v1+json": {"data": []}}


def stored_as(kind: str, cells: list[dict]) -> list[dict]:
    """Return cells whose pictures are stored in another form."""
    for entry in cells:
        for output in entry["outputs"]:
            if "image/png" in output.get("data", {}):
                output["data"] = {kind: DATA.get(kind, "R0lGODlhAQABAAAAACw="), "text/plain": "<Figure>"}
    return cells


@pytest.mark.parametrize("kind", KINDS)
def test_pictures_of_a_kind_that_cannot_be_opened_are_looked_at_and_never_fail(kind):
    verdict = graded(stored_as(kind, class_cells()))
    assert verdict.verdict == "LOOK"
    assert not [task for task in verdict.tasks.values() if task.verdict == "FAIL"]
    for task in ("A2", "B3", "B4", "B5"):
        assert codes(verdict, task, "LOOK") == {"picture_kind"}, verdict.tasks[task]
    assert kind in feedback.markdown(verdict).replace("\\", "") and HINTS["picture_kind"] in feedback.markdown(verdict)


def test_one_picture_that_opens_is_enough_and_without_any_the_task_fails():
    cells = class_cells()
    cells[-1]["outputs"] += stored_as("image/svg+xml", [cell("", picture_output(png(50)))])[0]["outputs"]
    assert graded(cells).verdict == "PASS"
    bare = [{**entry, "outputs": [o for o in entry["outputs"] if "data" not in o]} for entry in class_cells()]
    assert "figure_missing" in codes(graded(bare), "B5", "FAIL")


@pytest.mark.parametrize("key", ASSIGNMENTS)
def test_our_own_submissions_pass_by_the_names_that_submit_gives(own_submissions, key):
    verdict = grade_content(f"max_mustermann_{key}.ipynb", own_submissions[key], Options()).verdict
    assert verdict.verdict == "PASS" and verdict.assignment == key, verdict.tasks


def test_a_downloaded_copy_is_graded_whatever_its_name_looks_like():
    verdict = graded(class_cells(), "max_mustermann_a1 (1).ipynb")
    assert verdict.assignment == "a1" and codes(verdict, "file", "LOOK") == set()


def test_a_solution_of_another_assignment_is_one_doubt_without_verdicts_on_tasks(own_submissions):
    for key, other in (("a1", "a2"), ("a2", "a1"), ("a3", "a4"), ("a4", "a5"), ("a5", "a3")):
        by_name = grade_content(f"max_mustermann_{other}.ipynb", own_submissions[key], Options()).verdict
        by_flag = grade_content(f"max_mustermann_{key}.ipynb", own_submissions[key], Options(assignment=other)).verdict
        for verdict in (by_name, by_flag):
            assert verdict.verdict == "LOOK" and set(verdict.tasks) == {"file"}
            assert verdict.tasks["file"].findings[0].evidence == f"this looks like assignment {key}, not {other}"
    assert graded(class_cells(), "max_mustermann_final.ipynb").tasks["file"].verdict == "LOOK"


@pytest.mark.parametrize("spelling", ["a1", "A1", "1"])
def test_an_assignment_is_known_by_each_spelling(spelling):
    made_up = grade_content("whatever.ipynb", notebook(class_cells()), Options(assignment=spelling)).verdict
    assert made_up.assignment == "a1" and made_up.tasks["A1"].verdict == "PASS"


def test_the_hand_computed_vae_is_graded_by_its_numbers(own_submissions):
    off = own_submissions["a2"].replace(b"8.639", b"4.639").replace(b"8.69", b"4.69")
    verdict = grade_content("max_mustermann_a2.ipynb", off, Options()).verdict
    assert verdict.tasks["3"].verdict == "PASS"


# ---------------------------------------------------------------- forgeries and hostile files


def test_forged_claims_are_worth_nothing():
    verdict = graded([cell("print('✓ holds')", text_output(attacks.LIE * 20))])
    assert verdict.verdict != "PASS"
    assert all(t.verdict != "PASS" for name, t in verdict.tasks.items() if name not in ("file",))


def test_a_forged_fingerprint_on_a_blank_picture_is_a_blank_picture():
    cells = class_cells()
    cells[-1]["outputs"] = [picture_output(attacks.forged_fingerprint())]
    assert "figure_blank" in codes(graded(cells), "B5", "FAIL")


HOSTILE_PICTURES = {
    "pixels": bomb,
    "text": text_bomb,
    "broken": lambda: b"\x89PNG\r\n\x1a\n" + b"x" * 100,
    "empty": lambda: b"",
    "gif": lambda: b"GIF89a",
    "no width": lambda: bomb(0, 5),
}


@pytest.mark.parametrize("kind", HOSTILE_PICTURES)
def test_hostile_pictures_cost_nothing_and_are_looked_at_by_a_person(kind):
    cells = class_cells()
    cells[-1]["outputs"] = [picture_output(HOSTILE_PICTURES[kind]())]
    result = grade_content(NAME, notebook(cells), Options())
    assert result.verdict.tasks["B5"].verdict in ("LOOK", "FAIL")
    assert all(reading.is_of_bearable_size(picture.content) for picture in result.pictures)


HOSTILE = {
    "deep": attacks.DEEP,
    "many cells": attacks.MILLION,
    "many items": b'{"cells":[' + b"0," * 1_000_000 + b"0]}",
    "not json": b"\xff\xfe nonsense",
    "empty": b"",
    "a list": b"[]",
    "wrong types": json.dumps({"cells": [1, None, {"cell_type": "code", "source": {"a": 1}, "outputs": [3, {"output_type": "stream", "text": 5}], "execution_count": "x"}]}).encode(),
    "big number": b'{"cells": ' + b"9" * 100_000 + b"}",
    "pickle": attacks.PICKLE,
}  # fmt: skip


@pytest.mark.parametrize("kind", HOSTILE)
def test_hostile_files_get_a_verdict(kind):
    verdict = grade_content(NAME, HOSTILE[kind], Options()).verdict
    assert verdict.verdict in ("LOOK", "FAIL") and verdict.tasks["file"].findings


def test_patterns_do_not_explode_on_long_lines():
    """One that did would never end."""
    for text in (
        "elbo " * 100_000,
        "ELBO" + " " * 500_000,
        "kl-" * 100_000,
        "1" * 500_000,
        "data " * 100_000,
        "loss" * 100_000,
    ):
        assert graded([cell(text, text_output(text + "\n" + text))]).verdict != "PASS"


def test_feedback_names_what_is_wrong_and_escapes_what_it_quotes():
    cells = class_cells(("ELBO = 4.45188, KL = 0.17864, NLL = 4.27325 <b>*x*</b>", *RESULTS[1:]))
    text = feedback.markdown(graded(cells))
    assert HINTS["elbo_sign"] in text and "<b>" not in text.replace("\\<b\\>", "") and text.startswith('# *"max')


def test_a_mistake_of_ours_is_not_the_students(monkeypatch):
    monkeypatch.setattr(judging, "judge", lambda *a: 1 / 0)
    verdict = graded(class_cells())
    assert verdict.verdict == "LOOK" and "the grader failed on it" in (verdict.note or "")


@pytest.mark.parametrize(("code", "stays"), [("numbers_missing", False), ("results_missing", True)])
def test_a_rerun_settles_that_no_number_could_be_read_but_not_that_one_of_several_is_missing(code, stays):
    doubt = Finding("LOOK", code, "of the outputs", "A2")
    again = Finding("PASS", "trained", "seen by the rerun", "A2")
    assert (doubt in judging.merge([doubt], [again])) is stays
