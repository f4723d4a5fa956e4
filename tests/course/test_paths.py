"""Where the repository is looked for: around the package, else around the working directory."""

import pytest

from course import paths


@pytest.fixture
def repository(tmp_path):
    folder = tmp_path / "clone"
    (folder / "notebooks").mkdir(parents=True)
    (folder / "helpers" / "core").mkdir(parents=True)
    return folder


def test_the_repository_in_which_the_package_lies_comes_first(repository, tmp_path):
    assert paths.clone_near(repository, tmp_path) == repository


def test_an_installed_package_finds_the_repository_around_the_working_directory(repository, tmp_path):
    installed = tmp_path / "site-packages"
    assert paths.clone_near(installed, repository) == repository
    assert paths.clone_near(installed, repository / "notebooks") == repository
    assert paths.clone_near(installed, tmp_path) == tmp_path


def test_where_there_is_no_repository_one_sentence_says_so(monkeypatch, tmp_path):
    monkeypatch.setattr(paths, "ROOT", tmp_path)
    monkeypatch.setattr(paths, "NOTEBOOKS", tmp_path / "notebooks")
    for verb in (paths.clone, lambda: paths.notebook_paths([]), lambda: paths.notebook_paths(["04"])):
        with pytest.raises(ValueError, match="run it inside a clone of the repository"):
            verb()


def test_the_repository_of_these_tests_is_found():
    assert paths.clone() == paths.ROOT == paths.SOURCES
