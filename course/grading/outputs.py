"""Judge a submission by what is stored in its file: cells, printed numbers, pictures."""

import itertools
import re
from collections.abc import Callable, Iterator

import numpy as np

from course.assignments import ASSIGNMENTS, Assignment, Task, a1, a2, a3, a4, a5
from course.grading import evidence
from course.grading.evidence import Picture, Submission, Triple
from course.grading.oracles import Finding


def judge(submission: Submission, assignment: Assignment) -> list[Finding]:
    """All findings of all tasks, from the outputs alone."""
    found = list(judge_file(submission, assignment))
    if not any(cell.text or cell.figures for cell in submission.cells):
        found += [Finding(t.name, "FAIL", "not_executed", "no cell has an output") for t in assignment.tasks]
        return found
    found += judge_figures(submission, assignment)
    found += JUDGES[assignment.key](submission)
    for task in assignment.tasks:
        if "text" in task.from_outputs:
            found.append(judge_text(submission, assignment, task))
    return found


def judge_file(submission: Submission, assignment: Assignment) -> Iterator[Finding]:
    if submission.what != assignment.key or not submission.who:
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


def judge_text(submission: Submission, assignment: Assignment, task: Task) -> Finding:
    """Whether there is text, with the words that an answer cannot do without; its meaning is for a person."""
    prose = "\n".join(submission.prose)
    words = len(prose.split())
    if words < 40:
        return Finding(task.name, "LOOK", "text_missing", f"{words} words of text in the whole notebook")
    asked = next((t for t in ASSIGNMENTS[assignment.key].tasks if t.name == task.name), None)
    for what, pattern in asked.writes if asked else ():
        if not re.search(pattern, prose):
            return Finding(task.name, "LOOK", "text_missing", f"no text cell says {what}")
    return Finding(task.name, "PASS", "text", f"{words} words of text; their meaning is not judged")


# ---------------------------------------------------------------- figures


def judge_figures(submission: Submission, assignment: Assignment) -> Iterator[Finding]:
    looks = {id(f): evidence.look_at(f.png) for f in submission.figures}
    belongs = assign(submission.figures, assignment)
    yield from judge_twice(submission, belongs, looks)
    for task in assignment.tasks:
        if not task.words:
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
            # one panel may be four without gaps, but not in a picture that is too narrow for them
            narrow = task.panels[1] > 1 and max(looks[id(f)].aspect for f in seen) < 0.4 * task.panels[1]
            if most * len(seen) < wanted and (most > 1 or narrow):
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
            evidence_text = f"code cells {other.cell + 1} and {f.cell + 1} show the same picture"
            yield Finding(task, "FAIL" if clear else "LOOK", "figure_twice", evidence_text)


def assign(figures: list[Picture], assignment: Assignment) -> dict[str, tuple[list[Picture], bool]]:
    """The figures of each task: by name or title where there is one, else by words around it, where clear."""
    found: dict[str, tuple[list[Picture], bool]] = {}
    with_figures = [t for t in assignment.tasks if t.words]
    for task in with_figures:
        mine = [f for f in figures if not any(word in f.label for word in task.elsewhere)]
        named = [f for f in mine if any(word in f.label for word in task.words)]
        if named:
            found[task.name] = (named, True)
            continue
        # words in a source name it only where they name no other task's figure
        near = [f for f in mine if any(word in f.words for word in task.words)]
        alone = [
            f for f in near
            if not any(word in f.words for t in with_figures if t is not task and t.panels for word in t.words)
        ]  # fmt: skip
        found[task.name] = (alone or near, bool(alone))
    return found


def named_after(figure: Picture, task: Task) -> str:
    """The expected figure whose name it bears, the longest one; empty where it bears none."""
    words = set(re.findall(r"[a-z0-9_]+", figure.label))
    return max((name for name in task.expected if name in words), key=len, default="")


# ---------------------------------------------------------------- assignment 1


def judge_a1(submission: Submission) -> Iterator[Finding]:
    results, finals = evidence.toy_results(submission)
    yield from judge_triples(results, finals)
    yield from judge_history(submission)
    yield from judge_training(submission, "A2")
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
        missing = ", ".join(map(str, sorted({1, 2, 3} - set(results))))
        yield Finding("A2", "LOOK", "numbers_missing", f"{where}no result of data set {missing} was recognised")
    for number, t in sorted(results.items()):
        yield from judge_toy(number, t, where)


def judge_toy(number: int, t: Triple, where: str) -> Iterator[Finding]:
    value = t.nll + t.kl
    text = f"{where}data set {number}: -ELBO {value:.3f}, KL {t.kl:.3f}"
    band = next((b for b in a1.TOY_BANDS[number] if b.low <= value <= b.high), None)
    if number == 2 and 0 <= t.kl < a1.COLLAPSED_KL:
        yield Finding("A1", "FAIL", "collapsed", f"{text}; a model of this data needs 1.609 nats of KL")
    elif band:
        yield Finding("A2", "PASS", "bands", f"{text}: inside {band.low:g} to {band.high:g} ({band.convention})")
    else:
        expected = ", ".join(f"{b.low:g} to {b.high:g}" for b in a1.TOY_BANDS[number])
        code = "out_of_band" if value > a1.ENTROPY[number] else "below_entropy"
        yield Finding("A2", "LOOK", code, f"{text}, expected {expected}")


