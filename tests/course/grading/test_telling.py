"""From three platforms' folders to what each takes back: collect, grade, decide, hand in again, grade again."""

import csv
import datetime
import io
import shlex
import zipfile
from pathlib import Path

import pytest
from rich.console import Console
from typer.testing import CliRunner

from course.__main__ import app
from course.grading import engines, judging, tables, telling
from course.grading import grade as grading
from course.grading.corpus.inboxes import START, a1, make, write
from course.grading.judging import Options
from course.grading.outcomes import deadline_of
from course.grading.telling import Telling
from course.grading.verdicts import Verdict
from course.grading.worksheet import columns_of
from course.inbox.roster import Seen, absent, listed_in
from course.inbox.tables import Table

DAY = 24 * 3600.0


@pytest.fixture(autouse=True)
def in_this_process(monkeypatch):
    """Processes of their own have tests of their own, and take a second each to start."""

    def judge(entries, options, workers):
        for entry in entries:
            yield entry, judging.grade_file(str(entry.path), options)

    monkeypatch.setattr(engines, "grade_in_processes", judge)


def grade(folder: Path, out: Path, **tell) -> tuple[list[Verdict], str]:
    """Grade a folder; return the verdicts and what stands on the screen."""
    screen = io.StringIO()
    console = Console(file=screen, width=200)
    verdicts = grading.grade([str(folder)], out, Options(), console=console, tell=Telling(**tell))
    return verdicts, screen.getvalue()


def table(path: Path, delimiter: str = ",") -> list[dict[str, str]]:
    with path.open(encoding="utf-8-sig", newline="") as file:
        return list(csv.DictReader(file, delimiter=delimiter))


def decide(out: Path, *words: str):
    return CliRunner().invoke(app, ["decide", *words, "--because", "seen by a tutor", "--out", str(out)])


@pytest.mark.parametrize(
    ("layout", "who", "again"),
    [
        ("flat", "Lena Lang", "lena_lang_a1 (1).ipynb"),
        ("moodle", "Max Mustermann", "Max Mustermann_101_assignsubmission_file_/solution (1).ipynb"),
        ("ilias", "Max Mustermann", "Abgaben/Mustermann_Max_mmuster_4711/a1 (1).ipynb"),
    ],
)
def test_a_term_in_each_layout(layout, who, again, tmp_path):
    folder, out = tmp_path / "in", tmp_path / "grades"
    puts = make(folder, layout)
    _, screen = grade(folder, out)
    rows = table(out / "grades.csv")
    page = (out / "index.html").read_text(encoding="utf-8")
    line = screen.strip().splitlines()[-1]
    graded = sum(row["status"] == "graded" for row in rows)
    assert len(rows) == len(puts) and line.startswith(f"{len(puts)} handed in: {graded} graded")
    assert line in page and page.count("<details class=") == graded  # screen, table and page agree

    def of(person: str) -> dict[str, str]:
        (row,) = [r for r in table(out / "grades.csv") if r["person"].lower() == person.lower() and r["verdict"]]
        return row

    assert of(who)["verdict"] == "PASS"
    made = decide(out, who.upper().replace(" ", "_"), "1", "b3", "fail")
    assert made.exit_code == 0, made.output
    _, screen = grade(folder, out)
    assert of(who)["verdict"] == "FAIL" and of(who)["decided by hand"] == "B3 FAIL: seen by a tutor"
    texts = [path.read_text(encoding="utf-8") for path in (out / "feedback").glob("*.md")]
    assert sum("decided by hand: seen by a tutor" in text for text in texts) == 1
    assert "decided by hand" in (out / "index.html").read_text(encoding="utf-8")

    write(folder / again, a1(99), START + 40 * DAY)
    _, screen = grade(folder, out, deadline="2026-11-25 12:00")
    assert "was not applied, because" in screen and "decide again" in screen
    assert of(who)["verdict"] == "PASS" and not of(who)["decided by hand"] and of(who)["late"] == "late"
    assert sum(row["status"].startswith("superseded by") for row in table(out / "grades.csv")) >= 1
    assert len(table(out / "grades.csv")) == len(puts) + 1


