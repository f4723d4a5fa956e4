"""Checks of the training functions: gradients at each step of a stub's training, and what the whole run showed.

The stub for ``train_vae`` has nll = |x - b|^2 / 2 and kl = |a - 1|^2 / 2, so that each gradient says what it came
from; it is trained for two epochs of three equal batches, once with beta = 1 and once with beta = 5.
"""

import math
from collections.abc import Iterator
from typing import Any, NamedTuple

import numpy as np

from course.assignments.task import Task
from course.grading.answers import Answers, close, number, numbers
from course.grading.common_behaviour import data_of, judge_losses, judge_trainings, trained_on_test, trainings_of
from course.grading.verdicts import Finding
from course.notebooks.visible import named

ALL_STEPS = 6  # of two epochs of three batches
ADDS_UP = 2.2  # on equal batches: the third step's gradient over the first's, three times as large where they add up
LOADERS = ("val", "test")  # whose batches have other values than those of the training loader
SAME_POINT = 1e-3
RATIO = 0.02  # relative tolerance of ratios of gradients
BETA = 5
SAME_WEIGHT = 0.4, 2.5  # of the KL against the NLL, at beta 1
CONSTANT = 0.05  # relative change from the first step to the last: beyond it the weight follows a schedule


class StubRun(NamedTuple):
    """A training of the stub: gradients at each step, and which batches gave some."""

    steps: list[Any]
    count: int
    points: set[float]
    values: tuple[float, ...]  # of the batches of the training, validation and test loader
    start_off: float  # of the stub's a from where its kl is least

    @property
    def has_gradients(self) -> bool:
        return any(g is not None and np.any(numbers(g)) for step in self.steps for g in step)

    @property
    def point(self) -> float:
        """The batches' value that gradients were taken on."""
        return self.values[0] if self.trains else max(self.points, default=self.values[0])

    @property
    def trains(self) -> bool:
        """Say whether gradients were taken on the training loader."""
        return self.took(self.values[0])

    def took(self, value: float) -> bool:
        return any(abs(point - value) < SAME_POINT for point in self.points)

    @property
    def misled(self) -> list[str]:
        """Loaders that gradients were taken on instead of the training loader."""
        pairs = zip(self.values[1:], LOADERS, strict=True)
        return [name for value, name in pairs if self.took(value) and not self.trains]


def stub_runs(probe: dict[str, Any]) -> dict[str, StubRun]:
    """Read the stub's trainings, by their beta."""
    runs = {}
    for beta, run in probe["runs"].items():
        points = {number(value) for value, has_gradient in run["used"] if has_gradient}
        values = tuple(number(value) for value in probe["points"])
        runs[beta] = StubRun(run["steps"], int(number(run["count"])), points, values, number(probe["start_off"]))
    return runs


def norms_of(steps: list[Any]) -> list[float]:
    """Return the norm of all gradients together, at each step."""
    norms = []
    for step in steps:
        squares = [float((numbers(g) ** 2).sum()) for g in step if g is not None]
        norms.append(math.sqrt(sum(squares)))
    return norms


def adds_up(norms: list[float]) -> bool:
    return len(norms) >= 3 and norms[0] > 0 and norms[2] > ADDS_UP * norms[0]


def steps(answers: Answers, task: Task) -> Iterator[Finding]:
    """Judge whether every batch has one step, with a fresh gradient."""
    probe = answers.probe("train_vae")
    for run in stub_runs(probe).values():
        if run.count == 0 or (probe["has_epochs"] and run.count < ALL_STEPS):
            yield Finding("FAIL", "never_steps", f"{run.count} steps for 2 epochs of 3 batches")
        if run.count == 0:
            return
        if not run.has_gradients:
            yield Finding("FAIL", "no_gradient", "every step had a gradient of zero")
            return
        norms = norms_of(run.steps)
        if adds_up(norms):
            first = ", ".join(f"{norm:.3g}" for norm in norms[:3])
            yield Finding("FAIL", "zero_grad", f"gradient norms of the first steps: {first}, on equal batches")