# ---------------------------------------------------------------- the other assignments


def printed_near(text: str, pattern: str) -> list[float]:
    return [evidence.to_number(m[1]) for m in re.finditer(rf"(?:{pattern}){evidence.GAP}{evidence.NUMBER}", text, re.I)]


def printed_losses(submission: Submission) -> list[float]:
    """As loops print them, and on our own claims' lines."""
    beside = printed_near(submission.text, r"(?<![a-z])loss")
    return beside + printed_near(submission.text, r"(?<![a-z])loss[^\n]{0,80}?measured")


LABELS = re.compile(
    r"(?P<L_recon>recon\w*(?:[ _-]*(?:loss|error|term))?|mse(?:[ _-]*loss)?|rekon\w*)|"
    r"(?P<L_KL>(?<![a-z])(?:l_)?(?:d_)?kld?(?![a-z])(?:[ _-]*(?:div\w*|loss|term))?)|"
    r"(?P<Loss>loss|elbo|total|verlust|beta|β)|"
    rf"(?P<number>{evidence.NUMBER})",
    re.I,
)


def labelled(text: str) -> dict[str, np.ndarray]:
    """Printed numbers by the last label before each; all of them under a label that never occurs."""
    found: dict[str, list[float]] = {"L_recon": [], "L_KL": [], "Loss": []}
    everything, label = [], None
    for match in itertools.islice(LABELS.finditer(text), 200_000):
        if match.lastgroup in found:
            label = match.lastgroup
        else:
            value = evidence.to_number(match["number"])
            everything.append(value)
            if label:
                found[label].append(value)
    return {k: np.array([x for x in v or everything if np.isfinite(x)] or [np.inf]) for k, v in found.items()}


def judge_numpy(submission: Submission, where: str = "") -> Iterator[Finding]:
    """Any language, any names: each exactly known value must be among the printed numbers, or a known wrong one is."""
    if not where:
        known = "X_true" in submission.source
        text = "X_true is made" if known else "nothing is called X_true"
        yield Finding("1", "PASS" if known else "LOOK", "data" if known else "own_way", text)
    printed = labelled(submission.text)

    def errors_off(name: str, mean: float, error: float) -> float:
        return float(np.abs(printed[name.split(",")[0]] - mean).min() / (error + 1.4e-4))  # the latter for rounding

    values_of = [(task, name, v) for task, values in a2.NUMPY_VALUES.items() for name, v in values.items()]
    missing = {(task, name) for task, name, v in values_of if errors_off(name, *v) > 4.5}
    mistaken = {}
    for code, changed in a2.NUMPY_MISTAKES.items():
        spots = [(task, name, v) for task, values in changed.items() for name, v in values.items()]
        if mistaken and all(name.startswith("Loss") for _, name, _ in spots):
            continue  # a wrong term has a wrong sum
        right = {spot[:2]: a2.NUMPY_VALUES[spot[0]][spot[1]] for spot in spots}
        # a wrong value too near the right one tells nothing
        telling = [s for s in spots if abs(s[2] - right[s[:2]][0]) > 6 * right[s[:2]][1]]
        scaled = [(n, v, abs(v / right[t, n][0]) * right[t, n][1]) for t, n, v in telling]
        if any(s[:2] in missing for s in telling) and all(errors_off(*s) < 4 for s in scaled):
            mistaken |= {(t, n): (code, v) for t, n, v in spots if (t, n) in missing and (t, n) not in mistaken}
    for task, name, (mean, error) in values_of:
        if (task, name) in mistaken:
            code, value = mistaken[task, name]
            yield Finding(task, "FAIL", code, f"{where}{name}: {value:.4f} was printed, and not {mean:.4f}")
        elif (task, name) in missing:
            expected = f"{mean:.4f} +- {4.5 * error:.4f}"
            yield Finding(task, "LOOK", "out_of_band", f"{where}{name}: no printed number within {expected}")
        else:
            off = errors_off(name, mean, error)
            yield Finding(task, "PASS", "numbers", f"{where}{name}: {off:.1f} standard errors from {mean:.4f}")


def judge_training(submission: Submission, task: str) -> Iterator[Finding]:
    """What the source alone says of a training loop."""
    if evidence.never_zeroes(submission):
        yield Finding(task, "FAIL", "zero_grad", "backward() and step(), but nowhere zero_grad()")
    leak = evidence.trains_on_test(submission)
    if leak:
        yield Finding(task, "FAIL", "trains_on_test", leak)


