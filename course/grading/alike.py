"""Notes on what two persons handed in alike: equal files, pictures and outputs. A note, never a verdict."""

from collections import defaultdict
from collections.abc import Mapping, Sequence

from course.grading.outcomes import Outcome
from course.notebooks.visible import quoted

FEW = 4  # persons: what more of them share was most likely handed out
WHAT = {"file": "the same file", "picture": "equal pictures", "output": "all outputs equal"}


def notes(outcomes: Sequence[Outcome]) -> list[str]:
    """Return a sentence for each set of persons who share something."""
    owners: dict[str, dict[str, str]] = defaultdict(dict)
    for outcome in outcomes:
        for trace in traces_of(outcome):
            owners[trace].setdefault(
                outcome.row.key or outcome.row.file, f"{outcome.label} ({quoted(outcome.row.file)})"
            )
    shared: dict[tuple[str, ...], dict[str, int]] = defaultdict(lambda: defaultdict(int))
    for trace, persons in owners.items():
        if len(persons) > 1:
            shared[tuple(sorted(persons.values()))][trace.partition(" ")[0]] += 1
    sentences = [sentence(persons, kinds) for persons, kinds in shared.items()]
    return [text for _, text in sorted(sentences)]


def traces_of(outcome: Outcome) -> list[str]:
    """Return what can be equal: the file itself, each picture that is not blank, all that is printed."""
    row, verdict = outcome.row, outcome.verdict
    traces = [f"file {row.assignment} {row.sha256}"] if row.size and row.sha256 else []
    return traces + [f"{trace} {row.assignment}" for trace in (verdict.traces if verdict else ())]


def sentence(persons: Sequence[str], kinds: Mapping[str, int]) -> tuple[tuple[int, int], str]:
    """Return a sentence, and its place: what few share comes first, equal files before equal pictures."""
    parts = []
    for kind, words in WHAT.items():
        if kinds.get(kind):
            parts.append(f"{kinds[kind]} {words}" if kind == "picture" else words)
    many = len(persons) > FEW
    who = f"{', '.join(persons[:FEW])} and {len(persons) - FEW} more" if many else ", ".join(persons)
    why = "; so many share this that it was most likely handed out" if many else ""
    place = (1 if many else 0, 0 if "file" in kinds else 1)
    return place, f"{', '.join(parts)}: {who}{why}"
