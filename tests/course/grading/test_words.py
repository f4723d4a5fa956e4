"""A student's words stand in quotes wherever they are shown, and nothing of theirs controls what shows them."""

import csv
import io
import re
import zipfile
from dataclasses import replace
from pathlib import Path

import pytest
from nbformat.v4 import new_code_cell, new_notebook, new_output, writes
from rich.console import Console
from typer.testing import CliRunner

from course.__main__ import app
from course.assignments import ASSIGNMENTS
from course.grading import alike, feedback, tables
from course.grading import grade as grading
from course.grading.common import errors
from course.grading.corpus.grader_table import submission
from course.grading.judging import MOST_EVIDENCE, judge_tasks
from course.grading.outcomes import Outcome, set_aside
from course.grading.page import page
from course.grading.quotes import pieces
from course.grading.rerun.reaches import reaches, undefined
from course.grading.telling import say
from course.grading.verdicts import Finding, TaskVerdict, Verdict
from course.inbox.archives import Place, Reader, content_of
from course.inbox.collect import collect, remarks_on_name
from course.inbox.decisions import decide, remember
from course.notebooks.reading import parse

TURN, HIDE, LINK = "\u202e", "\x1b[2J", "\x1b]8;;http://evil\x07click\x1b]8;;\x07"
PERSIAN = "\u0645\u06cc\u200c\u062e\u0648\u0627\u0647\u0645"
SAYS = "looked at by hand, PASS"
ROW = collect([str(Path(__file__))]).rows[0]  # any row; each test changes what it is about
A1 = ASSIGNMENTS["a1"]


def graded(file: str, finding: Finding | None = None, note: str | None = None) -> Outcome:
    tasks = {"B3": TaskVerdict("LOOK", (finding,) if finding else ())}
    row = replace(ROW, file=file, name=file, person="eve evil", key="eveevil", assignment="a1", status="graded")
    return Outcome(row, Verdict(file, "eve evil", "a1", "LOOK", tasks, note, "0" * 64, ""))


def own_words(evidence: str) -> str:
    return "".join(piece.text for piece in pieces(evidence) if not piece.quoted)


def notebook(*cells) -> bytes:
    return writes(new_notebook(cells=list(cells))).encode()


def screen_of(show) -> str:
    screen = io.StringIO()
    show(Console(file=screen, width=200))
    return screen.getvalue()


# ---------------------------------------------------------------- a terminal


def test_a_files_name_controls_no_terminal_and_begins_no_line_in_it():
    verdict = graded(f"x{HIDE}{LINK}{TURN}\n  5 PASS_a1.ipynb", note="").verdict
    assert verdict is not None
    faults = screen_of(lambda console: grading.say_faults({"x": verdict}, console))
    lines = screen_of(lambda console: say([f"{verdict.file} is not on the roster"], console))
    for text, count in ((faults, 2), (lines, 1)):
        assert text.replace("\n", " ").isprintable() and text.count("\n") == count


def test_validate_prints_nothing_that_controls_a_terminal(tmp_path):
    stored = new_output("error", ename=f"E{LINK}", evalue=f"{HIDE}{TURN}x", traceback=[])
    cell = new_code_cell(f"x{LINK} = '{HIDE}' {TURN}", execution_count=1, outputs=[stored])
    path = tmp_path / "eve_evil_a1.ipynb"
    path.write_bytes(notebook(cell))
    text = CliRunner().invoke(app, ["validate", str(path)]).output
    assert "ended in an error" in text and all(line.isprintable() for line in text.split("\n"))


def test_collect_and_decide_print_nothing_that_controls_a_terminal(tmp_path):
    name, folder = f"evil{HIDE}{TURN}_eve_a1.ipynb", tmp_path / f"in{HIDE}"
    folder.mkdir()
    (folder / name).write_bytes(notebook(new_code_cell("1")))
    remember(tmp_path, [replace(graded(name).row, key="")], [])  # nobody's, so that it is called by its file
    decision = ["decide", name, "a1", "all", "PASS", "--out", str(tmp_path)]
    for words in (["collect", str(folder)], decision, ["decide", f"nobody{HIDE}", *decision[2:]]):
        result = CliRunner().invoke(app, words)
        text = result.output + str(result.exception or "")
        assert text and all(line.isprintable() for line in text.split("\n"))


# ---------------------------------------------------------------- a sentence


@pytest.mark.parametrize("kind", ["KeyError", "KeyError). This was " + SAYS, f"Eingabe{TURN}", "x: y"])
def test_the_text_of_a_stored_error_stands_in_quotes(kind):
    stored = new_output("error", ename=kind, evalue=f'it\'s "x"). {SAYS}, see www.evil.example', traceback=[])
    cell = new_code_cell("1 / 0", execution_count=1, outputs=[stored])
    (finding,) = errors(parse("x_a1.ipynb", notebook(cell)), A1.tasks[0])
    assert SAYS not in own_words(finding.evidence) and SAYS in finding.evidence
    assert own_words(finding.evidence).startswith("code cell 1: KeyError: ") == (kind == "KeyError")


def zipped(**files: bytes) -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        for name, content in files.items():
            archive.writestr(name, content)
    return buffer.getvalue()


def problem_of(content: bytes, folder: Path) -> str:
    path = folder / "eve_evil_a1.zip"
    path.write_bytes(content)
    with Reader() as reader:
        found = content_of(reader, Place(path))
        if found.problem:
            return found.problem.text
    return next(row.problem.text for row in collect([str(path)]).rows if row.problem)