def loaders(answers: Answers, task: Task) -> Iterator[Finding]:
    """Judge which loader gradients are taken on."""
    for run in stub_runs(answers.probe("train_vae")).values():
        for name in run.misled:
            yield Finding("FAIL", f"trains_on_{name}", f"gradients were taken on the {name} loader")


class Weights(NamedTuple):
    """Weights of the two terms in the loss, as the gradients of the stub's two parameters say."""

    kl: float
    nll: float

    @property
    def ratio(self) -> float:
        return self.kl / self.nll if self.nll else 0.0


def weights_of(step: list[Any], run: StubRun) -> Weights:
    a, b = (0.0 if g is None else float(numbers(g)[0]) for g in (*step, None, None)[:2])
    return Weights(a / run.start_off, -b / run.point)


def objective(answers: Answers, task: Task) -> Iterator[Finding]:
    """Judge the loss by the weights of its terms: nll + beta * kl."""
    probe = answers.probe("train_vae")
    runs = stub_runs(probe)
    if any(run.count == 0 or not run.has_gradients or run.misled for run in runs.values()):
        return  # there is nothing to weigh; steps and loaders say why
    one, five = runs["1"], runs["5"]
    last = weights_of(one.steps[-1], one)
    left_out = judge_signs(last, weights_of(five.steps[-1], five))
    if left_out is not None:
        yield left_out
    elif not probe["has_beta"]:
        yield Finding("LOOK", "own_way", "the training function takes no beta")
    else:
        yield judge_beta(weights_of(one.steps[0], one), last, weights_of(five.steps[-1], five))


def judge_signs(one: Weights, five: Weights) -> Finding | None:
    """Return a finding where a term is missing or has the wrong sign."""
    if one.nll == 0:
        return Finding("FAIL", "nll_left_out", "no gradient comes from the reconstruction")
    if one.kl == 0 and five.kl == 0:
        return Finding("FAIL", "kl_left_out", "no gradient comes from the KL")
    if (one.nll < 0 and one.kl != 0) or one.kl < 0 < one.nll:
        evidence = f"weight of the nll {one.nll:.3g}, of the kl {one.kl:.3g}; both must be positive"
        return Finding("FAIL", "maximises", evidence)
    return None


def judge_beta(first: Weights, one: Weights, five: Weights) -> Finding:
    """Judge by how much beta changes the ratio of the two weights; a clipped gradient scales both alike."""
    factor = five.ratio / one.ratio if five.nll and one.kl else 0.0
    evidence = f"from beta 1 to {BETA} the weight of the KL against the NLL changes by {factor:.3g}"
    low, high = SAME_WEIGHT
    if close(factor, BETA, RATIO) and low <= one.ratio <= high:
        return Finding("PASS", "objective", evidence)
    if close(factor, BETA, RATIO):
        # a weight that changes from step to step is a schedule, which a person must look at
        level = "FAIL" if close(one.ratio, first.ratio, CONSTANT) else "LOOK"
        return Finding(level, "hidden_beta", f"at beta 1 the KL weighs {one.ratio:.3g} times the NLL")
    return Finding("FAIL", "beta_on_nll" if close(factor, 1 / BETA, RATIO) else "beta_ignored", evidence)


# ---------------------------------------------------------------- the autoencoder's

PIXEL = 0.4  # of the batches
LEVELS = np.array([0.0, 2.0])  # of the stub's two pixels, before their sigmoid
CODE_GRADIENT = 1e-3  # of the whole gradient


