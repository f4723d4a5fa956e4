"""Versions: what runs, what the lock says for this system, and what has changed."""

from packaging.markers import Marker

from course.dev import lock
from course.notebooks import versions

LOCK = """# Versions with which make test was last green
numpy==1.1 ; python_full_version < '3'
numpy==2.2 ; python_full_version >= '3'
Scikit_Learn==1.5
appnope==1 ; sys_platform == 'nothing'
"""


def test_a_lock_is_read_for_this_system_alone():
    assert Marker("python_full_version >= '3'").evaluate()
    assert versions.locked(LOCK) == {"numpy": "2.2", "scikit-learn": "1.5"}
    assert versions.locked("") == {}


def test_changes_name_both_versions_and_a_build_is_no_change():
    here = {"python": "3.12.1", "torch": "2.14.1+cpu", "numpy": "2.3"}
    assert versions.changes(here, {"torch": "2.14.1", "numpy": "2.2", "gone": "1"}) == ["numpy 2.3, locked 2.2"]


def test_the_repository_has_a_lock_of_all_that_is_compared():
    assert set(versions.PACKAGES) <= set(versions.locked())
    text = versions.LOCK.read_text(encoding="utf-8")
    assert "+cpu" not in text and "vae-solutions" not in text.replace('".[course]"', "")


def test_what_is_locked_is_what_is_installed_without_its_build():
    assert lock.installed()["numpy"] == versions.installed()["numpy"].partition("+")[0]
    assert not any("+" in version for version in lock.installed().values())