def test_names_in_a_zip_stand_in_quotes(tmp_path):
    text = problem_of(zipped(**{"a.ipynb": notebook(new_code_cell("1")), f"b. {SAYS}.ipynb": notebook()}), tmp_path)
    assert "2 notebooks" in text and SAYS in text and SAYS not in own_words(text)


def test_of_a_damaged_zip_nothing_is_repeated(tmp_path):
    content = bytearray(zipped(**{f"{'a' * 40}.ipynb": notebook()}))
    content[30 : 30 + len(SAYS)] = SAYS.encode()  # the name in front of the file differs from that in the list
    text = problem_of(bytes(content), tmp_path)
    assert "damaged" in text and SAYS not in text
    assert "no zip file" in problem_of(b"PK\x03\x04 cut off", tmp_path)


@pytest.mark.parametrize("end", ["”", '"', "'", "'\"", "\\'"])
def test_a_line_that_reaches_out_closes_no_quotes(end):
    line = f"import ctypes  # {end} - {SAYS}. {end}"
    evidence = [f.evidence for f in reaches(submission(f"# %%\n{line}\n"))]
    evidence += [f.evidence for f in undefined(submission("# %%\nx = 1\n"), [f"x{end} {SAYS} {end}"])]
    assert len(evidence) == 2 and all(SAYS in text and SAYS not in own_words(text) for text in evidence)


def test_a_quotation_that_is_cut_short_stays_one():
    for beginning in range(10):
        said = "\\'\"\u202e" * beginning + f"{SAYS} " * 100
        finding = Finding("LOOK", "unclear", f"code cell 1: {said!r} differs", A1.tasks[0].name)
        (short,) = judge_tasks(A1.tasks[:1], [finding])[A1.tasks[0].name].findings
        assert len(short.evidence) <= MOST_EVIDENCE + 1 and "looked" not in own_words(short.evidence)
        assert "looked" in pieces(short.evidence)[1].text


def test_what_is_said_of_rows_quotes_their_files():
    file = f"x. {SAYS}_a1.ipynb"
    twins = [graded(file), replace(graded(file), row=replace(graded(file).row, key="other", sha256="1", size=1))]
    twins[0] = replace(twins[0], row=replace(twins[0].row, sha256="1", size=1))
    said = [set_aside(replace(ROW, file=file, reason=file)), *alike.notes(twins)]
    said += remarks_on_name(graded(file).row, "a3")
    assert len(said) >= 3 and all(SAYS in text and SAYS not in own_words(text) for text in said)


# ---------------------------------------------------------------- a page and feedback


def test_nothing_turns_a_page_or_feedback_round(tmp_path):
    finding = Finding("LOOK", "unclear", f"the line {f'x{TURN}SSAP'!r} and {TURN}", "B3")
    case = graded(f"x{TURN}_a1_SSAP.ipynb", finding, note=f"a note {TURN}")
    left = Outcome(replace(ROW, file=f"y{TURN}", status="superseded", reason=f"z{TURN}"))
    text = page([case, left], tmp_path, notes=[f"the same file: {TURN}"], summary="")
    told = feedback.markdown(case.verdict, case) + feedback.not_counted(left)
    assert all(letter.isprintable() or letter == "\n" for letter in text + told)
    assert re.search(r"<bdi[^>]*><b>x _a1_SSAP.ipynb</b></bdi>", text) and "unicode-bidi:isolate" in text
    assert PERSIAN in pieces(f"said {PERSIAN!r}")[1].text  # two of its letters have a joiner between them


def test_a_files_name_is_a_quotation_without_markup_in_feedback():
    case = graded('www.evil.example a" PASS ~~no~~ &lt;b&gt; $x$ http://evil a1.ipynb')
    (head,) = [line for line in feedback.markdown(case.verdict, case).splitlines() if line.startswith("# ")]
    inside = re.fullmatch(r'# \*"(.*)"\*: LOOK', head)
    assert inside and '"' not in inside[1]
    assert not re.search(r"(?<!\\)[~&$<>]|www\.|https?:/", inside[1])


# ---------------------------------------------------------------- a table


@pytest.mark.parametrize("written", [",", ";", "\t"])
@pytest.mark.parametrize("before", ["", "eve;", "eve, ", "eve\t", "eve|", 'eve;"', f"eve;{TURN}", "eve\n"])
@pytest.mark.parametrize("sign", ["=", "+", "-", "@"])
def test_no_spreadsheet_finds_a_formula_whichever_delimiter_it_knows(written, before, sign):
    case = graded(f"{before}{sign}HYPERLINK(1+1);_evil_a1.ipynb")
    case = replace(case, row=replace(case.row, person=f"{before}{sign}HYPERLINK(1+1)"))
    text = tables.grades([case], written).removeprefix("\ufeff")
    for read in ",;\t|":
        cells = [cell for row in csv.reader(io.StringIO(text), delimiter=read) for cell in row]
        assert not [cell for cell in cells if cell.strip(' "').startswith(tuple("=+-@"))]


def test_a_name_that_a_table_had_to_change_is_still_found_by_a_decision(tmp_path):
    name = "eve;=1_a1.ipynb"
    remember(tmp_path, [graded(name).row], [])
    in_table = next(csv.DictReader(io.StringIO(tables.grades([graded(name)]).removeprefix("\ufeff"))))["path"]
    assert in_table == "eve;'=1_a1.ipynb" and decide(tmp_path, in_table, "a1", "all", "PASS", "ok").task == "all"
