"""Whose a file is: folders above persons' own ones, platforms that write names into files, and what is nobody's."""

import io
import shutil
import zipfile
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from course.grading.corpus.inboxes import write, zipped
from course.inbox import layouts
from course.inbox.collect import collect
from course.inbox.rows import Row

NB = b'{"cells": [], "nbformat": 4, "metadata": {}}'


def rows_of(folder: Path, paths: list[str], **options) -> dict[str, Row]:
    """Put a small notebook at each path, each another one; return the rows by their files."""
    for number, path in enumerate(paths):
        write(folder / path, NB + b" " * number, float(number))
    rows = collect([str(folder)], **options).rows
    assert len({row.file for row in rows}) == len(rows) == len(paths)
    return {row.file: row for row in rows}


# ---------------------------------------------------------------- folders above persons' own ones


@pytest.mark.parametrize(
    "above",
    ["Computer Vision", "Computer Vision WS26/Blatt 1", "Uni Bonn/Computer Vision", "multi_feedback_Blatt_1_99", "a1"],
)
def test_a_folder_above_all_persons_is_nobodys_whatever_its_name(tmp_path, above):
    rows = rows_of(tmp_path, [f"{above}/{name}/solution.ipynb" for name in ("Max Muster", "Eva Echt", "Otto Ober")])
    assert {row.key for row in rows.values()} == {"maxmuster", "evaecht", "ottoober"}
    assert all(row.status == "graded" for row in rows.values())


def test_folders_of_several_tutorials_and_sheets_are_nobodys(tmp_path):
    paths = [f"{above}/{name}/x.ipynb" for above in ("Group Red", "Tut Blue") for name in ("Max Muster", "Eva Echt")]
    rows = rows_of(tmp_path, [f"Blatt {sheet}/{path}" for sheet in (1, 2) for path in paths])
    assert {(row.key, row.assignment) for row in rows.values()} == {
        (key, assignment) for key in ("maxmuster", "evaecht") for assignment in ("a1", "a2")
    }


@pytest.mark.parametrize("form", ["{}/solution.ipynb", "{}_7_assignsubmission_file_/solution.ipynb"])
def test_a_group_of_one_beside_a_larger_one_is_nobodys(tmp_path, form):
    paths = {f"Group Red/{form.format(name)}": name for name in ("Max Muster", "Eva Echt")}
    paths[f"Tut Blue/{form.format('Otto Ober')}"] = "Otto Ober"
    assert {file: row.person for file, row in rows_of(tmp_path, list(paths)).items()} == paths


def test_one_persons_folders_of_any_name_stay_that_persons(tmp_path):
    names = ["Max Muster", "Otto Ober", "Lena Lang"]
    inner = ["Eva Echt/Latent Walks/a.ipynb", "Eva Echt/Toy Planes/b.ipynb"]
    rows = rows_of(tmp_path, [*(f"{name}/a1.ipynb" for name in names), *inner])
    assert {row.key for file, row in rows.items() if file in inner} == {"evaecht"}


PERSONS = ["Max Muster", "Eva Echt", "Otto Ober", "Lena Lang"]


@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    st.lists(st.sampled_from(["Computer Vision", "Abgaben", "Blatt 1", "Uni Bonn", "WS 26", "Gruppe A"]), max_size=3),
    st.lists(st.sampled_from(["sub", "Latent Walks", "src"]), max_size=2),
    st.lists(st.sampled_from(PERSONS), min_size=2, max_size=4, unique=True),
    st.lists(st.sampled_from(["readme.txt", "list.csv", "a1.ipynb", "x y.zip"]), max_size=2, unique=True),
)
def test_persons_are_told_at_any_depth_and_nothing_is_lost(tmp_path_factory, above, inside, persons, beside):
    home = tmp_path_factory.mktemp("deep")
    own = ["/".join([*above, person, *inside, "solution.ipynb"]) for person in persons]
    loose = ["/".join([*above[:1], name]) for name in beside]
    rows = rows_of(home, [*own, *loose])
    for path, person in zip(own, persons, strict=True):
        assert rows[path].person == person and rows[path].status == "graded"
    shutil.rmtree(home)


