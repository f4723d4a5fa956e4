"""Judge a submission by what is stored in its file: cells, printed numbers, pictures."""

import itertools
import re
from collections.abc import Iterator

import numpy as np

from helpers.course import evidence, rubric
from helpers.course.evidence import Picture, Submission, Triple
from helpers.course.oracles import Finding
from helpers.course.rubric import Assignment, Task


def judge(submission: Submission, assignment: Assignment) -> list[Finding]:
    """All findings of all tasks, from the outputs alone."""
    found = list(judge_file(submission, assignment))
    if not any(cell.text or cell.figures for cell in submission.cells):
        found += [Finding(t.name, "FAIL", "not_executed", "no cell has an output") for t in assignment.tasks[1:]]
        return found
    found += judge_figures(submission, assignment)
    judges = {"a1": judge_a1, "numpy": judge_numpy, "swiss": judge_swiss, "conv": judge_conv, "fashion": judge_fashion}
    found += judges[assignment.key](submission)
    for task in assignment.tasks:
        if "text" in task.from_outputs:
            found.append(judge_text(submission, task))
    return found


def judge_file(submission: Submission, assignment: Assignment) -> Iterator[Finding]:
    if submission.what != assignment.key:
        yield Finding(
            "file", "LOOK", "file_name", f"{submission.name[:100]!r}, expected name_surname_{assignment.key}.ipynb"
        )
    code = [
        c for c in submission.cells if any(not s.strip().startswith("#") for s in c.source.splitlines() if s.strip())
    ]
    counts = [c.count for c in code]
    if code and all(c is None for c in counts):
        level = "LOOK" if any(c.text or c.figures for c in code) else "FAIL"
        yield Finding("file", level, "not_executed", "no cell has an execution count")
    elif None in counts:
        yield Finding("file", "LOOK", "order", f"{counts.count(None)} of {len(counts)} code cells were not executed")
    elif any(b <= a for a, b in itertools.pairwise(counts)):
        yield Finding("file", "LOOK", "order", f"execution counts {counts[:12]} do not rise")
    else:
        gaps = counts[-1] - len(counts) if counts else 0
        yield Finding(
            "file", "PASS", "order", "in order" + (f", {gaps} executions more than cells" if gaps > 0 else "")
        )
    broken = [(i, c) for i, c in enumerate(code) if c.error]
    for i, cell in broken[:3]:
        last = i == len(code) - 1 or not any(c.text or c.figures for c in code[i + 1 :])
        yield Finding("file", "FAIL" if last else "LOOK", "error_output", f"code cell {i + 1}: {cell.error}")


def judge_text(submission: Submission, task: Task) -> Finding:
    words = sum(len(p.split()) for p in submission.prose)
    if words < 40:
        return Finding(task.name, "LOOK", "text_missing", f"{words} words of text in the whole notebook")
    return Finding(task.name, "PASS", "text", f"{words} words of text; their meaning is not judged")


# ---------------------------------------------------------------- figures


def judge_figures(submission: Submission, assignment: Assignment) -> Iterator[Finding]:
    looks = {id(f): evidence.look_at(f.png) for f in submission.figures}
    belongs = assign(submission.figures, assignment)
    yield from judge_twice(submission, belongs, looks)
    for task in assignment.tasks:
        if not task.figures:
            continue
        mine, certain = belongs[task.name]
        needed = bool({"figure", "two_figures", "curves"} & set(task.from_outputs))
        if not mine:
            if needed:
                level = "LOOK" if submission.figures else "FAIL"
                evidence_text = f"none of {len(submission.figures)} figures could be told to be it"
                yield Finding(task.name, level, "figure_missing", evidence_text)
            continue
        unsafe = [looks[id(f)].problem for f in mine if looks[id(f)].problem]
        if unsafe:
            yield Finding(task.name, "LOOK", "picture_unsafe", unsafe[0])
        seen = [f for f in mine if not looks[id(f)].problem]
        blank = [f for f in seen if looks[id(f)].blank]
        if seen and len(blank) == len(seen):
            yield Finding(task.name, "FAIL" if certain else "LOOK", "figure_blank", f"{len(blank)} figures, all blank")
            continue
        if task.panels and seen:
            wanted = task.panels[0] * task.panels[1]
            most = max(rows * columns for rows, columns in (looks[id(f)].panels for f in seen))
            if most * len(seen) < wanted and most > 1:
                yield Finding(task.name, "LOOK", "figure_panels", f"{most} panels seen, expected {wanted}")
        if needed and seen:
            if certain:
                yield Finding(task.name, "PASS", "figure", f"{len(seen)} figures, not blank")
            else:
                yield Finding(task.name, "LOOK", "unclear", "figures are there, but which one it is could not be told")