def test_feedback_goes_back_in_the_platforms_folders_and_the_worksheet_keeps_its_other_columns(tmp_path):
    folder, out, archive = tmp_path / "in", tmp_path / "grades", tmp_path / "feedback.zip"
    make(folder, "moodle")
    header = (
        "ID,Vollständiger Name,E-Mail-Adresse,Status,Bewertung,Bestwertung,Bewertung kann geändert werden,"
        "Zuletzt geändert (Abgabe),Zuletzt geändert (Bewertung),Feedback als Kommentar"
    )
    lines = [
        'Teilnehmer/in101,Max Mustermann,m@x,"Abgegeben, bewertbar",,"100,00",Ja,"Freitag, 20. November",-,',
        'Teilnehmer/in105,Eva Echt,e@x,Abgegeben,,"100,00",Ja,heute,-,mine',
        'Teilnehmer/in999,Nie Da,n@x,Keine Abgabe,,"100,00",Ja,-,-,',
    ]
    sheet = tmp_path / "Bewertungen.csv"
    sheet.write_text("\ufeff" + "\n".join([header, *lines]) + "\n", encoding="utf-8")
    before = sheet.read_bytes()
    _, screen = grade(folder, out, worksheet=sheet, feedback_zip=archive)
    assert sheet.read_bytes() == before and "1 lines of the worksheet filled in" in screen
    filled, old = table(out / sheet.name), table(sheet)
    assert (out / sheet.name).read_bytes().startswith(b"\xef\xbb\xbf")
    assert filled[0]["Bewertung"] == "100,00" and filled[0]["Feedback als Kommentar"] == "Passed."
    assert filled[1] == old[1] and filled[2] == old[2]  # LOOK stays open
    for one, other in zip(filled, old, strict=True):
        assert {k: v for k, v in one.items() if k not in ("Bewertung", "Feedback als Kommentar")} == {
            k: v for k, v in other.items() if k not in ("Bewertung", "Feedback als Kommentar")
        }
    with zipfile.ZipFile(archive) as zipped:
        names = set(zipped.namelist())
        text = zipped.read("Max Mustermann_101_assignsubmission_file_/feedback.md").decode()
    assert "Ola Nordmann_107_assignsubmission_file_/feedback.md" in names and "PASS" in text
    assert {name.split("/")[0] for name in names} == {p.name for p in folder.iterdir() if "assign" in p.name}


def test_students_are_admitted_by_the_courses_rule_and_a_roster_adds_who_is_missing(tmp_path):
    folder, out, roster = tmp_path / "in", tmp_path / "grades", tmp_path / "roster.csv"
    make(folder, "flat")
    roster.write_bytes(
        "Nachname;Vorname;Matrikelnummer\nMüller;Zoë;123456\nGroß;Jürgen;7\nMuster;Erika;8\n".encode("cp1252")
    )
    _, _ = grade(folder, out, roster=roster, delimiter=";")
    rows = {row["person"]: row for row in table(out / "students.csv", ";")}
    assert rows["Zoë Müller"]["note"] == "handed in nothing" and rows["Zoë Müller"]["passed"] == "0"
    assert rows["Jürgen Groß"]["a1"] == "PASS" and rows["Jürgen Groß"]["note"] == ""
    assert rows["Jürgen Groß"]["open"] == "1 of 4 passed; a2, a3, a4, a5 not collected yet"
    assert rows["Erika Muster"]["a1"] == "left out"
    assert rows["Max Mustermann"]["note"] == "not on the roster"
    levels = dict.fromkeys(("a1", "a2", "a3", "a4", "a5"), "PASS")
    everything = set(levels)
    assert tables.admission({**levels, "a5": "FAIL"}, everything) == ("yes", "")
    assert tables.admission({**levels, "a4": "FAIL", "a5": "LOOK"}, everything) == ("open", "3 of 4 passed; a5 LOOK")
    assert tables.admission({**levels, "a4": "FAIL", "a5": ""}, everything) == ("no", "")