def test_days_in_folders_tell_the_newer_file(tmp_path):
    rows = rows_of(tmp_path, [f"2026-11-{day}/max_muster_a1.ipynb" for day in (12, 11, 10)])  # the oldest is put last
    assert rows["2026-11-12/max_muster_a1.ipynb"].status == "graded"
    assert {row.reason for row in rows.values()} == {"", "2026-11-12/max_muster_a1.ipynb"}


def test_a_folder_of_old_work_does_not_replace_the_new(tmp_path):
    paths = ["Max Muster/src/a1.ipynb", "Max Muster/Old Stuff/a1.ipynb", "Eva Echt/a1.ipynb", "Thomas Alt/a1.ipynb"]
    rows = rows_of(tmp_path, paths)  # the old one has the later time
    assert rows[paths[1]].reason == paths[0] and [row.status for row in rows.values()].count("graded") == 3


@pytest.mark.parametrize("name", ["Deep Vision.zip", "Computer Vision Abgaben.zip", "max_muster_a1.zip"])
def test_a_zip_of_several_persons_is_everybodys_whatever_its_name(tmp_path, name):
    persons = ("eva_echt_a1.ipynb", "otto_ober_a1.ipynb")
    (tmp_path / name).write_bytes(zipped({person: NB + b" " * at for at, person in enumerate(persons)}))
    assert {row.key for row in collect([str(tmp_path / name)]).rows} == {"evaecht", "ottoober"}


def test_a_zip_of_one_person_with_folders_is_that_persons(tmp_path):
    members = {"Latent Walks/a.ipynb": NB, "Toy Planes/b.ipynb": NB + b" "}
    (tmp_path / "max_muster_a1.zip").write_bytes(zipped(members))
    (row,) = collect([str(tmp_path / "max_muster_a1.zip")]).rows
    assert row.key == "maxmuster" and row.problem and "2 notebooks" in row.problem.text


def test_a_zip_whose_name_is_unsure_is_the_persons_whom_its_notebook_names(tmp_path):
    (tmp_path / "muster.zip").write_bytes(zipped({"max_muster_a2.ipynb": NB}))
    (row,) = collect([str(tmp_path / "muster.zip")]).rows
    assert (row.key, row.assignment, row.sure) == ("maxmuster", "a2", True) and not row.remarks


@pytest.mark.parametrize("name", ["a1.json", "a1.txt", "src/a1"])
def test_a_notebook_that_lost_its_suffix_is_found_in_a_zip(tmp_path, name):
    others = {"data.json": b'{"x": 1}', "model.txt": b"hello", "x.pdf": b"%PDF"}
    (tmp_path / "max_muster_a1.zip").write_bytes(zipped({**others, name: NB}))
    (row,) = collect([str(tmp_path / "max_muster_a1.zip")]).rows
    assert row.status == "graded" and not row.problem


# ---------------------------------------------------------------- platforms


CANVAS = {
    "mustermax_12345_67890_max_muster_a1.ipynb": ("max muster", "12345"),
    "mustermax_LATE_12345_67999_max_muster_a1-2.ipynb": ("max muster", "12345"),
    "echteva_12346_67891_Untitled1.ipynb": ("echteva", "12346"),
    "o’neillsean_LATE_12347_67892_hw1-1.ipynb": ("o’neillsean", "12347"),
}


def test_canvas_names_persons_before_the_files(tmp_path):
    rows = rows_of(tmp_path, list(CANVAS), assignment="a1")
    assert {file: (row.person, row.id) for file, row in rows.items()} == CANVAS
    assert all(row.sure for row in rows.values())
    older, newer = list(CANVAS)[:2]
    assert rows[older].reason == newer


def test_blackboard_names_logins_and_moments(tmp_path):
    name = "Assignment 1_{}_attempt_2026-11-{}-10-00-00{}"
    newer, older = name.format("mm1234", "02", "_x.ipynb"), name.format("mm1234", "01", "_x.ipynb")
    other, text = name.format("ef5678", "01", "_y.ipynb"), name.format("ef5678", "01", ".txt")
    rows = rows_of(tmp_path, [newer, older, other, text])
    assert "Blackboard" in collect([str(tmp_path)]).layouts[0]
    assert [rows[file].key for file in (newer, older, other, text)] == ["mm1234", "mm1234", "ef5678", "ef5678"]
    assert rows[older].reason == newer and {row.assignment for row in rows.values()} == {"a1"}


