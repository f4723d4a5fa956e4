"""Folders as Sciebo, Moodle, ILIAS and people make them, each file with the row that it has to end in.

python -m course.grading.corpus.inboxes FOLDER
"""

import functools
import io
import os
import sys
import zipfile
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import NamedTuple

from course.grading.corpus.notebooks import cell, class_cells, notebook

HOUR = 3600.0
START = 1_795_000_000.0  # the first file's time; each further one is an hour younger


class Put(NamedTuple):
    """A file of a folder, and what has to become of it."""

    path: str
    content: bytes
    person: str  # by the letters of the name; empty: nobody knows
    status: str  # how the text of the row's status begins
    looked_at: bool = False  # it is graded, and a person has to look for the way it was handed in


@functools.cache
def solution() -> bytes:
    """Return a right solution of assignment 1; its pictures are drawn once."""
    return notebook([*class_cells(), cell("# number")])


def a1(number: int = 0) -> bytes:
    """Return a right solution of assignment 1, each number another file."""
    return solution().replace(b'"# number"', f'"# {number}"'.encode())


def zipped(members: Mapping[str, bytes]) -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in members.items():
            archive.writestr(name, content)
    return buffer.getvalue()


def sciebo() -> Iterator[Put]:
    """Yield a flat folder: copies in every spelling, suffixes, umlauts, zips, and what is no notebook."""
    older = "superseded by max_mustermann_a1 (3).ipynb"
    copies = (
        "max_mustermann_a1.ipynb", "max_mustermann_a1 (2).ipynb", "max_mustermann_a1(1).ipynb",
        "max_mustermann_a1-1.ipynb", "max_mustermann_a1_1.ipynb", "max_mustermann_a1-Copy1.ipynb",
        "max_mustermann_a1 - Kopie.ipynb", "Copy of max_mustermann_a1.ipynb", "max_mustermann_a1_final.ipynb",
        "MaxMustermann_a1.ipynb", "a1_max_mustermann.ipynb", "Max_Mustermann_A1.IPYNB",
    )  # fmt: skip
    for number, name in enumerate(copies):
        yield Put(name, a1(number), "maxmustermann", older)
    yield Put("max_mustermann_a1 (3).ipynb", a1(20), "maxmustermann", "graded")
    yield Put("eva_echt_a1.ipynb", a1(21), "evaecht", "superseded by eva_echt_a1_v2.ipynb")
    yield Put("eva_echt_a1_v2.ipynb", a1(22), "evaecht", "graded")
    yield Put("juergen_gross_a1.ipynb", a1(23), "juergengross", "superseded by Jürgen_Groß")
    yield Put("Ju\u0308rgen_Groß_a1 (1).ipynb.txt", a1(24), "juergengross", "graded")  # NFD, as from a Mac
    yield Put("otto_ober_a1.ipynb.json", a1(25), "ottoober", "graded")
    yield Put("lena_lang_a1.zip", zipped({"abgabe/x.ipynb": a1(26), "abgabe/data/x.npz": b"1"}), "lenalang", "graded")
    yield Put("paul_pan_a1.zip", zipped({"a.ipynb": a1(27), "b.ipynb": a1(28)}), "paulpan", "graded", True)
    yield Put("ida_in_a1.zip", zipped({"readme.txt": b"x"}), "idain", "left out because it holds no notebook")
    yield Put("erika_muster_a1.pdf", b"%PDF", "erikamuster", "left out because it is a PDF")
    yield Put("uwe_ulm_a1.html", b"<html>", "uweulm", "left out because it is a web page")
    yield Put("uwe_ulm_a1.py", b"x = 1", "uweulm", "left out because it is a Python file")
    yield Put("Solution.ipynb", a1(29), "", "graded", True)
    yield Put("Solution (1).ipynb", a1(30), "", "graded", True)
    yield Put("mustermann_a1.ipynb", a1(31), "mustermann", "graded", True)
    yield Put("ben_bahn_a1.ipynb", b"{broken", "benbahn", "graded")
    yield Put("max_mustermann_a1_partB.ipynb.pdf", b"%PDF", "maxmustermann", "left out because it is a PDF")


