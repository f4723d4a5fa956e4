"""What a grading leaves behind: ``grades.csv``, feedback in Markdown for each student, one page for the tutor."""

import csv
import html
import io
import re
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from helpers.core.files import write_whole
from helpers.course.rubric import ASSIGNMENTS, HINTS, Task
from helpers.course.run import EXPECTED

ORDER = {"LOOK": 0, "FAIL": 1, "PASS": 2}


def write(out: Path, graded: list[tuple[Any, dict[str, Any]]]) -> None:
    """All three, from verdicts; the entries say which file each is of."""
    verdicts = [v for _, v in graded]
    write_whole(out / "grades.csv", table(verdicts).encode())
    for entry, verdict in graded:
        write_whole(out / "feedback" / f"{entry.key}.md", markdown(verdict).encode())
    shown = {name for v in verdicts for task in tasks_of(v) for name in task.expected}
    for name in shown:
        if (EXPECTED / f"{name}.png").is_file():
            write_whole(out / "expected" / f"{name}.png", (EXPECTED / f"{name}.png").read_bytes())
    write_whole(out / "index.html", page(verdicts, out).encode())


def tasks_of(verdict: dict[str, Any]) -> tuple[Task, ...]:
    assignment = ASSIGNMENTS.get(verdict["assignment"])
    return assignment.tasks if assignment else ()


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
    """For the student: each task, what holds, and a hint for what does not."""
    lines = [f"# {md(verdict['file'])}: {verdict['verdict']}", ""]
    if verdict.get("note"):
        lines += [f"Note for the tutor: {md(str(verdict['note']))}", ""]
    requires = {task.name: task.requires for task in tasks_of(verdict)}
    for name, task in verdict["tasks"].items():
        lines += [f"## {name}: {task['verdict']}", "", requires.get(name, ""), ""]
        for f in task["findings"]:
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
body{font:15px/1.5 system-ui,sans-serif;margin:2em auto;max-width:78em;padding:0 1em;color:#222}
table{border-collapse:collapse}td,th{padding:.15em .7em;text-align:left;border-bottom:1px solid #ddd}
.PASS{color:#00694a}.FAIL{color:#b03000;font-weight:600}.LOOK{color:#7a5200;font-weight:600}
details{border:1px solid #ccc;border-radius:6px;margin:.6em 0;padding:.4em 1em}summary{cursor:pointer}
.pair{display:flex;gap:1em;flex-wrap:wrap}.pair>div{flex:1 1 24em;min-width:0}
img{max-width:100%;border:1px solid #ddd;background:#fff}small{color:#666}h4{margin:.9em 0 .2em}
"""
POLICY = "default-src 'none'; img-src 'self' file: data:; style-src 'unsafe-inline'"


def page(verdicts: list[dict[str, Any]], out: Path) -> str:
    """One static page: a table, then each submission with its figures beside the expected ones; LOOK comes first."""
    ordered = sorted(verdicts, key=lambda v: (ORDER[v["verdict"]], v["name"], v["file"]))
    columns = list(dict.fromkeys(task for v in verdicts for task in v["tasks"]))
    counts = ", ".join(f"{sum(v['verdict'] == k for v in verdicts)} {k}" for k in ORDER)
    parts = [
        "<!doctype html><html lang='en'><meta charset='utf-8'><title>Grades</title>",
        f"<meta http-equiv='Content-Security-Policy' content=\"{POLICY}\"><style>{STYLE}</style>",
        f"<h1>{len(verdicts)} submissions</h1><p>{counts}. LOOK first: a person must look.</p>",
        "<table><tr><th>file</th><th>name</th><th>verdict</th>",
        *(f"<th>{esc(c)}</th>" for c in columns), "</tr>",
    ]  # fmt: skip
    for number, v in enumerate(ordered):
        cells = "".join(mark(v["tasks"].get(c, {}).get("verdict", "")) for c in columns)
        parts.append(
            f"<tr><td><a href='#s{number}'>{esc(v['file'])}</a></td><td>{esc(v['name'])}</td>"
            f"{mark(v['verdict'])}{cells}</tr>"
        )
    parts.append("</table>")
    for number, v in enumerate(ordered):
        parts.append(_submission(number, v, out))
    return "".join(parts) + "</html>\n"


def _submission(number: int, v: dict[str, Any], out: Path) -> str:
    opened = " open" if v["verdict"] == "LOOK" and number < 20 else ""
    parts = [f"<details id='s{number}'{opened}><summary><b>{esc(v['file'])}</b> {esc(v['name'])} "
             f"<span class='{esc(v['verdict'])}'>{esc(v['verdict'])}</span></summary>"]  # fmt: skip
    if v.get("note"):
        parts.append(f"<p><small>{esc(str(v['note']))}</small></p>")
    known = {task.name: task for task in tasks_of(v)}
    for name, task in v["tasks"].items():
        parts.append(f"<h4>{esc(name)} <span class='{esc(task['verdict'])}'>{esc(task['verdict'])}</span></h4>")
        if name in known:
            parts.append(f"<small>{esc(known[name].requires)}</small>")
        parts.append("<ul>")
        for f in sorted(task["findings"], key=lambda f: ORDER[f["level"]]):
            hint = "" if f["level"] == "PASS" else f"{esc(HINTS.get(f['code'], f['code']))} "
            parts.append(
                f"<li><span class='{esc(f['level'])}'>{esc(f['level'])}</span> {hint}"
                f"<small>{esc(f['evidence'])}</small>"
            )
        parts.append("</ul>")
        mine = [path for task_name, path in v.get("pictures", []) if task_name == name]
        theirs = [f"expected/{n}.png" for n in (known[name].expected if name in known else ())]
        theirs = [p for p in theirs if (out / p).is_file()]
        if mine:
            parts.append(f"<div class='pair'><div><small>submitted</small>{images(mine)}</div>"
                         f"<div><small>expected</small>{images(theirs)}</div></div>")  # fmt: skip
    return "".join(parts) + "</details>"


def images(paths: Iterable[str]) -> str:
    return "".join(f"<img loading='lazy' alt='' src='{esc(p)}'>" for p in paths)


def mark(verdict: str) -> str:
    return f"<td class='{esc(verdict)}'>{esc(verdict)}</td>"


def esc(text: str) -> str:
    return html.escape(text, quote=True)
