"""Attacks on the grader and its sandbox: what each tries, what ended or contained it, and what it reached.

``python -m course.grading.corpus.attack_table`` tries the programs of ``escapes`` against the sandbox alone, then
grades a class of attackers and one honest student with reruns. ``--escapes`` is the first part only, ``--only KEY ...``
a class of these attackers only. Exit status 1 when one got through, or the honest student was harmed.
"""

import argparse
import contextlib
import ctypes
import os
import socket
import tempfile
import threading
import time
from collections.abc import Collection, Iterator
from pathlib import Path
from typing import Any, NamedTuple

from rich.console import Console

from course.grading.corpus import attacks, escapes
from course.grading.corpus.escapes import END, PRELUDE, SMALL, Escape
from course.grading.corpus.notebooks import NAME
from course.grading.grade import grade
from course.grading.judging import Options
from course.grading.rerun import sandbox
from course.grading.verdicts import Finding, Verdict
from course.notebooks.reading import printable
from course.paths import ROOT as REPOSITORY

# hints that say what contained an attack, the strongest first
TELLING = (
    "picture_unsafe", "figure_blank", "unreadable", "not_judged", "file_name", "rerun_ended", "rerun_reaches",
    "rerun_error", "trains_on_test", "weights_from_elsewhere", "no_training_seen", "numbers_missing",
)  # fmt: skip


class Outcome(NamedTuple):
    tries: str
    ended: str  # what contained it
    verdict: str
    through: str  # empty, or what it reached


KEYCTL_ADD, KEYCTL = 248, 250
SESSION_KEYRING, REVOKE = -3, 3


@contextlib.contextmanager
def session_key() -> Iterator[int]:
    """Put a canary into this session's keyring; return its number, 0 where there is no such thing."""
    libc = ctypes.CDLL(None)
    key = libc.syscall(KEYCTL_ADD, b"user", b"grader-canary", b"canary", 6, SESSION_KEYRING)
    try:
        yield max(key, 0)
    finally:
        if key > 0:
            libc.syscall(KEYCTL, REVOKE, key, 0, 0, 0)


def escape(attack: Escape) -> Outcome:
    """Run one program in the sandbox alone; return what ended it, and what it says that it reached."""
    with sandbox.session({"program.py": PRELUDE + attack.source + END}, SMALL) as session:
        try:
            session.send({"begin": True})
            reached = session.receive().get("got", [])
            return Outcome(attack.tries, "it found nothing", "", ", ".join(map(str, reached)))
        except sandbox.Ended as error:
            return Outcome(attack.tries, str(error), "", "")


def all_escapes(folder: Path) -> list[Outcome]:
    """Run every program, with the canaries out."""
    secret = folder / "secret"
    secret.write_text("canary")
    calls: list[Any] = []
    server = socket.create_server(("127.0.0.1", 0))
    threading.Thread(target=listen, args=(server, calls), daemon=True).start()
    with session_key() as key:
        port, home = server.getsockname()[1], os.path.expanduser("~")
        named = escapes.canaries(str(secret), key, port, str(REPOSITORY), home) | escapes.ESCAPES
        outcomes = [escape(attack) for attack in named.values()]
    server.close()
    return [*outcomes, Outcome("calls heard by the canary", f"{len(calls)}", "", "it was called" if calls else "")]


class Trial(NamedTuple):
    outcomes: dict[str, Outcome]
    honest: Verdict | None
    lost: list[str]  # files without a verdict
    seconds: float