def moodle() -> Iterator[Put]:
    """Yield Moodle's download: the person by the folder, any name of a file, two persons of one name."""
    end = "assignsubmission_file_"
    yield Put(f"Max Mustermann_101_{end}/solution.ipynb", a1(1), "maxmustermann", "graded")
    yield Put(f"Jürgen Groß_102_{end}/final version.ipynb", a1(2), "juergengross", "superseded by ")
    yield Put(f"Jürgen Groß_102_{end}/final version (1).ipynb", a1(3), "juergengross", "graded")
    yield Put(f"Anna Bell_103_{end[:-1]}/x.ipynb", a1(4), "annabell#103", "graded")
    yield Put(f"Anna Bell_104_{end}/x.ipynb", a1(5), "annabell#104", "graded")
    yield Put(f"Eva Echt_105_{end}/02_toy_vae.ipynb", a1(6), "evaecht", "graded", True)
    yield Put(f"Eva Echt_105_{end}/04_mnist.ipynb", a1(7), "evaecht", "graded", True)
    inner = zipped({"abgabe/mine.ipynb": a1(8), "__MACOSX/._mine.ipynb": b"x", "data/x.csv": b"1"})
    yield Put(f"Lena Lang_106_{end}/abgabe.zip", inner, "lenalang", "graded")
    yield Put(f"Participant_201_{end}/x.ipynb", a1(9), "participant201", "graded")  # names hidden from markers
    yield Put(f"Participant_202_{end}/x.ipynb", a1(10), "participant202", "graded")
    yield Put(f"Ola Nordmann_107_{end}/report.pdf", b"%PDF", "olanordmann", "left out because it is a PDF")


def ilias() -> Iterator[Put]:
    """Yield ILIAS' download: the person by the folder, surname first."""
    yield Put("Abgaben/Mustermann_Max_mmuster_4711/a1.ipynb", a1(1), "maxmustermann", "graded")
    yield Put("Abgaben/Gross_Juergen_jgross_4712/Loesung.ipynb", a1(2), "juergengross", "graded")
    yield Put("Abgaben/van der Ploeg_Anna-Lena_avdp_4713/nb.ipynb", a1(3), "annalenavanderploeg", "graded")
    yield Put("Abgaben/Ober_Otto_oober_4714/vae.html", b"<html>", "ottoober", "left out because it is a web page")


def folders() -> Iterator[Put]:
    """Yield one folder a person, as tutors sort them."""
    yield Put("Max Mustermann/nb.ipynb", a1(1), "maxmustermann", "graded")
    yield Put("juergen_gross_a1/solution.ipynb", a1(2), "juergengross", "graded")
    yield Put("Erika Muster/erika_muster_a1.ipynb", a1(3), "erikamuster", "graded")
    yield Put("Eva Echt/a1/Untitled.ipynb", a1(4), "evaecht", "graded")


INBOXES = {"flat": sciebo, "moodle": moodle, "ilias": ilias, "folders": folders}
RUBBISH = ("__MACOSX/._x.ipynb", "._max_a1.ipynb", ".ipynb_checkpoints/max_mustermann_a1-checkpoint.ipynb", ".DS_Store")


def make(root: Path, layout: str) -> list[Put]:
    """Write one of the folders, with what systems leave in it; return what was put in."""
    puts = list(INBOXES[layout]())
    for number, put in enumerate(puts):
        write(root / put.path, put.content, START + HOUR * number)
    for name in RUBBISH:
        write(root / name, b"x", START)
    return puts


def write(path: Path, content: bytes, time: float) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(content)
    os.utime(path, (time, time))


def main() -> None:
    for layout in INBOXES:
        folder = Path(sys.argv[1]) / layout
        print(f"{folder}: {len(make(folder, layout))} files")


if __name__ == "__main__":
    main()
