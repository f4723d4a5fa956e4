"""What a grading leaves behind: ``grades.csv``, feedback in Markdown for each student, one page for the tutor."""

import csv
import html
import io
import itertools
import re
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from course import paths
from course.assignments import ASSIGNMENTS, HINTS, Task
from helpers.core.files import write_whole

ORDER = {"LOOK": 0, "FAIL": 1, "PASS": 2}


def write(out: Path, graded: list[tuple[Any, dict[str, Any]]]) -> None:
    """All three, from verdicts; the entries say which file each is of."""
    verdicts = [v for _, v in graded]
    write_whole(out / "grades.csv", table(verdicts).encode())
    for entry, verdict in graded:
        write_whole(out / "feedback" / f"{entry.key}.md", markdown(verdict).encode())
    shown = {name for v in verdicts for task in tasks_of(v) for name in task.expected}
    for name in shown:
        if (paths.EXPECTED / f"{name}.png").is_file():
            write_whole(out / "expected" / f"{name}.png", (paths.EXPECTED / f"{name}.png").read_bytes())
    write_whole(out / "index.html", page(verdicts, out).encode())


def tasks_of(verdict: dict[str, Any]) -> tuple[Task, ...]:
    assignment = ASSIGNMENTS.get(verdict["assignment"])
    return assignment.graded if assignment else ()


def table(verdicts: Iterable[dict[str, Any]]) -> str:
    """Comma-separated; a name that a spreadsheet would take for a formula gets an apostrophe in front."""
    verdicts = list(verdicts)
    columns = list(dict.fromkeys(task for v in verdicts for task in v["tasks"]))
    buffer = io.StringIO()
    writer = csv.writer(buffer, lineterminator="\n")
    writer.writerow(["file", "name", "assignment", "verdict", *columns])
    for v in verdicts:
        row = [v["file"], v["name"], v["assignment"], v["verdict"]]
        row += [v["tasks"].get(c, {}).get("verdict", "") for c in columns]
        writer.writerow([harmless(str(cell)) for cell in row])
    return buffer.getvalue()


def harmless(cell: str) -> str:
    cell = "".join(c if c.isprintable() else " " for c in cell)
    return f"'{cell}" if cell[:1] in "=+-@\t\r" and cell else cell


def markdown(verdict: dict[str, Any]) -> str:
    """For the student: what is not right in one line, then each task, what holds, and a hint for what does not."""
    lines = [f"# {md(verdict['file'])}: {verdict['verdict']}", ""]
    for level, words in (("FAIL", "Not right"), ("LOOK", "A person will look at")):
        names = [md(name) for name, task in verdict["tasks"].items() if task["verdict"] == level]
        lines += [f"{words}: {', '.join(names)}.", ""] if names else []
    if verdict.get("note"):
        lines += [f"Note for the tutor: {md(str(verdict['note']))}", ""]
    requires = {task.name: task.requires for task in tasks_of(verdict)}
    for name, task in verdict["tasks"].items():
        lines += [f"## {md(name)}: {task['verdict']}", "", md(requires.get(name, "")), ""]
        for f in sorted(task["findings"], key=lambda f: ORDER[f["level"]]):
            if f["level"] == "PASS":
                lines.append(f"- holds: {md(f['evidence'])}")
            else:
                word = "a person will look" if f["level"] == "LOOK" else "not right"
                lines.append(f"- **{word}**: {HINTS.get(f['code'], f['code'])} ({md(f['evidence'])})")
        lines.append("" if task["findings"] else "- a person will look: no evidence was found\n")
    return "\n".join(lines).rstrip() + "\n"


def md(text: str) -> str:
    return re.sub(r"([\\`*_{}\[\]<>#|!])", r"\\\1", " ".join(text.split()))


STYLE = """
body{font:15px/1.5 system-ui,sans-serif;margin:1.5em auto;max-width:76em;padding:0 1em;color:#222}
table{border-collapse:collapse;margin:.3em 0 1.2em}
td,th{padding:.1em .6em;text-align:left;border-bottom:1px solid #ddd}
.PASS{color:#00694a}.FAIL{color:#b03000;font-weight:600}.LOOK{color:#7a5200;font-weight:600}
details{border:1px solid #ccc;border-radius:6px;margin:.5em 0;padding:.3em 1em}summary{cursor:pointer}
details details{border:0;border-top:1px solid #eee;border-radius:0;margin:0;padding:.3em 0}
ul{margin:.2em 0 .5em}.pair{display:flex;gap:1em;margin:.3em 0}.pair>div{flex:1 1 0;min-width:0}
img{max-width:100%;max-height:28em;border:1px solid #ddd;background:#fff;display:block}small{color:#666}
"""
POLICY = "default-src 'none'; img-src 'self' file: data:; style-src 'unsafe-inline'"