def run(folder: Path, seconds: float = 90.0, workers: int = 2, only: Collection[str] = ()) -> Trial:
    """Grade the class in ``folder / "in"``, or those of it that are named; canaries tell what got out."""
    outside = folder / "owned.txt"
    calls: list[Any] = []
    server = socket.create_server(("127.0.0.1", 0))
    threading.Thread(target=listen, args=(server, calls), daemon=True).start()
    attackers = attacks.attacks(outside, server.getsockname()[1], REPOSITORY)
    attackers = {key: attacker for key, attacker in attackers.items() if not only or key in only}
    files = {printable(name): key for name, key in attacks.hand_in(folder / "in", attackers).items()}
    before = {p.name for p in folder.iterdir()}
    started = time.monotonic()
    options = Options(rerun=True, seconds=seconds, memory_mb=2048)
    quiet = Console(quiet=True)
    verdicts = grade([str(folder / "in")], folder / "out", options, workers=workers, console=quiet)
    took = time.monotonic() - started
    server.close()
    by_file = {verdict.file: verdict for verdict in verdicts}
    strays = {p.name for p in folder.iterdir()} - before - {"out"}
    outcomes = {}
    for name, key in files.items():
        if name in by_file:
            outcomes[key] = outcome(attackers[key], by_file[name])
    for key, harm in (("outside", bool(strays) or (REPOSITORY / "owned.txt").exists()), ("network", bool(calls))):
        if harm and key in outcomes:
            outcomes[key] = outcomes[key]._replace(through="the canary says so")
    page = (folder / "out" / "index.html").read_text(encoding="utf-8")
    if "<script" in page and "script" in outcomes:
        outcomes["script"] = outcomes["script"]._replace(through="its name is markup on the page")
    lost = sorted({*files, NAME} - by_file.keys())
    return Trial(outcomes, by_file.get(NAME), lost, took)


def listen(server: socket.socket, calls: list[Any]) -> None:
    """Note every call of the network's canary, until it is closed."""
    while True:
        try:
            calls.append(server.accept())
        except OSError:
            return


def outcome(attacker: attacks.Attack, verdict: Verdict) -> Outcome:
    """Read from a verdict what contained an attack, and whether it got through."""
    findings: list[Finding] = []
    for task in verdict.tasks.values():
        findings += task.findings
    telling = [f for f in findings if f.code in TELLING]
    nothing = Finding("LOOK", "", "graded as any other")
    strongest = min(telling, key=lambda f: TELLING.index(f.code), default=nothing)
    through = next((f.evidence for f in findings if attacks.THROUGH in f.evidence), "")
    if attacker.code and all(f.code != attacker.code or f.level == "PASS" for f in findings):
        through = f"nothing says {attacker.code}"
    return Outcome(attacker.tries, strongest.evidence, verdict.verdict, through)


def show(trial: Trial) -> str:
    lines = [f"{'attack':<50}{'verdict':<9}what ended or contained it"]
    for o in trial.outcomes.values():
        lines.append(f"{o.tries:<50}{o.verdict:<9}{'GOT THROUGH: ' if o.through else ''}{o.ended[:90]}")
    tasks = ", ".join(f"{name} {level}" for name, level in honest_levels(trial).items())
    lines.append(f"the honest student among them: {tasks or 'LOST'}")
    through = sum(bool(o.through) for o in trial.outcomes.values())
    lines.append(
        f"{len(trial.outcomes)} attacks, {through} got through, {len(trial.lost)} files without a verdict; "
        f"{trial.seconds:.0f} s; {sandbox.isolation().missing or 'isolated by bubblewrap'}"
    )
    return "\n".join(lines)


def honest_levels(trial: Trial) -> dict[str, str]:
    """Return what the honest student's tasks are worth; nothing where the file has no verdict."""
    return {name: task.verdict for name, task in trial.honest.tasks.items()} if trial.honest else {}


def harmed(trial: Trial) -> bool:
    """Say whether an attack got through, or the honest student was failed or lost."""
    failed = "FAIL" in honest_levels(trial).values()
    return bool(trial.lost) or failed or any(o.through for o in trial.outcomes.values())


def try_escapes(folder: Path) -> tuple[int, int]:
    """Run the programs against the sandbox, print what each reached; return how many there are, and got through."""
    outcomes = all_escapes(folder)
    for outcome in outcomes:
        print(f"{outcome.tries:<72}{'GOT THROUGH: ' + outcome.through if outcome.through else outcome.ended}")
    through = sum(bool(outcome.through) for outcome in outcomes)
    return len(outcomes) - 1, through


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--escapes", action="store_true", help="the programs against the sandbox only")
    parser.add_argument("--only", nargs="+", metavar="KEY", default=(), help="a class of these attackers only")
    parser.add_argument("--seconds", type=float, default=90.0, help="the time of one rerun")
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="attacks-") as folder:
        programs, through = (0, 0) if arguments.only else try_escapes(Path(folder))
        trial = None if arguments.escapes else run(Path(folder), arguments.seconds, only=arguments.only)
    if trial:
        print(show(trial))
    if programs:
        print(f"{programs} programs against the sandbox alone, {through} got through")
    return int(through > 0 or (trial is not None and harmed(trial)))


if __name__ == "__main__":
    raise SystemExit(main())