def train_ae(answers: Answers, task: Task) -> Iterator[Finding]:
    """Judge steps and loss of train_ae, from the gradients of a stub with pixels of two levels."""
    probe = answers.probe("train_ae")
    count = int(number(probe["count"]))
    if count == 0 or (probe["has_epochs"] and count < ALL_STEPS):
        yield Finding("FAIL", "never_steps", f"{count} steps for 2 epochs of 3 batches")
    if count == 0:
        return
    grads = [[np.zeros(2) if g is None else numbers(g) for g in step] for step in probe["steps"]]
    norms = norms_of(grads)
    if norms[0] == 0:
        yield Finding("FAIL", "no_gradient", "every step had a gradient of zero")
        return
    if adds_up(norms):
        yield Finding("FAIL", "zero_grad", f"gradient norms {norms[0]:.3g}, {norms[1]:.3g}, {norms[2]:.3g}")
    yield judge_error(grads[0][0])
    if np.abs(grads[0][1]).max() > CODE_GRADIENT * norms[0]:
        yield Finding("LOOK", "ae_regularized", "the codes have a gradient of their own")


def judge_error(gradient: np.ndarray) -> Finding:
    """Tell the loss from the ratio of the gradients of two pixels."""
    p = 1 / (1 + np.exp(-LEVELS))
    mse, bce = (p - PIXEL) * p * (1 - p), p - PIXEL
    if (gradient * mse < 0).all():
        return Finding("FAIL", "maximises", "the gradient points away from the smaller error")
    ratio = gradient[0] / gradient[1]
    if close(ratio, mse[0] / mse[1], RATIO):
        return Finding("PASS", "train_ae", "the gradient is that of the mean squared error")
    if close(ratio, bce[0] / bce[1], RATIO):
        return Finding("LOOK", "ae_loss", "the gradient is that of cross-entropy")
    level = "FAIL" if gradient[0] * mse[0] < 0 else "LOOK"
    return Finding(level, "ae_loss", "the gradient is that of another loss")


# ---------------------------------------------------------------- what the run itself showed

MOST_LEAKED, SOME_LEAKED = 0.5, 0.01  # test points among the points that a model was trained on
HOME_POINTS = 1000  # of a data set, beyond which a model counts as trained on it
PLANE, IMAGE = 2, 784
BETAS = {1.0, 3.0, 10.0}
LATENTS = 2.0
LEAST_EPOCHS = 10  # the assignment says 15 to 20


TOY_TRAININGS, IMAGE_TRAININGS = 3, 4  # three data sets; the autoencoder and VAEs with three betas


def toy_losses_fall(answers: Answers, task: Task) -> Iterator[Finding]:
    """Judge the losses of the models of the plane."""
    yield from judge_losses(losses_on(answers, "plane"))


def image_losses_fall(answers: Answers, task: Task) -> Iterator[Finding]:
    """Judge the losses of the models of images."""
    yield from judge_losses(losses_on(answers, "image"))


def losses_on(answers: Answers, kind: str) -> list[dict[str, Any]]:
    """Return the losses of the optimizers whose models are of this kind, or of one that nobody knows."""
    trainings = trainings_of(answers)
    others = {record.get("number") for record in trainings if data_of(answers, record) not in (kind, "")}
    return [record for number, record in answers.records("optimizers").items() if number not in others]


def trained_toys(answers: Answers, task: Task) -> Iterator[Finding]:
    """Judge whether models of the plane were trained, on all three data sets as far as these can be told."""
    yield from judge_trainings(answers, trainings_of(answers, "plane"), TOY_TRAININGS)


def trained_autoencoder(answers: Answers, task: Task) -> Iterator[Finding]:
    """Judge whether a model of images was trained."""
    yield from judge_trainings(answers, trainings_of(answers, "image"))


def trained_images(answers: Answers, task: Task) -> Iterator[Finding]:
    """Judge whether the four models of images were trained."""
    yield from judge_trainings(answers, trainings_of(answers, "image"), IMAGE_TRAININGS)


def drawn(answers: Answers, task: Task) -> Iterator[Finding]:
    """Find plots of models that no optimizer has moved, where others were trained."""
    name = next((name for name in task.defines if answers.calls(name)), "")
    fresh = [call for call in answers.calls(name) if call.get("trained") is False] if name else []
    if fresh and trainings_of(answers, "image"):
        yield Finding(
            "LOOK", "drawn_untrained", f"{name} was called {len(fresh)} times with a model that nothing had trained"
        )