def page(verdicts: list[dict[str, Any]], out: Path) -> str:
    """One static page: a table an assignment, then each submission, its figures beside the expected; LOOK first."""
    ordered = sorted(verdicts, key=lambda v: (ORDER[v["verdict"]], v["name"], v["file"]))
    counts = ", ".join(f"{sum(v['verdict'] == k for v in verdicts)} {k}" for k in ORDER)
    parts = [
        "<!doctype html><html lang='en'><meta charset='utf-8'><title>Grades</title>",
        f"<meta http-equiv='Content-Security-Policy' content=\"{POLICY}\"><style>{STYLE}</style>",
        f"<h1>{len(verdicts)} submissions</h1><p>{counts}. LOOK comes first: a person must decide.</p>",
    ]
    numbered = list(enumerate(ordered))
    for key in sorted({v["assignment"] for v in verdicts}):
        parts.append(_table(key, [(n, v) for n, v in numbered if v["assignment"] == key]))
    parts += [_submission(n, v, out) for n, v in numbered]
    return "".join(parts) + "</html>\n"


def _table(key: str, numbered: list[tuple[int, dict[str, Any]]]) -> str:
    columns = list(dict.fromkeys(task for _, v in numbered for task in v["tasks"]))
    parts = [f"<table><tr><th>{esc(key or 'unknown')}</th><th>name</th><th>verdict</th>"]
    parts += [*(f"<th>{esc(c)}</th>" for c in columns), "</tr>"]
    for number, v in numbered:
        cells = "".join(mark(v["tasks"].get(c, {}).get("verdict", "")) for c in columns)
        parts.append(
            f"<tr><td><a href='#s{number}'>{esc(v['file'])}</a></td><td>{esc(v['name'])}</td>"
            f"{mark(v['verdict'])}{cells}</tr>"
        )
    return "".join(parts) + "</table>"


def _submission(number: int, v: dict[str, Any], out: Path) -> str:
    opened = " open" if v["verdict"] == "LOOK" and number < 20 else ""
    # the link's target lies inside, so that following it opens what it lies in
    parts = [
        f"<details{opened}><summary><b>{esc(v['file'])}</b> {esc(v['name'])} ",
        f"<span class='{esc(v['verdict'])}'>{esc(v['verdict'])}</span></summary><a id='s{number}'></a>",
    ]
    if v.get("note"):
        parts.append(f"<p><small>{esc(str(v['note']))}</small></p>")
    known = {task.name: task for task in tasks_of(v)}
    bare = [name for name, task in v["tasks"].items() if not task["findings"]]
    for name, task in sorted(v["tasks"].items(), key=lambda item: ORDER[item[1]["verdict"]]):
        if name not in bare:
            parts.append(_task(name, task, known.get(name), v, out))
    if bare:
        parts.append(f"<p><small>No evidence was found for {esc(', '.join(bare))}.</small></p>")
    return "".join(parts) + "</details>"


def _task(name: str, task: dict[str, Any], known: Task | None, v: dict[str, Any], out: Path) -> str:
    opened = "" if task["verdict"] == "PASS" else " open"
    requires = f" <small>{esc(known.requires)}</small>" if known else ""
    parts = [f"<details{opened}><summary><b>{esc(name)}</b> <span class='{esc(task['verdict'])}'>"
             f"{esc(task['verdict'])}</span>{requires}</summary><ul>"]  # fmt: skip
    for f in sorted(task["findings"], key=lambda f: ORDER[f["level"]]):
        hint = "" if f["level"] == "PASS" else f"{esc(HINTS.get(f['code'], f['code']))} "
        parts.append(
            f"<li><span class='{esc(f['level'])}'>{esc(f['level'])}</span> {hint}<small>{esc(f['evidence'])}</small>"
        )
    parts.append("</ul>")
    theirs = [n for n in (known.expected if known else ()) if (out / "expected" / f"{n}.png").is_file()]
    mine = [(path, match) for of, path, match in v.get("pictures", []) if of == name]
    for left, right in side_by_side(mine, theirs):
        halves = [
            f"<small>submitted{'' if left else ': none of this name'}</small>{images([left] if left else [])}",
            "",
        ]
        if right:
            halves[1] = f"<small>expected: {esc(right)}</small>{images([f'expected/{right}.png'])}"
        parts.append(f"<div class='pair'><div>{halves[0]}</div><div>{halves[1]}</div></div>")
    return "".join(parts) + "</details>"


def side_by_side(mine: list[tuple[str, str]], theirs: list[str]) -> list[tuple[str, str]]:
    """Submitted pictures beside the expected ones that they are named after; where none is, in the order they have."""
    named = {match: path for path, match in reversed(mine) if match in theirs}
    others = [path for path, _ in mine if path not in named.values()]
    if named:
        return [(named.get(name, ""), name) for name in theirs] + [(path, "") for path in others]
    return list(itertools.zip_longest(others, theirs, fillvalue=""))


def images(paths: Iterable[str]) -> str:
    return "".join(f"<img loading='lazy' alt='' src='{esc(p)}'>" for p in paths)


def mark(verdict: str) -> str:
    return f"<td class='{esc(verdict)}'>{esc(verdict)}</td>"


def esc(text: str) -> str:
    return html.escape(text, quote=True)