def test_a_table_that_somebody_changed_is_left_alone_and_the_way_to_keep_it_is_said(tmp_path):
    folder, out = tmp_path / "in", tmp_path / "grades"
    make(folder, "ilias")
    grade(folder, out)
    path = out / "grades.csv"
    first = path.read_bytes()
    path.write_bytes(first.replace(b",", b";"))  # Excel saved it: the same cells
    grade(folder, out)
    assert path.read_bytes() == first
    changed = first.replace(b'"a1","PASS"', b'"a1","FAIL"', 1)
    path.write_bytes(changed)
    _, screen = grade(folder, out)
    assert path.read_bytes() == changed and (out / "grades.new.csv").read_bytes() == first
    assert "changed by hand" in screen
    (command,) = [line.strip() for line in screen.splitlines() if "course decide" in line]
    assert " a1 all FAIL --because" in command
    path.unlink()
    grade(folder, out)
    assert path.read_bytes() == first


@pytest.mark.parametrize("stop", ["record", "table"])
def test_whoever_is_stopped_between_two_files_leaves_nothing_that_looks_changed(stop, tmp_path, monkeypatch):
    tables.keep_or_write(tmp_path, "t.csv", "a,b\r\n1,2\r\n")
    plain, calls = tables.write_whole, []

    def dies(path, content):
        calls.append(path)
        if len(calls) == (1 if stop == "record" else 2):
            raise OSError(28, "No space left on device")
        plain(path, content)

    monkeypatch.setattr(tables, "write_whole", dies)
    with pytest.raises(OSError, match="No space"):
        tables.keep_or_write(tmp_path, "t.csv", "a,b\r\n3,4\r\n")
    monkeypatch.setattr(tables, "write_whole", plain)
    assert tables.keep_or_write(tmp_path, "t.csv", "a,b\r\n5,6\r\n") == []
    assert "5,6" in (tmp_path / "t.csv").read_text()


def test_what_two_persons_share_is_a_note_and_no_verdict(tmp_path):
    folder, out = tmp_path / "in", tmp_path / "grades"
    for name in ("max_mustermann", "eva_echt"):
        write(folder / f"{name}_a1.ipynb", a1(1), START)
    write(folder / "otto_ober_a1.ipynb", a1(2), START)  # the same pictures in another file
    verdicts, _ = grade(folder, out)
    page = (out / "index.html").read_text(encoding="utf-8")
    assert {v.verdict for v in verdicts} == {"PASS"}
    assert 'the same file: eva echt (<q class="quoted">eva_echt_a1.ipynb</q>), max mustermann (<q' in page
    assert "equal pictures, all outputs equal: eva echt" in page


def test_a_hand_written_decision_is_read_from_any_spreadsheet(tmp_path):
    folder, out = tmp_path / "in", tmp_path / "grades"
    make(folder, "ilias")
    grade(folder, out)
    text = "Person;Assignment;Task;Verdict;Comment\nJürgen Groß;a1;all;fail;zu spät\nNie Da;a1;all;PASS;\n"
    (out / "decisions.csv").write_bytes(text.encode("cp1252"))
    _, screen = grade(folder, out)
    (row,) = [r for r in table(out / "grades.csv") if r["person"] == "Juergen Gross"]
    assert row["verdict"] == "PASS" and not row["decided by hand"]
    assert "about nobody here" in screen and "not applied, because it is not tied to a file" in screen
    assert row["sha256"] in screen.replace("\n", "")
    tied = text.replace("Comment", "Comment;sha256").replace("spät", f"spät;{row['sha256']}").replace("PASS;", "PASS;;")
    (out / "decisions.csv").write_bytes(tied.encode("cp1252"))
    _, screen = grade(folder, out)
    (row,) = [r for r in table(out / "grades.csv") if r["person"] == "Juergen Gross"]
    assert row["verdict"] == "FAIL" and "zu spät" in row["decided by hand"] and "not tied" not in screen
    (out / "decisions.csv").write_text("person,assignment,task,verdict\nMax,a1,B9,PASS\n")
    with pytest.raises(ValueError, match="line 2: a1 has no task 'B9'"):
        grade(folder, out)


