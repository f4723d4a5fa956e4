"""Feedback in Markdown for each person: what is right, what is not and why, and a picture of what is meant."""

import contextlib
import datetime
import hashlib
import io
import json
import re
import zipfile
from collections.abc import Sequence
from pathlib import Path

from course import paths
from course.assignments.costs import is_about_pictures
from course.grading.outcomes import Outcome, Standing
from course.grading.page import ORDER, expected_of, graded_tasks, hint
from course.grading.quotes import pieces
from course.grading.tables import WRITTEN
from course.grading.verdicts import Finding, Level, Verdict
from course.inbox.archives import UTF8
from course.inbox.decisions import ALL
from course.inbox.kinds import HOLDS_NONE
from course.inbox.uploads import person_key
from course.notebooks.reading import printable
from course.notebooks.visible import visible
from helpers.core.files import write_whole

SENTENCES: dict[Level, str] = {"FAIL": "Not right", "LOOK": "A person will look at"}
WORDS: dict[Level, str] = {"FAIL": "not right", "LOOK": "a person will look"}
PICTURES = "pictures"  # the folder of what is meant, beside the feedback
OURS = re.compile(rf"(?:{PICTURES}/)?[^/\\:.][^/\\:]{{0,250}}\.(?:md|png)")  # the names of files that we write
FIRST_DAY = (1980, 1, 1)  # of a zip's calendar
LONGEST_STEM, MOST_STEM_BYTES = 80, 160  # letters of a file's name, and bytes: a disk takes 255 with all that is added
MARKUP = re.compile(r"[\\`*_{}\[\]<>#|!~&$@]|(?<=www)\.|:(?=//)", re.IGNORECASE)  # and what becomes a link by itself


# ---------------------------------------------------------------- in words


def markdown(verdict: Verdict, outcome: Outcome | None = None, pictures: str = "") -> str:
    """Return feedback on one file: what is not right in one line, then each task, with a hint for what is not.

    Args:
        pictures: where pictures of what is meant lie; without it none are shown.
    """
    decided = outcome.decided if outcome else {}
    lines = [f"# {quotation(verdict.file)}: {verdict.verdict}", ""]
    if ALL in decided:
        lines += [f"Decided by hand: {escaped(decided[ALL].comment) or verdict.verdict}.".replace("..", "."), ""]
    for level, words in SENTENCES.items():
        names = [escaped(name) for name, task in verdict.tasks.items() if task.verdict == level]
        lines += [f"{words}: {', '.join(names)}.", ""] if names and ALL not in decided else []
    if outcome is not None and outcome.late:
        lines += ["Handed in after the deadline.", ""]
    asks = {task.name: task for task in graded_tasks(verdict)}
    for name, task in verdict.tasks.items():
        asked = f"The task: {escaped(asks[name].asks)}." if name in asks else ""
        lines += [f"## {escaped(name)}: {task.verdict}", "", asked, ""]
        if name in decided:
            lines += [f"- {task.verdict}, decided by hand: {escaped(decided[name].comment)}".rstrip(": "), ""]
            continue
        lines += [bullet(finding) for finding in sorted(task.findings, key=lambda finding: ORDER[finding.level])]
        lines.append("" if task.findings else "- a person will look: no evidence was found\n")
        lines += [f"![what is meant]({pictures}{meant}.png)\n" for meant in meant_by(verdict, name) if pictures]
    return "\n".join(lines).rstrip() + "\n"


def bullet(finding: Finding) -> str:
    if finding.level == "PASS":
        return f"- holds: {told_evidence(finding.evidence)}"
    return f"- **{WORDS[finding.level]}**: {hint(finding)} ({told_evidence(finding.evidence)})"


def told_evidence(evidence: str) -> str:
    """Return evidence with the student's own words in quotes and italics, without anything that they could mark up."""
    one_line = " ".join(evidence.split())
    marked = [quotation(p.text) if p.quoted and p.text.strip() else p for p in pieces(one_line)]
    return "".join(part if isinstance(part, str) else escaped_part(part.text) for part in marked)