def judge_twice(submission: Submission, belongs: dict, looks: dict) -> Iterator[Finding]:
    """Two figures with the same pixels, in different cells: a display repeated in one cell is nobody's mistake."""
    first: dict[str, Picture] = {}
    for f in submission.figures:
        look = looks[id(f)]
        if look.problem or look.blank:
            continue
        other = first.setdefault(look.digest, f)
        if other.cell == f.cell:
            continue
        mine, theirs = (
            {t for t, (fs, sure) in belongs.items() if sure and any(x is g for x in fs)} for g in (f, other)
        )
        for task in sorted(mine):
            clear = bool(theirs) and not mine & theirs
            evidence_text = f"cells {other.cell + 1} and {f.cell + 1} show the same picture"
            yield Finding(task, "FAIL" if clear else "LOOK", "figure_twice", evidence_text)


def assign(figures: list[Picture], assignment: Assignment) -> dict[str, tuple[list[Picture], bool]]:
    """The figures of each task: by name or title where there is one, else by words around it, where clear."""
    found: dict[str, tuple[list[Picture], bool]] = {}
    with_figures = [t for t in assignment.tasks if t.figures]
    for task in with_figures:
        named = [f for f in figures if any(word in f.label for word in task.figures)]
        if named:
            found[task.name] = (named, True)
            continue
        # words in a source name it only where they name no other task's figure
        near = [f for f in figures if any(word in f.words for word in task.figures)]
        alone = [
            f for f in near
            if not any(word in f.words for t in with_figures if t is not task and t.panels for word in t.figures)
        ]  # fmt: skip
        found[task.name] = (alone or near, bool(alone))
    return found


# ---------------------------------------------------------------- assignment 1


def judge_a1(submission: Submission) -> Iterator[Finding]:
    results, finals = evidence.toy_results(submission)
    yield from judge_triples(results, finals)
    yield from judge_history(submission)
    if evidence.never_zeroes(submission):
        yield Finding("A2", "FAIL", "zero_grad", "backward() and step(), but nowhere zero_grad()")
    leak = evidence.trains_on_test(submission)
    if leak:
        yield Finding("A2", "FAIL", "trains_on_test", leak)
    executed = [c for c in submission.cells if c.count is not None and not c.error]
    code = "\n".join(c.source for c in executed)
    if re.search(r"autoencoder|\bAE\(|train_ae", code, re.I):
        yield Finding("B1", "PASS", "autoencoder_there", "a cell with the autoencoder ran without an error")
    else:
        yield Finding("B1", "LOOK", "numbers_missing", "no executed cell names an autoencoder")
    everything = f"{code}\n{submission.text}"
    listed = re.search(r"[\[({]\s*1(?:\.0?)?\s*[,:][^\])}]*\b3(?:\.0?)?\s*[,:][^\])}]*\b10(?:\.0?)?\b", everything)
    named = {n for n in re.findall(r"(?:beta|β)\D{0,12}?(\d+)", everything, re.I)}
    if listed or {"1", "3", "10"} <= named:
        yield Finding("B2", "PASS", "betas", "beta = 1, 3 and 10 appear in executed cells")
    else:
        yield Finding("B2", "LOOK", "betas_missing", f"values of beta found: {sorted(named)[:8]}")