def test_a_decision_about_nobody_or_about_two_is_one_sentence(tmp_path):
    folder, out = tmp_path / "in", tmp_path / "grades"
    make(folder, "moodle")
    assert "nothing was graded into" in str(decide(out, "Max Mustermann", "a1", "all", "PASS").exception)
    grade(folder, out)
    assert "nobody called 'Nie'" in str(decide(out, "Nie", "a1", "all", "PASS").exception)
    assert "Anna Bell #103; Anna Bell #104" in str(decide(out, "anna bell", "a1", "all", "PASS").exception)
    assert decide(out, "Anna Bell #104", "a1", "all", "FAIL").exit_code == 0
    assert "say which: 'Eva Echt_105" in str(decide(out, "Eva Echt", "a1", "all", "PASS").exception)
    assert decide(out, "Eva Echt_105_assignsubmission_file_/04_mnist.ipynb", "a1", "all", "PASS").exit_code == 0
    assert "no task 'Z'" in str(decide(out, "101", "a1", "Z", "PASS").exception)
    assert "expected PASS, FAIL, LOOK" in str(decide(out, "101", "a1", "B3", "MAYBE").exception)
    grade(folder, out)
    verdicts = {row["path"]: row["verdict"] for row in table(out / "grades.csv")}
    assert verdicts["Anna Bell_104_assignsubmission_file_/x.ipynb"] == "FAIL"
    assert verdicts["Anna Bell_103_assignsubmission_file/x.ipynb"] == "PASS"
    students = {row["person"]: row["a1"] for row in table(out / "students.csv")}
    assert students["Eva Echt"] == "PASS"


def test_a_line_in_another_spelling_is_applied_under_the_name_that_is_in_the_table(tmp_path):
    folder, out = tmp_path / "in", tmp_path / "grades"
    make(folder, "ilias")
    grade(folder, out)
    (row,) = [r for r in table(out / "grades.csv") if r["person"] == "Juergen Gross"]
    lines = f'"Groß, Jürgen",a1,B3,FAIL,why,{row["sha256"]}\n"Ploeg Annalena",a1,B3,FAIL,why,{"0" * 64}\n'
    (out / "decisions.csv").write_text(f"person,assignment,task,verdict,comment,sha256\n{lines}", encoding="utf-8")
    _, screen = grade(folder, out)
    (row,) = [r for r in table(out / "grades.csv") if r["person"] == "Juergen Gross"]
    assert row["B3"] == "FAIL" and row["decided by hand"] == "B3 FAIL: why"
    assert "line 3: Anna-Lena van der Ploeg a1 B3 FAIL was not applied, because" in screen


SHEET = (
    "Identifier,Full name,Grade,Maximum grade,Feedback comments\r\n"
    "Participant 7,Eva Echt,,1.00,\r\nParticipant 8,Max Maus,,1.00,\r\n"
)


def test_of_two_notebooks_the_one_that_is_decided_on_counts_everywhere(tmp_path):
    folder, out, sheet = tmp_path / "in", tmp_path / "grades", tmp_path / "sheet.csv"
    eva = "Eva Echt_7_assignsubmission_file_"
    write(folder / eva / "part_a.ipynb", a1(1), START)
    write(folder / eva / "part_b.ipynb", a1(2), START)
    write(folder / "Max Maus_8_assignsubmission_file_" / "a1.ipynb", a1(3), START)
    sheet.write_text(SHEET)
    tell = {"assignment": "a1"}
    before, _ = grade_as(folder, out, sheet, **tell)
    assert [v.verdict for v in before].count("LOOK") == 2
    assert decide(out, f"{eva}/part_b.ipynb", "a1", "all", "PASS").exit_code == 0
    after, screen = grade_as(folder, out, sheet, **tell)
    assert [v.verdict for v in after] == ["PASS", "PASS"] and "3 handed in: 2 graded, 1 superseded" in screen
    assert f"'{eva}/part_a.ipynb' does not count, because '{eva}/part_b.ipynb' was decided on as a whole" in screen
    status = {row["path"]: row["status"] for row in table(out / "grades.csv")}
    assert status[f"{eva}/part_a.ipynb"] == f"superseded by {eva}/part_b.ipynb"
    assert {row["person"]: row["a1"] for row in table(out / "students.csv")}["Eva Echt"] == "PASS"
    assert {row["Full name"]: row["Grade"] for row in table(out / "sheet.csv")}["Eva Echt"] == "1.00"
    page = (out / "index.html").read_text(encoding="utf-8")
    assert "0 LOOK, 0 FAIL, 2 PASS" in page and "3 handed in: 2 graded, 1 superseded" in page
    told = (out / "feedback" / "eva_echt.md").read_text(encoding="utf-8")
    assert "will look" not in told and "counts instead" in told
    assert decide(out, f"{eva}/part_a.ipynb", "a1", "all", "FAIL").exit_code == 0  # may still be decided on
    both, _ = grade_as(folder, out, sheet, **tell)
    assert len(both) == 3
    assert {row["person"]: row["a1"] for row in table(out / "students.csv")}["Eva Echt"] == "LOOK"


