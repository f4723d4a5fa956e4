"""Names in a zip are no longer than names on a disk, and keep their end."""

import io
import zipfile

from course.inbox.archives import MOST_LETTERS, name_in


def test_a_name_longer_than_any_on_a_disk_is_shortened_and_keeps_its_suffix():
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        archive.writestr("a" * 20_000 + "/" + "_1" * 20_000 + "_a1.ipynb", "{}")
        archive.writestr("max_mustermann_a1.ipynb", "{}")
    long, short = map(name_in, zipfile.ZipFile(buffer).infolist())
    assert [len(part) for part in long.split("/")] == [MOST_LETTERS] * 2 and long.endswith("_1_1_a1.ipynb")
    assert short == "max_mustermann_a1.ipynb"