@pytest.mark.parametrize(
    ("folder", "person"),
    [
        ("Gruppe 7-Max Muster_12_assignsubmission_file_", "Max Muster"),
        ("Default group-Max Muster_12_assignsubmission_file_", "Max Muster"),
        ("Team-B-Ana Lopez_12_assignsubmission_file_", "Ana Lopez"),
        ("Anna-Lena Groß_12_assignsubmission_file", "Anna-Lena Groß"),
        ("Ana Maria Lopez-Garcia_12_assignsubmission_file_", "Ana Maria Lopez-Garcia"),
        ("Muster, Max_12_assignfeedback_file_", "Max Muster"),
        ("Participante_12_assignsubmission_file_", "Participante 12"),
    ],
)
def test_moodles_folders_say_who_without_the_group(folder, person):
    owner = layouts.of_moodle(folder)
    assert owner is not None and (owner.name, owner.id) == (person, "12")


def test_one_name_that_looks_like_canvas_by_chance_is_read_as_any_other(tmp_path):
    rows = rows_of(tmp_path, ["muster_1234567_2_max_a1.ipynb", "eva_echt_a1.ipynb", "otto_ober_a1.ipynb"])
    assert {row.key for row in rows.values()} >= {"evaecht", "ottoober"}


# ---------------------------------------------------------------- nobody's, and several persons'


def test_lists_and_notes_beside_the_persons_are_nobodys(tmp_path):
    beside = ["status.csv", "archive_filelist.csv", "README.md", "participants.xlsx", "Our Rules.docx"]
    rows = rows_of(tmp_path, [*beside, "Max Muster/a1.ipynb", "Eva Echt/a1.ipynb"])
    assert {rows[file].key for file in beside} == {""}
    rows = rows_of(tmp_path / "flat", ["max_muster.pdf", "eva_echt_a1.csv", "Otto Ober.msg"])
    assert {row.key for row in rows.values()} == {"maxmuster", "evaecht", "ottoober"}


def test_a_file_of_several_persons_is_looked_at(tmp_path):
    rows = rows_of(
        tmp_path, ["max_muster_und_eva_echt_a1.ipynb", "Otto Ober & Lena Lang a1.ipynb", "lea_koch_a1.ipynb"]
    )
    remarks = [remark.text for row in rows.values() for remark in row.remarks]
    assert len(remarks) == 2 and all("names several persons" in text for text in remarks)


def test_a_number_alone_is_a_person(tmp_path):
    rows = rows_of(tmp_path, ["1234567_a1.ipynb", "a1_1234567 (2).ipynb", "1234568_a1.ipynb", "a1.ipynb"])
    assert [row.id for row in rows.values() if row.status == "graded" and row.sure] == ["1234568", "1234567"]
    assert not any(row.remarks for row in rows.values() if row.id)


def test_a_person_has_one_spelling_in_all_rows(tmp_path):
    rows = rows_of(tmp_path, ["juergen_gross_a1.ipynb", "Jürgen_Groß_a2.ipynb", "JuergenGross_a3.ipynb"])
    assert {row.person for row in rows.values()} == {"Jürgen Groß"}


def test_names_in_a_zip_are_read_as_windows_and_unix_write_them(tmp_path):
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        for name in ("Mueller_Eva_ef_4711/a1.ipynb", "Koehler_Max_mk_4712/a1.ipynb"):
            archive.writestr(name, NB)
    raw = buffer.getvalue().replace(b"Mueller", "Müllers".encode("cp437")).replace(b"Koehler", "Köhler".encode())
    (tmp_path / "all.zip").write_bytes(raw)
    assert {row.person for row in collect([str(tmp_path / "all.zip")]).rows} == {"Eva Müllers", "Max Köhler"}