def grade_as(folder: Path, out: Path, sheet: Path, assignment: str) -> tuple[list[Verdict], str]:
    """Grade a folder as one assignment's, with a worksheet."""
    screen = io.StringIO()
    console = Console(file=screen, width=200)
    options, tell = Options(assignment=assignment), Telling(worksheet=sheet)
    return grading.grade([str(folder)], out, options, console=console, tell=tell), screen.getvalue()


def test_a_line_without_a_hash_comes_with_the_command_that_enters_it(tmp_path):
    folder, out = tmp_path / "in", tmp_path / "grades"
    make(folder, "ilias")
    write(folder / "Abgaben" / "Papier_Paula_ppapier_4799" / "a1.pdf", b"%PDF-1.4", START)
    grade(folder, out)
    lines = "person,assignment,task,verdict,comment\nJürgen Groß,a1,all,FAIL,isn't his\nPaula Papier,a1,all,PASS,ok\n"
    lines += "Jürgen Groß,a3,all,PASS,last week\nPaula Papier,a3,all,PASS,last week\n"
    (out / "decisions.csv").write_text(lines, encoding="utf-8")  # no column sha256, as a tutor makes it
    _, screen = grade(folder, out)
    assert "4799/a1.pdf' is left out because it is a PDF, and only what is graded can be decided" in screen
    assert "decisions.csv: 2 on a3 kept for later, as no a3 is here" in screen and "last week" not in screen
    (command,) = [line.strip() for line in screen.splitlines() if line.startswith("  python -m course decide")]
    words = shlex.split(command)
    assert words[3:8] == ["decide", "Juergen Gross", "a1", "all", "FAIL"] and words[9] == "isn't his"
    assert CliRunner().invoke(app, words[3:]).exit_code == 0
    table_now = (out / "decisions.csv").read_text(encoding="utf-8").splitlines()
    assert table_now[0] == "person,assignment,task,verdict,comment,sha256" and len(table_now) == 6
    assert table_now[1:5] == lines.splitlines()[1:]
    _, screen = grade(folder, out)
    (row,) = [r for r in table(out / "grades.csv") if r["person"] == "Juergen Gross"]
    assert row["verdict"] == "FAIL" and row["decided by hand"] == "all FAIL: isn't his" and "not tied" not in screen


def test_feedback_on_blind_moodle_names_goes_back_into_the_very_folders_that_came(tmp_path):
    folder, out, sheet = tmp_path / "in", tmp_path / "grades", tmp_path / "sheet.csv"
    came = {
        f"{word}_{n}_assignsubmission_file_"
        for n, word in ((201, "Participant"), (202, "Teilnehmer"), (203, "Participant"))
    }
    for n, name in enumerate(sorted(came)):
        write(folder / name / "a1.ipynb", a1(n), START)
    (folder / "Participant_204_assignsubmission_file_").mkdir()
    sheet.write_text("Identifier,Grade,Maximum grade,Feedback comments\r\n" + "Participant 201,,1.00,\r\n")
    grade(folder, out, feedback_zip=tmp_path / "f.zip", worksheet=sheet)
    names = zipfile.ZipFile(tmp_path / "f.zip").namelist()
    assert {name.partition("/")[0] for name in names} == {path.name for path in folder.iterdir()}
    assert {name for name in names if name.endswith("feedback.md")} == {
        f"{path.name}/feedback.md" for path in folder.iterdir()
    }
    assert [row["Grade"] for row in table(out / "sheet.csv")] == ["1.00"]
    assert len({row["id"] for row in table(out / "students.csv")} - {""}) == 4