def quotation(text: str) -> str:
    """Return a student's words in quotes, which nothing in them closes, and italics."""
    return f'*"{escaped(text).replace(chr(34), chr(39))}"*'


def escaped(text: str) -> str:
    """Return a text on one line in which Markdown finds no markup."""
    return escaped_part(" ".join(visible(text).split()))


def escaped_part(text: str) -> str:
    """Return a part of a line in which Markdown finds no markup; spaces at its ends stay."""
    return MARKUP.sub(r"\\\g<0>", text)


def meant_by(verdict: Verdict, name: str) -> list[str]:
    """Return the names of our own figures that show what a task asked for, where its own was not as it should be."""
    findings = verdict.tasks[name].findings
    codes = [f.code for f in findings if f.level != "PASS"]
    about_pictures = any(is_about_pictures(code) or code == "unclear" for code in codes)
    tasks = {task.name: task for task in graded_tasks(verdict)}
    return expected_of(tasks.get(name)) if about_pictures else []


def not_counted(outcome: Outcome) -> str:
    """Say to a student why a file was not graded."""
    row = outcome.row
    if row.status == "superseded":
        return f"{quotation(row.file)} was not graded, because {quotation(row.reason)} counts instead."
    advice = "Hand in the notebook itself, one .ipynb file."
    what = "Nothing was found in it" if row.reason == HOLDS_NONE else f"It {row.reason}"
    return f"{quotation(row.file)} was not graded. {escaped(what)}. {advice}"


def section(outcome: Outcome, pictures: str) -> str:
    if outcome.verdict is not None:
        return markdown(outcome.verdict, outcome, pictures)
    return f"# {quotation(outcome.row.file)}: not graded\n\n{not_counted(outcome)}\n"


def text_for(outcomes: Sequence[Outcome], pictures: str) -> str:
    """Return all that one person is told: what was graded first."""
    ordered = sorted(outcomes, key=lambda o: (o.verdict is None, o.row.assignment, o.row.file))
    return "\n".join(section(outcome, pictures) for outcome in told(ordered))


def told(outcomes: Sequence[Outcome]) -> list[Outcome]:
    """Leave out data and pictures that lay beside a notebook: nobody has to be told that they were not graded."""
    if not any(outcome.verdict for outcome in outcomes):
        return list(outcomes)
    harmless = ("is data", "is a picture", "is a text", "is no notebook", HOLDS_NONE)
    return [outcome for outcome in outcomes if outcome.verdict or outcome.row.reason not in harmless]


# ---------------------------------------------------------------- in files


def write(out: Path, people: Sequence[Standing]) -> None:
    """Write a file a person, by name, and the pictures that they refer to; take away what earlier runs wrote here."""
    people = [person for person in people if not person.is_nobody]
    files: dict[str, bytes] = {}
    for stem, person in zip(stems(people), people, strict=True):
        files[f"{stem}.md"] = text_for(person.outcomes, f"{PICTURES}/").encode()
    for name in pictures_of([outcome for person in people for outcome in person.outcomes]):
        files[f"{PICTURES}/{name}.png"] = (paths.EXPECTED / f"{name}.png").read_bytes()
    record = out / WRITTEN / "feedback.json"
    digests = {name: hashlib.sha256(content).hexdigest() for name, content in files.items()}
    before = written(record)
    write_whole(record, json.dumps({**before, **digests}).encode())
    for name, content in files.items():
        write_whole(out / "feedback" / name, content)
    for name in before.keys() - files.keys():
        remove_unchanged(out / "feedback", name, before[name])
    write_whole(record, json.dumps(digests).encode())


def written(record: Path) -> dict[str, str]:
    """Return which files earlier runs wrote, and the digests of what they wrote."""
    try:
        names = json.loads(record.read_bytes())
    except (OSError, ValueError):
        return {}
    return {str(name): str(digest) for name, digest in names.items()} if isinstance(names, dict) else {}