def test_two_names_without_a_letter_are_not_given_one_spelling(tmp_path):
    names = ["🎉🎉", "🦊🦊"]
    rows = rows_of(tmp_path, [f"{name}_{n}_assignsubmission_file_/a1.ipynb" for n, name in enumerate(names, 7)])
    assert sorted(row.person for row in rows.values()) == sorted(names)


# ---------------------------------------------------------------- what one person puts in is that person's

CLASS = ["Max Muster/solution_a1.ipynb", "Erika Echt/solution_a1.ipynb", "Paul Pan/solution_a1.ipynb"]


def ends(rows: dict[str, Row]) -> dict[str, tuple[str, str, bool]]:
    """Return by file who handed it in, what became of it, and whether a person has to look."""
    return {file: (row.key, row.status, bool(row.remarks or row.problem)) for file, row in rows.items()}


def own(*files: str) -> dict[str, tuple[str, str, bool]]:
    return {file: (file.split("/")[0].replace(" ", "").lower(), "graded", False) for file in files}


def test_a_name_in_the_form_of_blackboard_is_not_read_twice(tmp_path):
    form = "{}_{}_attempt_2026-11-{}-10-00-00_{}"
    victim, other = form.format("A_attempt_ 1", "victim", "19", "a1.ipynb"), form.format("A", "other", "19", "x.ipynb")
    thief = form.format("A", "thief", "20", form.format("x", "victim", "21", "a1.ipynb"))
    rows = rows_of(tmp_path, [victim, other, thief], assignment="a1")
    assert {file: row[:2] for file, row in ends(rows).items()} == {
        victim: ("victim", "graded"), other: ("other", "graded"), thief: ("thief", "graded"),
    }  # fmt: skip


@pytest.mark.parametrize("thief", ["Eve Evil", "evil"])
@pytest.mark.parametrize(
    "files",
    [
        ["max_muster_a1 (9).ipynb", "erika_echt_a1 (9).ipynb"],
        ["max_muster_a1 (9).ipynb"],
        ["max_muster_a1 (9).ipynb.txt", "erika_echt_a1 (9).zip", "paul_pan_a1_final.ipynb"],
        ["Max Muster/a1 (9).ipynb", "Erika Echt/a1 (9).ipynb"],
        ["Max Muster_4_assignsubmission_file_/a1 (9).ipynb"],
        ["Muster_Max_mm_4711/a1 (9).ipynb"],
        [f"max_{number}_{number}_max_muster_a1.ipynb" for number in range(9)],
        ["Max Muster_4_assignsubmission_file_max_muster_a1.ipynb", "x/max_muster_a1.ipynb"],
    ],
)
def test_no_name_in_ones_own_folder_takes_anothers_verdict(tmp_path, thief, files):
    stolen = [f"{thief}/{file}" for file in files]
    found = ends(rows_of(tmp_path, [*CLASS, *stolen], assignment="a1"))
    assert {file: found[file] for file in CLASS} == own(*CLASS)
    assert not any(row.id for row in collect([str(tmp_path)]).rows)
    keys = {found[file][0] for file in stolen}
    assert keys == {"eveevil"} if thief == "Eve Evil" else keys.isdisjoint(row[0] for row in own(*CLASS).values())
    assert thief == "evil" or all(found[file][2] for file in stolen if found[file][1] == "graded")


def test_a_folder_with_ones_own_name_in_another_order_or_a_title_is_no_doubt(tmp_path):
    files = ["Lena Lang/neural_networks_a1.ipynb", "Otto Ober/ober_otto_a1.ipynb", "Anna Maria Bell/anna_bell_a1.ipynb"]
    files += ["Ida In/Latent Walks/ida_in_a1.ipynb", *CLASS]
    assert ends(rows_of(tmp_path, files)) == own(*files)


def test_of_two_folders_one_with_folders_in_it_both_are_persons(tmp_path):
    files = ["Eve Evil/Max Muster/a1 (9).ipynb", "Eve Evil/Erika Echt/a1.ipynb"]
    rows = rows_of(tmp_path, [CLASS[0], *files])
    assert [rows[file].key for file in (CLASS[0], *files)] == ["maxmuster", "eveevil", "eveevil"]
    assert ends(rows)[CLASS[0]] == own(CLASS[0])[CLASS[0]]