def test_a_worksheet_that_cannot_be_filled_says_why(tmp_path):
    folder, out, sheet = tmp_path / "in", tmp_path / "grades", tmp_path / "sheet.csv"
    write(folder / "eva_echt_a1.ipynb", a1(1), START)
    sheet.write_text(SHEET)
    _, screen = grade(folder, out, worksheet=sheet)
    assert "0 lines of the worksheet filled in; a person is found in it by Moodle's number" in screen


def test_a_grade_that_stays_in_the_worksheet_against_a_doubt_is_named(tmp_path):
    folder, out, sheet = tmp_path / "in", tmp_path / "grades", tmp_path / "sheet.csv"
    write(folder / "Eva Echt_7_assignsubmission_file_" / "a1.ipynb", b"{", START)
    write(folder / "Max Maus_8_assignsubmission_file_" / "a1.ipynb", a1(1), START)
    write(folder / "Max Maus_8_assignsubmission_file_" / "a2.ipynb", a1(2), START)
    sheet.write_text(SHEET.replace("Echt,,", "Echt,1.00,"))
    _, screen = grade(folder, out, worksheet=sheet)
    assert "  Participant 7: 1.00 stays there, though a person has to look" in screen
    assert "whoever handed in several stays open" in screen
    assert [row["Grade"] for row in table(out / "sheet.csv")] == ["1.00", ""]


def test_what_the_tutor_gives_is_read_before_anything_is_graded(tmp_path):
    for tell, words in (
        ({"deadline": "soon"}, "is no date"),
        ({"delimiter": "semi"}, "one character"),
    ):
        with pytest.raises(ValueError, match=words):
            telling.prepared(tmp_path, Telling(**tell))
    (tmp_path / "sheet.csv").write_text("a,b\n1,2\n")
    with pytest.raises(ValueError, match="no columns for participant"):
        telling.prepared(tmp_path, Telling(worksheet=tmp_path / "sheet.csv"))
    (tmp_path / "roster.csv").write_text("name\n")
    with pytest.raises(ValueError, match="lists nobody"):
        telling.prepared(tmp_path, Telling(roster=tmp_path / "roster.csv"))


def test_two_of_one_name_on_the_roster_are_two_persons(tmp_path):
    folder, out, roster = tmp_path / "in", tmp_path / "grades", tmp_path / "roster.csv"
    for n in (103, 104):
        write(folder / f"Anna Bell_{n}_assignsubmission_file_" / "a1.ipynb", a1(n), START)
    write(folder / "Max Maus_105_assignsubmission_file_" / "a1.ipynb", a1(5), START)
    roster.write_text(
        "Name;Matrikel\nAnna Bell;103\nAnna Bell;104\nAnna Bell;109\nNora Niemand;3009\nNora Niemand;3009\n"
    )
    _, screen = grade(folder, out, roster=roster)
    rows = [(r["person"], r["id"], r["note"]) for r in table(out / "students.csv")]
    assert rows == [
        ("Anna Bell", "103", ""), ("Anna Bell", "104", ""), ("Max Maus", "105", "not on the roster"),
        ("Anna Bell", "109", "handed in nothing"), ("Nora Niemand", "3009", "handed in nothing"),
    ]  # fmt: skip
    assert "roster: 2 handed in nothing; not on it: Max Maus\n" in screen