def test_set(answers: Answers, task: Task) -> Iterator[Finding]:
    """Judge what the models of the plane were trained on and evaluated on, against the assignment's own split."""
    homes, everywhere = 0, set()
    for row in answers.records("rows").values():
        counts = {name: {k: number(v) for k, v in count.items()} for name, count in row["sets"].items()}
        leaked = sum(count["trained_test"] for count in counts.values())
        if leaked > MOST_LEAKED * max(number(row["trained"]), 1):
            yield Finding("FAIL", "trains_on_test", f"{int(leaked)} test points were trained on")
        elif leaked > SOME_LEAKED * max(number(row["trained"]), 1):
            yield Finding("LOOK", "trains_on_test", f"{int(leaked)} of the assignment's test points")
        home = next((k for k, count in counts.items() if count["trained"] > HOME_POINTS and not leaked), None)
        homes += home is not None
        tested = {name for name, count in counts.items() if count["evaluated_test"] > 0}
        if home and tested and home not in tested:
            others = ", ".join(map(named, sorted(tested)))
            evidence = f"trained on data set {named(home)}, evaluated on the test points of {others}"
            yield Finding("FAIL", "mixed_sets", evidence)
        everywhere |= tested
    if homes and not everywhere:
        level = "LOOK" if answers.content.get("errors") else "FAIL"  # it may have stopped before it could
        yield Finding(level, "evaluates_on_train", f"{homes} models were trained; no test point went into any")


def learning(answers: Answers, task: Task) -> Iterator[Finding]:
    """Find calls of training functions that changed no parameter: of models of the plane for task A2."""
    for call in answers.calls():
        plane = call.get("size") == PLANE
        if call.get("moved") is False and plane == (task.name == "A2"):
            yield Finding(
                "FAIL",
                "nothing_learned",
                f"{named(str(call.get('name')))} left {named(str(call.get('class')))} as it was",
            )


def test_images(answers: Answers, task: Task) -> Iterator[Finding]:
    """Find models that were trained on test images: autoencoders for task B1."""
    for name, finding in trained_on_test(answers):
        if ("auto" in name.lower()) == (task.name == "B1"):
            yield finding


def models(answers: Answers, task: Task) -> Iterator[Finding]:
    """Judge with which betas, latents and epochs train_vae was called for images."""
    calls = [call for call in answers.calls("train_vae") if call.get("size") == IMAGE]
    if not calls:
        yield Finding("LOOK", "own_way", "no call of train_vae for images was seen")
        return
    betas = sorted({number(call["beta"]) for call in calls if "beta" in call})
    if set(betas) >= BETAS:
        yield Finding("PASS", "models", f"trained with beta {betas}")
    elif betas:
        level = "LOOK" if answers.content.get("errors") else "FAIL"  # it may have stopped before the others
        yield Finding(level, "one_beta", f"trained with beta {betas}")
    if any(len(values) > 1 for values in betas_of(calls).values()):
        yield Finding("FAIL", "same_model", "one model object was trained with several betas")
    wide = sorted({number(call["latent"]) for call in calls if call.get("latent")} - {LATENTS})
    if wide:
        yield Finding("FAIL", "latent_size", f"{wide[0]:g} latents; the assignment has {LATENTS:g}")
    epochs = [number(call["num_epochs"]) for call in calls if "num_epochs" in call]
    if epochs and min(epochs) < LEAST_EPOCHS:
        yield Finding("LOOK", "few_epochs", f"{min(epochs):g} epochs")


def betas_of(calls: list[dict[str, Any]]) -> dict[Any, set[Any]]:
    """Return the betas that each model object was trained with."""
    table: dict[Any, set[Any]] = {}
    for call in calls:
        table.setdefault(call.get("model"), set()).add(call.get("beta"))
    return table