def judge_swiss(submission: Submission) -> Iterator[Finding]:
    losses = printed_losses(submission)
    low, high = a3.SWISS_LOSS
    yield from judge_training(submission, "train")
    inside, least = [v for v in losses if low <= v <= high], min(losses, default=np.inf)
    for task, name in (("reparameterize", "reparameterize"), ("KL", "compute_vae_loss")):
        if name not in submission.source:
            yield Finding(task, "LOOK", "own_way", f"no function named {name}")
        elif inside:
            text = f"{name} is there, and training with it ends inside {low:g} to {high:g}; only --rerun tries it"
            yield Finding(task, "PASS", "loss_numbers", text)
        else:
            yield Finding(task, "LOOK", "unclear", "only a rerun can try the function: use --rerun")
    if inside:
        yield Finding("train", "PASS", "loss_numbers", f"a loss of {inside[-1]:g}, inside {low:g} to {high:g}")
    elif losses and 0 < least < low:
        yield Finding("train", "LOOK", "below_least", f"a loss of {least:g}; the least possible is {low:g}")
    else:
        yield Finding("train", "LOOK", "out_of_band" if losses else "numbers_missing", f"losses {losses[:6]}")
    sizes = re.findall(r"(latent_dim|hidden_dim)\s*=\s*(\d+)", submission.source)
    others = {f"{name}={n}" for name, n in sizes if (name, n) not in (("latent_dim", "2"), ("hidden_dim", "256"))}
    if others or re.search(r"\bVAE\(\s*\d", submission.source):
        yield Finding("experiment", "PASS", "experiment", ", ".join(sorted(others)[:6]) or "VAE with other sizes")
    else:
        yield Finding("experiment", "LOOK", "experiment_missing", "latent_dim and hidden_dim stay as they were")


LIKELIHOOD = re.compile(
    rf"(?<![a-z])(log[ _-]?lik\w*|(?:neg\w*[ _-]?log[ _-]?lik|nll|recon|bce)\w*(?:[ _-]?(?:loss|error|term))?)(?![a-z])"
    rf"{evidence.GAP}{evidence.NUMBER}",
    re.I,
)


def judge_conv(submission: Submission) -> Iterator[Finding]:
    low, high = a4.CONV_TEST_ELBO
    yield from judge_training(submission, "4")
    found = [abs(v) for v in printed_near(submission.text, r"(?<![a-z])elbo(?![a-z])")]
    found += [abs(v) for v in printed_near(submission.text, r"elbo[^\n]{0,80}?(?:measured|=|:)")]
    inside = [v for v in found if low <= v <= high]
    if inside:
        yield Finding("4", "PASS", "test_elbo", f"an ELBO of magnitude {inside[-1]:g} was printed")
    else:
        code = "out_of_band" if found else "numbers_missing"
        yield Finding("4", "LOOK", code, f"{len(found)} ELBOs were printed, none of magnitude {low:g} to {high:g}")
    yield judge_identity(submission, inside)
    convolutions = {"Conv2d", "ConvTranspose2d"} <= set(re.findall(r"\w+", submission.source))
    text = "Conv2d and ConvTranspose2d" if convolutions else "not both of them are in the source"
    yield Finding("3", "PASS" if convolutions else "LOOK", "convolutions" if convolutions else "no_convolution", text)


def judge_identity(submission: Submission, inside: list[float]) -> Finding:
    """ELBO = log-likelihood - KL wherever all three are printed on a line; else its size must do."""
    holds = 0
    for line in submission.text.splitlines()[:20_000]:
        found = [p.search(line[:1000]) for p in (evidence.KEYS["elbo"], evidence.KEYS["kl"], LIKELIHOOD)]
        if not all(found):
            continue
        bound, kl, term = (evidence.to_number(m[2]) for m in found)
        tolerance = 0.02 + 3 * 10 ** -min(len(m[2].partition(".")[2]) for m in found)
        if abs(abs(bound) - abs(abs(term) + abs(kl))) < tolerance:
            holds += 1
        elif abs(abs(bound) - abs(abs(term) - abs(kl))) < tolerance and abs(kl) > 3 * tolerance:
            return Finding("1", "FAIL", "elbo_kl_sign", line[:200])
    if holds:
        return Finding("1", "PASS", "identity", f"ELBO = log-likelihood - KL in {holds} printed lines")
    if inside and "calc_elbo" in submission.source:
        return Finding("1", "PASS", "identity", "calc_elbo is there, and the ELBO has an honest run's size")
    return Finding("1", "LOOK", "numbers_missing", "no line with the ELBO and its two terms, or no calc_elbo")


def judge_fashion(submission: Submission) -> Iterator[Finding]:
    low, high = a5.FASHION_LOSS
    yield from judge_training(submission, "VAE")
    losses = printed_losses(submission)
    inside = [v for v in losses if low <= v <= high]
    if inside:
        falls = inside[0] >= inside[-1]
        code = "loss_numbers" if falls else "not_decreasing"
        yield Finding("VAE", "PASS" if falls else "LOOK", code, f"losses {inside[0]:g} to {inside[-1]:g} per image")
    else:
        code = "out_of_band" if losses else "numbers_missing"
        yield Finding("VAE", "LOOK", code, f"losses {losses[:6]}, expected {low:g} to {high:g} per image")


JUDGES: dict[str, Callable[[Submission], Iterator[Finding]]] = {
    "a1": judge_a1, "a2": judge_numpy, "a3": judge_swiss, "a4": judge_conv, "a5": judge_fashion,
}  # fmt: skip