def remove_unchanged(feedback: Path, name: str, digest: str) -> None:
    """Remove a file that we wrote, unless somebody changed it since; no record makes us remove anything elsewhere."""
    path = feedback / name
    if not OURS.fullmatch(name) or feedback.is_symlink() or path.parent.is_symlink():
        return
    with contextlib.suppress(OSError, ValueError):
        if hashlib.sha256(path.read_bytes()).hexdigest() == digest:
            path.unlink()


def stems(people: Sequence[Standing]) -> list[str]:
    """Return the name of each person's file: max_mustermann, with a number where two share it."""
    names, used = [], set()
    for person in people:
        words = [person_key(word) for word in re.split(r"[\s_]+", person.name)]
        if "#" in person.key:
            words.append(person.id)
        plain = bounded(re.sub(r"[^\w]+", "", "_".join(filter(None, words)))) or "unknown"
        name, number = plain, 2
        while name in used:
            name, number = f"{plain}_{number}", number + 1
        used.add(name)
        names.append(name)
    return names


def bounded(stem: str) -> str:
    """Cut a name that is too long for a disk, which counts bytes, between two letters."""
    return stem[:LONGEST_STEM].encode()[:MOST_STEM_BYTES].decode(errors="ignore")


def pictures_of(outcomes: Sequence[Outcome]) -> list[str]:
    """Return the names of the pictures that feedback on some files refers to."""
    names: set[str] = set()
    for outcome in outcomes:
        if outcome.verdict is not None:
            for task in outcome.verdict.tasks:
                names.update(meant_by(outcome.verdict, task))
    return sorted(name for name in names if (paths.EXPECTED / f"{name}.png").is_file())


def zipped(people: Sequence[Standing]) -> bytes:
    """Return a zip of all feedback, in the folders that the platform made, so that it can be uploaded there."""
    buffer = io.BytesIO()
    now = datetime.datetime.now().timetuple()[:6]
    people = [person for person in people if not person.is_nobody]
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as archive:
        for stem, person in zip(stems(people), people, strict=True):
            folders = sorted({outcome.row.own_folder for outcome in person.outcomes})
            for folder in folders:
                mine = [outcome for outcome in person.outcomes if outcome.row.own_folder == folder]
                prefix = f"{folder}/" if folder else ""
                shared = "" if folder else f"{PICTURES}/"
                put(
                    archive,
                    f"{prefix}{'feedback' if folder else stem}.md",
                    text_for(mine, shared or "./").encode(),
                    now,
                )
                for name in pictures_of(mine):
                    put(archive, f"{prefix}{shared}{name}.png", (paths.EXPECTED / f"{name}.png").read_bytes(), now)
    return buffer.getvalue()


class Named(zipfile.ZipInfo):
    """A member whose name is written byte by byte as the platform's folder has it, UTF-8 or not."""

    def _encodeFilenameFlags(self) -> tuple[bytes, int]:  # what zipfile calls, for both places where a name stands
        content = bytes_of(self.filename)
        try:
            return content, self.flag_bits | (0 if content.decode().isascii() else UTF8)
        except UnicodeDecodeError:
            return content, self.flag_bits & ~UTF8


def bytes_of(name: str) -> bytes:
    """Return a file's name as a disk or a zip has it."""
    try:
        return name.encode("utf-8", "surrogateescape")
    except UnicodeEncodeError:  # from Windows: half of a character, which no zip can hold
        return printable(name).encode()


def put(archive: zipfile.ZipFile, name: str, content: bytes, moment: tuple[int, ...]) -> None:
    """Add a file to a zip, once."""
    if name not in archive.NameToInfo:
        info = Named(name, (*moment[:5], 0) if moment[0] >= FIRST_DAY[0] else (*FIRST_DAY, 0, 0, 0))  # pyright: ignore[reportArgumentType]
        info.external_attr = 0o644 << 16
        archive.writestr(info, content, zipfile.ZIP_DEFLATED)
