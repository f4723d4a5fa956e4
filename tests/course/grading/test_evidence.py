"""What is read out of outputs and sources: printed numbers, pictures, signs of training on the test set."""

import io

import numpy as np
import pytest
from PIL import Image

from course.grading import evidence, panels, training
from course.grading.corpus.notebooks import png
from course.grading.sources import Sources
from course.notebooks.reading import Cell, Submission


@pytest.mark.parametrize(
    "text",
    [
        "Final test performance: ELBO = -4.45188, KL = 0.17864, NLL = 4.27325",
        "Dataset 1 | test ELBO: -4.4519 | KL: 0.1786 | NLL: 4.2733",
        "kl=0.17864 nll=4.27325 elbo=-4.45188",
        "test elbo -4.452\ntest kl divergence 0.179\ntest nll 4.273",
        "Negative ELBO: 4.4519, KL divergence: 0.1786, reconstruction loss: 4.2733",
        "-ELBO 4.4519  KLD 0.1786  negative log-likelihood 4.2733",
        "ELBO: −4.4519, KL-Divergenz: 0.1786, NLL: 4.2733",
    ],
)
def test_three_numbers_are_found_however_they_are_printed(text):
    (triple,) = evidence.triples(text)
    assert (triple.elbo, triple.kl, triple.nll) == pytest.approx((-4.452, 0.179, 4.273), abs=2e-3)


def test_words_that_only_look_like_it_are_not_taken():
    assert list(evidence.triples("elbow 3 klaus 4 nllx 5")) == []
    assert list(evidence.triples("ELBO over 10 epochs\nKL\nNLL")) == []


def test_a_loss_is_a_negative_bound_and_a_history_is_no_result():
    (triple,) = evidence.triples("Epoch 3: negative ELBO 4.45, KL 0.18, NLL 4.27")
    assert triple.elbo == -4.45 and triple.epoch and triple.digits == 2
    assert evidence.final_triples([triple, triple._replace(epoch=False)]) == [triple._replace(epoch=False)]
    assert evidence.final_triples([triple, triple._replace(kl=0.2)]) == [triple._replace(kl=0.2)]
    assert evidence.final_triples([triple._replace(elbo=1e6)]) == []


@pytest.mark.parametrize(("text", "number"), [("dataset 2", 2), ("toy_3", 3), ("Datensatz 1", 1), ("data set 12", None),
                                              ("dataset1 and dataset2", None), ("", None)])  # fmt: skip
def test_a_data_set_is_known_by_one_number_near_it(text, number):
    assert evidence.dataset_of(text) == number


def test_three_results_without_a_name_are_those_of_the_three_sets_in_order():
    lines = [f"ELBO = {-n}.0, KL = 1.0, NLL = {n - 1}.0" for n in (4, 5, 3)]
    cells = tuple(Cell(n, "", n, (), line, None, "") for n, line in enumerate(lines, start=1))
    by_set, finals = evidence.toy_results(Submission("", cells))
    assert [by_set[n].elbo for n in (1, 2, 3)] == [-4, -5, -3] and len(finals) == 3
    assert evidence.toy_results(Submission("", cells[:2])).by_set == {}


@pytest.mark.parametrize(("rows", "columns"), [(1, 1), (1, 4), (4, 1), (2, 3)])
def test_panels_are_counted_by_the_gaps_between_them(rows, columns):
    look = evidence.look_at(evidence.decoded(png(3, rows, columns)))
    assert not look.blank and look.problem is None
    assert look.panels == (rows, columns)


def test_a_picture_without_ink_is_blank_and_what_is_none_has_a_problem():
    assert evidence.look_at(evidence.decoded(png(blank=True))).blank
    broken = evidence.look_at(evidence.decoded(b"no picture"))
    assert broken.problem and not broken.blank and not np.prod(broken.panels)


@pytest.mark.parametrize(
    ("source", "certain"),
    [
        ("train_loader = DataLoader(test_set)", True),
        ("train_loader = DataLoader(MNIST('.', train=False))", True),
        ("train_loader = DataLoader(train_set, batch_size=test_size)", None),
        ("for x in test_loader:\n    loss.backward()", False),
        ("for x in test_loader:\n    loss.backward(); opt.step()", True),
        ("half = MNIST('.', train=False)\nfor x in half:\n    loss.backward()", True),
        ("test_loader = DataLoader(MNIST('.', train=True))\nfor x in test_loader:\n    loss.backward()", None),
        ("for beta in test_betas:\n    loss.backward(); opt.step()", None),
        ("for run in test_runs:\n    for x in data:\n        loss.backward(); opt.step()", None),
        ("for x in train_loader:\n    loss.backward()\ntest(model)", None),
        ("for x in test_loader:\n    model(x)", None),
        ("%time test()\nfor x in test_loader: loss.backward()", False),
        ("this is no Python: test", None),
    ],
)
def test_gradients_on_a_test_set_are_seen_in_the_source_and_a_name_alone_is_no_evidence(source, certain):
    shown = training.gradient_on_test_set(Sources((Cell(1, source, 1, (), "", None, ""),)))
    assert (shown.certain if shown else None) == certain


def panels_by_numpy(ink: np.ndarray) -> int:
    """Count panels as before Pillow did it alone: the same definition, by whole arrays."""

    def stretches(filled: np.ndarray) -> np.ndarray:
        edges = np.flatnonzero(np.diff(np.concatenate([[0], filled.astype(np.int8), [0]])))
        return edges[1::2] - edges[::2]

    lines, least = stretches(ink.mean(axis=1) > panels.FRAME), panels.LEAST_PANEL * len(ink)
    thick = int((lines > least).sum())
    return max(int((stretches(ink.max(axis=1)) > least).sum()), thick + (len(lines) - thick) // 2)


@pytest.mark.parametrize("seed", range(20))
def test_a_picture_says_the_same_as_its_pixels_taken_as_an_array(seed):
    rng = np.random.default_rng(seed)
    height, width = rng.integers(20, 150, 2)
    levels = np.full((height, width), rng.integers(256), np.uint8)
    for _ in range(rng.integers(0, 6)):  # filled and empty frames anywhere
        top, left = rng.integers(0, height - 5), rng.integers(0, width - 5)
        levels[top : rng.integers(top, height) + 1, left : rng.integers(left, width) + 1] = rng.integers(256)
    file = io.BytesIO()
    Image.fromarray(levels).save(file, "PNG")
    small = levels.astype(int)
    border = np.concatenate([small[0], small[-1], small[:, 0], small[:, -1]])
    ink = np.abs(small - int(np.median(border))) > panels.INK
    look = evidence.look_at(evidence.decoded(file.getvalue()))
    assert look.panels == (panels_by_numpy(ink), panels_by_numpy(ink.T))
    assert look.blank == (ink.mean() < evidence.BLANK)