def test_a_number_of_the_roster_is_shown_where_it_is_sure():
    two = [listed_in(["Anna Bell", number], ["name", "matrikel"]) for number in ("71", "72")]
    assert absent(two, []) == [("Anna Bell", "71"), ("Anna Bell", "72")]
    assert absent(two, [Seen("annabell", "5")]) == [("Anna Bell", "")]  # one of the two; nobody knows which
    assert absent(two, [Seen("annabell", "71")]) == [("Anna Bell", "72")]
    assert absent(two, [Seen("annabell#5", "5"), Seen("annabell#6", "6")]) == []
    assert listed_in(["1", "Eva", "Echt", "Participant 207"], ["", "", "", "identifier"]).number == "207"
    assert listed_in(["1", "Eva", "Echt", "123456"], []).number == "123456"


@pytest.mark.parametrize(("name", "find", "put"), [
    ("grades.csv", '"Max Maus","105","a1","PASS"', '"Max Maus","105","a1","FAIL"'),
    ("students.csv", '"Max Maus","105","PASS"', '"Max Maus","105","FAIL"'),
])  # fmt: skip
def test_a_verdict_changed_in_either_table_becomes_a_command_that_works(name, find, put, tmp_path):
    folder, out = tmp_path / "in", tmp_path / "grades"
    for n, who in ((105, "Max Maus"), (106, "Eva Echt")):
        write(folder / f"{who}_{n}_assignsubmission_file_" / "a1.ipynb", a1(n), START)
    grade(folder, out)
    text = (out / name).read_bytes().decode()
    assert text.count(find) == 1
    (out / name).write_bytes(text.replace(find, put).encode())
    _, screen = grade(folder, out)
    (command,) = [line.strip() for line in screen.splitlines() if "course decide" in line]
    assert CliRunner().invoke(app, shlex.split(command)[3:]).exit_code == 0
    (out / name).unlink()
    grade(folder, out)
    assert {row["person"]: row["a1"] for row in table(out / "students.csv")} == {"Max Maus": "FAIL", "Eva Echt": "PASS"}


def test_a_verdict_changed_on_one_of_two_files_names_the_file():
    columns = ["person", "id", "assignment", "verdict", "path"]
    before = [columns, ["Eva", "7", "a1", "LOOK", "x/p.ipynb"], ["Eva", "7", "a1", "LOOK", "x/q.ipynb"]]
    there = [*before[:2], ["Eva", "7", "a1", "PASS", "x/q.ipynb"]]
    (command,) = tables.decisions_in(there, before, Path("grades"))
    assert shlex.split(command)[4:8] == ["x/q.ipynb", "a1", "all", "PASS"]


@pytest.mark.parametrize(
    ("text", "moment"),
    [
        ("2026-11-20 23:59", (2026, 11, 20, 23, 59)), ("20.11.2026 23:59", (2026, 11, 20, 23, 59)),
        ("20.11.2026, 23:59:30", (2026, 11, 20, 23, 59, 30)), ("2026-11-20", (2026, 11, 21)),
        ("20.11.2026", (2026, 11, 21)),
    ],
)  # fmt: skip
def test_a_deadline_is_read_as_iso_or_germany_write_it(text, moment):
    assert deadline_of(text) == datetime.datetime(*moment).timestamp()


@pytest.mark.parametrize("text", ["tomorrow", "20.11.", "11/20/2026", "2026-13-45"])
def test_what_is_no_deadline_is_said_with_the_option(text):
    with pytest.raises(ValueError, match=f"--deadline '{text}' is no date: expected one such as"):
        deadline_of(text)


@pytest.mark.parametrize(
    ("grade", "comment"),
    [
        ("Calificación", "Comentarios de retroalimentación"), ("Ocena", "Komentarz zwrotny"),
        ("Valutazione", "Commenti"),
        ("Not", "Geribildirim yorumları"), ("Cijfer", "Feedback als commentaar"), ("Karakter", "Kommentarer"),
    ],
)  # fmt: skip
def test_the_comments_column_is_found_in_other_languages(grade, comment):
    header = ["ID", "Nom", grade, "Max", "Date", comment]
    sheet = Table([header, ["Participant 12", "A B", "", "1.00", "-", ""]], ",", True, "\r\n", "utf-8")
    columns = columns_of(sheet)
    assert (columns.grade, columns.most, columns.comment) == (2, 3, 5)
