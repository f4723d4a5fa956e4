"""A student version is handed out again: over an older one, and never over what a student wrote."""

import json
import re
import subprocess
from pathlib import Path

import pytest
from typer.testing import CliRunner

from course.__main__ import app
from course.handout import repository
from course.handout.writing import LIST, write

ME = ("-c", "user.name=t", "-c", "user.email=t@t")
FIRST = {"README.md": b"one", "notebooks/a.ipynb": b"{1}", "helpers/b.py": b"b = 1"}


def git(folder: Path, *arguments: str) -> str:
    done = subprocess.run(["git", *ME, *arguments], cwd=folder, capture_output=True, text=True, check=True)
    return done.stdout


@pytest.fixture
def clone(tmp_path):
    """A git clone of a student version."""
    folder = tmp_path / "student"
    write(folder, FIRST)
    git(folder, "init", "-q")
    git(folder, "add", "-A")
    git(folder, "commit", "-q", "-m", "handed out")
    return folder


def test_a_clean_clone_is_updated_in_place_and_it_is_said_what_changed(clone):
    (clone / "mine.txt").write_text("mine")
    git(clone, "add", "-A")
    git(clone, "commit", "-q", "-m", "mine")
    changes = write(clone, {"README.md": b"two", "notebooks/a.ipynb": b"{1}", "new/c.py": b"c"})
    assert (changes.added, changes.replaced, changes.removed, changes.kept) == (
        ["new/c.py"], ["README.md"], ["helpers/b.py"], {},
    )  # fmt: skip
    assert (clone / ".git").is_dir() and (clone / "mine.txt").read_text() == "mine"
    assert (clone / "README.md").read_bytes() == b"two" and not (clone / "helpers/b.py").exists()
    status = set(git(clone, "status", "--porcelain").split("\n")) - {""}
    assert status == {" M README.md", " D helpers/b.py", "?? new/", f" M {LIST}"}


def test_what_was_edited_stays_and_the_new_text_stands_beside_it(clone):
    (clone / "notebooks/a.ipynb").write_bytes(b"{mine}")
    (clone / "helpers/b.py").write_bytes(b"b = mine")
    git(clone, "commit", "-q", "-a", "-m", "solved")
    changes = write(clone, {"README.md": b"one", "notebooks/a.ipynb": b"{2}"})
    assert changes.kept == {"notebooks/a.ipynb": "notebooks/a.new.ipynb"} and not changes.removed
    assert (clone / "notebooks/a.ipynb").read_bytes() == b"{mine}" and (clone / "helpers/b.py").exists()
    assert (clone / "notebooks/a.new.ipynb").read_bytes() == b"{2}"
    git(clone, "add", "-A")
    git(clone, "commit", "-q", "-m", "again")
    again = write(clone, {"README.md": b"one", "notebooks/a.ipynb": b"{2}"})
    assert (again.added, again.replaced, again.removed, again.kept) == ([], [], [], {}), "said once"
    assert (clone / "notebooks/a.ipynb").read_bytes() == b"{mine}"


def test_a_file_that_was_there_before_and_is_no_part_of_it_is_not_overwritten(tmp_path):
    git(tmp_path, "init", "-q")
    (tmp_path / "README.md").write_text("the course's own")
    git(tmp_path, "add", "-A")
    git(tmp_path, "commit", "-q", "-m", "mine")
    assert write(tmp_path, FIRST).kept == {"README.md": "README.new.md"}
    assert (tmp_path / "README.md").read_text() == "the course's own"


def test_changes_that_are_not_committed_are_not_touched(clone):
    (clone / "README.md").write_bytes(b"in the middle of it")
    with pytest.raises(ValueError, match=r"not committed \(such as README.md\): commit them or put them away"):
        write(clone, FIRST)
    assert (clone / "README.md").read_bytes() == b"in the middle of it"


def test_the_command_updates_a_clone_and_names_the_changes(tmp_path):
    folder = tmp_path / "student"
    new = CliRunner().invoke(app, ["release", str(folder), "--assignment", "a2", "--single-file"])
    assert new.exit_code == 0 and "written: " in new.stdout, new.exception
    git(folder, "init", "-q")
    git(folder, "add", "-A")
    git(folder, "commit", "-q", "-m", "handed out")
    options = ["--assignment", "a2", "--single-file", "--url", "https://github.com/course/vae"]
    again = CliRunner().invoke(app, ["release", str(folder), *options])
    assert again.exit_code == 0 and "1 replaced: a2.ipynb" in again.stdout, again.exception
    assert "github.com/course/vae/blob/main/a2.ipynb" in (folder / "a2.ipynb").read_text().replace(
        "/github/", ".com/github.com/"
    )
    assert set(json.loads((folder / LIST).read_text())) == {"a2.ipynb"}
    same = CliRunner().invoke(app, ["release", str(folder), *options])
    assert same.exit_code == 1 and "not committed" in str(same.exception)


# ---------------------------------------------------------------- the repository's address


def test_the_address_stands_in_one_place_and_the_notebooks_agree(tmp_path):
    root = Path(__file__).resolve().parents[3]
    url = repository.project_url()
    for path in (root / "notebooks").glob("*.ipynb"):
        found = set(
            re.findall(
                r"https://github\.com/[\w.-]+/[\w.-]+|colab\.research\.google\.com/github/[\w.-]+/[\w.-]+",
                path.read_text(),
            )
        )
        names = {re.sub(r".*github(?:\.com)?/", "", address).rstrip('"\\') for address in found}
        assert names == {url.removeprefix("https://github.com/")}, path.name


@pytest.mark.parametrize("url", ["https://github.com/a/b", "https://github.com/a/b/", " https://github.com/a/b.git"])
def test_addresses_are_taken_in_each_spelling(url):
    assert repository.checked(url) == "https://github.com/a/b"


@pytest.mark.parametrize("url", ["a/b", "https://gitlab.com/a/b", "https://github.com/a", "https://github.com/a/b; rm"])
def test_what_is_no_address_is_refused(url):
    with pytest.raises(ValueError, match=r"expected one like https://github\.com/COURSE/NAME"):
        repository.checked(url)