def judge_history(submission: Submission) -> Iterator[Finding]:
    """Losses as training loops print them, where they do."""
    for number, cell in enumerate(submission.cells, start=1):
        losses = evidence.loss_series(cell.text)
        if len(losses) < 4 or not np.isfinite(losses).all():
            continue
        quarter = max(len(losses) // 4, 1)
        first, last = np.mean(losses[:quarter]), np.mean(losses[-quarter:])
        task = "B1" if re.search(r"train_ae|autoencoder", cell.source, re.I) else "A2"
        text = f"code cell {number}: printed losses go from {first:.4g} to {last:.4g}"
        falls = last < first + 0.05 * abs(first)
        yield Finding(task, "PASS" if falls else "LOOK", "decreasing" if falls else "not_decreasing", text)


def judge_triples(results: dict[int, Triple], finals: list[Triple], where: str = "") -> Iterator[Finding]:
    """Identity, signs and bands of what was printed."""
    if not finals:
        yield Finding("A1", "LOOK", "numbers_missing", f"{where}no line with ELBO, KL and NLL was printed")
        yield Finding("A2", "LOOK", "numbers_missing", f"{where}no line with ELBO, KL and NLL was printed")
        return
    for t in finals[:20]:
        tolerance = 0.02 + 1.5 * 10**-t.digits + 1e-3 * abs(t.nll)
        if t.kl < -tolerance:
            yield Finding("A1", "FAIL", "kl_sign", f"{where}KL = {t.kl:g}")
        fits = {"elbo": -(t.nll + t.kl), "elbo_sign": t.nll + t.kl, "elbo_kl_sign": t.kl - t.nll}
        if abs(t.kl) < 2 * tolerance:
            del fits["elbo_kl_sign"]
        code = next((name for name, value in fits.items() if abs(t.elbo - value) < tolerance), None)
        if code is None:
            yield Finding("A1", "LOOK", "elbo_wrong", f"{where}{t.line!r}: ELBO is not -(NLL + KL)")
        elif code != "elbo":
            yield Finding("A1", "FAIL", code, f"{where}{t.line!r}")
    if all(abs(t.elbo + t.nll + t.kl) < 0.02 + 1.5 * 10**-t.digits + 1e-3 * abs(t.nll) for t in finals):
        yield Finding("A1", "PASS", "identity", f"{where}ELBO = -(NLL + KL) in {len(finals)} printed results")
    if set(results) != {1, 2, 3}:
        yield Finding("A2", "LOOK", "numbers_missing", f"{where}results of data sets {sorted(results)} were recognised")
    for number, t in sorted(results.items()):
        yield from judge_toy(number, t, where)


def judge_toy(number: int, t: Triple, where: str) -> Iterator[Finding]:
    value = t.nll + t.kl
    text = f"{where}data set {number}: -ELBO {value:.3f}, KL {t.kl:.3f}"
    band = next((b for b in rubric.TOY_BANDS[number] if b.low <= value <= b.high), None)
    if number == 2 and 0 <= t.kl < rubric.COLLAPSED_KL:
        yield Finding("A1", "FAIL", "collapsed", f"{text}; a model of this data needs 1.609 nats of KL")
    elif band:
        yield Finding("A2", "PASS", "bands", f"{text}: inside {band.low:g} to {band.high:g} ({band.convention})")
    else:
        expected = ", ".join(f"{b.low:g} to {b.high:g}" for b in rubric.TOY_BANDS[number])
        code = "out_of_band" if value > rubric.ENTROPY[number] else "below_entropy"
        yield Finding("A2", "LOOK", code, f"{text}, expected {expected}")


# ---------------------------------------------------------------- the other assignments


def printed_near(text: str, pattern: str) -> list[float]:
    return [evidence.to_number(m[1]) for m in re.finditer(rf"(?:{pattern}){evidence.GAP}{evidence.NUMBER}", text, re.I)]


def judge_numpy(submission: Submission) -> Iterator[Finding]:
    """Any language, any names: each exactly known value must be among the printed numbers."""
    all_numbers = np.array(
        [evidence.to_number(n) for n in re.findall(evidence.NUMBER, submission.text)[:100_000]] or [np.nan]
    )
    for task, values in rubric.NUMPY_VALUES.items():
        for name, (mean, error) in values.items():
            distance = np.nanmin(np.abs(all_numbers - mean)) if not np.isnan(all_numbers).all() else np.inf
            if distance <= 4.5 * error + 6e-4:
                yield Finding(
                    task, "PASS", "numbers", f"{name}: {distance / error:.1f} standard errors from {mean:.4f}"
                )
            else:
                yield Finding(
                    task, "LOOK", "out_of_band", f"{name}: no printed number within {mean:.4f} +- {4.5 * error:.4f}"
                )


def judge_swiss(submission: Submission) -> Iterator[Finding]:
    losses = printed_near(submission.text, r"(?<![a-z])loss")
    low, high = rubric.SWISS_LOSS
    for task in ("reparameterize", "loss"):
        name = "reparameterize" if task == "reparameterize" else "compute_vae_loss"
        if name in submission.source:
            yield Finding(task, "LOOK", "unclear", "only a rerun can try the function: use --rerun")
        else:
            yield Finding(task, "LOOK", "own_way", f"no function named {name}")
    if not losses:
        yield Finding("training", "LOOK", "numbers_missing", "no loss was printed")
    elif any(low <= v <= high for v in losses):
        yield Finding("training", "PASS", "loss_numbers", f"a loss inside {low:g} to {high:g}")
    else:
        yield Finding("training", "LOOK", "out_of_band", f"losses from {min(losses):g} to {max(losses):g}")


def judge_conv(submission: Submission) -> Iterator[Finding]:
    low, high = rubric.CONV_TEST_ELBO
    found = [abs(v) for v in printed_near(submission.text, r"(?<![a-z])elbo(?![a-z])")]
    found += [abs(v) for v in printed_near(submission.text, r"elbo[^\n]{0,80}?(?:measured|=|:)")]
    if any(low <= v <= high for v in found):
        yield Finding("calc_elbo", "PASS", "test_elbo", f"an ELBO of magnitude {low:g} to {high:g} was printed")
    else:
        yield Finding(
            "calc_elbo", "LOOK", "out_of_band" if found else "numbers_missing", f"{len(found)} ELBOs were printed"
        )
    yield Finding(
        "training", "PASS" if found else "LOOK", "losses_fall" if found else "numbers_missing", "ELBO was logged"
    )


def judge_fashion(submission: Submission) -> Iterator[Finding]:
    low, high = rubric.FASHION_LOSS
    losses = printed_near(submission.text, r"(?<![a-z])loss")
    if any(low <= v <= high for v in losses):
        falls = losses[0] >= losses[-1]
        yield Finding(
            "vae", "PASS" if falls else "LOOK", "loss_numbers" if falls else "not_decreasing", f"{losses[:6]}"
        )
    else:
        yield Finding("vae", "LOOK", "out_of_band" if losses else "numbers_missing", f"losses {losses[:6]}")