@pytest.mark.parametrize("name", ["eve_evil_a1.zip", "eve_evil.zip", "Evil_A1.zip", "1234567.zip"])
@pytest.mark.parametrize(
    "members",
    [
        ("max_muster_a1.ipynb", "erika_echt_a1.ipynb"),
        ("Max Muster_4_assignsubmission_file_/a1.ipynb", "Erika Echt_5_assignsubmission_file_/a1.ipynb"),
        ("Max Muster/a1.ipynb", "Erika Echt/a1.ipynb"),
    ],
)
def test_a_zip_with_somebodys_name_that_lies_alone_is_what_that_one_handed_in(tmp_path, name, members):
    (tmp_path / name).write_bytes(zipped({member: NB + b" " * at for at, member in enumerate(members)}))
    (row,) = collect([str(tmp_path)]).rows
    assert row.file == name and row.key not in ("maxmuster", "erikaecht")
    assert row.problem is not None and "the zip holds 2 notebooks" in row.problem.text


def test_how_a_zip_that_lies_alone_is_read_as_the_whole_download_is_said(tmp_path):
    members = {f"Max Muster_{number}_assignsubmission_file_/a1.ipynb": NB + b" " * number for number in (4, 5)}
    (tmp_path / "Deep Vision.zip").write_bytes(zipped(members))
    found = collect([str(tmp_path)])
    assert len(found.rows) == 1 and found.layouts[1].startswith("Deep Vision.zip: read as what one person handed in")
    assert [row.id for row in collect([str(tmp_path / "Deep Vision.zip")]).rows] == ["4", "5"]


@pytest.mark.parametrize("name", ["all.zip", "Abgaben.zip", "submissions (1).zip"])
def test_a_zip_without_a_name_that_lies_alone_is_the_whole_download(tmp_path, name):
    members = {f"{person}/a1.ipynb": person.encode() + NB for person in ("Max Muster", "Erika Echt")}
    (tmp_path / name).write_bytes(zipped(members))
    assert {row.key for row in collect([str(tmp_path)]).rows} == {"maxmuster", "erikaecht"}


LOGINS = ["mmuster/max_muster_a1.ipynb", "eecht/erika_echt_a1.ipynb", "ppan/paul_pan_a1.ipynb"]


def test_where_folders_are_logins_a_file_in_another_folder_takes_nobodys_verdict(tmp_path):
    stolen = ["eevil/max_muster_a1 (9).ipynb"]
    rows = rows_of(tmp_path, [*LOGINS, *stolen])
    assert [rows[file].key for file in LOGINS] == ["maxmuster", "erikaecht", "paulpan"]
    assert {row.status for row in rows.values()} == {"graded"} and not any(rows[file].remarks for file in LOGINS)
    assert rows[stolen[0]].key == "eevil" and "names 'max muster'" in " ".join(r.text for r in rows[stolen[0]].remarks)


def test_folders_of_days_and_of_groups_do_not_keep_the_newer_file_from_counting(tmp_path):
    for folder in ("2026-11-12", "Blatt 1", "muster neu", "late"):
        home = tmp_path / folder
        rows = rows_of(home, [*LOGINS, f"{folder}/max_muster_a1 (2).ipynb"])
        assert rows[LOGINS[0]].reason == f"{folder}/max_muster_a1 (2).ipynb"


@pytest.mark.parametrize("name", ["evil/a1.zip", "evil/evil.zip", "🎉_5_assignsubmission_file_/a1.zip"])
def test_a_name_in_a_zip_in_ones_own_folder_takes_nobodys_verdict(tmp_path, name):
    names = CLASS if name.startswith("evil") else [file.replace("/", "_4_assignsubmission_file_/") for file in CLASS]
    (tmp_path / name).parent.mkdir()
    (tmp_path / name).write_bytes(zipped({"max_muster_a1 (9).ipynb": NB}))
    for number, file in enumerate(names):
        write(tmp_path / file, NB + b" " * number, 0.0)
    rows = {row.file: row for row in collect([str(tmp_path)], assignment="a1").rows}
    assert all(rows[file].status == "graded" and not rows[file].remarks for file in names)
    assert rows[name].key != "maxmuster" and rows[name].remarks
