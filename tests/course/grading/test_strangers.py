"""Kinds of habits and of mistakes that were first seen in notebooks by another hand, from outputs alone."""

import pytest

from course.grading.a5.outputs import FASHION_LOSS
from course.grading.corpus.notebooks import cell, notebook, text_output
from course.grading.evidence import loss_series, triples
from course.grading.judging import Options, grade_content
from course.grading.verdicts import TaskVerdict
from course.notebooks.printed import kind_of, readings


def judged(cells: list[dict], key: str) -> dict[str, TaskVerdict]:
    return dict(grade_content(f"max_mustermann_{key}.ipynb", notebook(cells), Options()).verdict.tasks)


def codes(task: TaskVerdict) -> set[str]:
    return {finding.code for finding in task.findings if finding.level != "PASS"}


# ---------------------------------------------------------------- numbers as people print them


@pytest.mark.parametrize("word", ["负ELBO", "отрицательный ELBO", "menos ELBO", "negatives ELBO", "-ELBO"])
def test_a_bound_is_called_negative_in_each_language(word):
    (triple,) = triples(f"{word}: 4.4501  KL: 0.5012  NLL: 3.9489")
    assert triple.elbo == -4.4501


@pytest.mark.parametrize(
    "printed",
    [
        "{'elbo': np.float64(-4.45), 'kl': np.float32(1.25), 'nll': np.float64(3.2)}",
        "elbo tensor(-4.45, device='cuda:0') kl tensor(1.25, grad_fn=<MeanBackward0>) nll tensor(3.2, dtype=float64)",
    ],
)
def test_what_numpy_and_torch_write_around_a_number_is_no_number(printed):
    (triple,) = triples(printed)
    assert (triple.elbo, triple.kl, triple.nll) == (-4.45, 1.25, 3.2)
    assert {reading.text for reading in readings(printed)} == {printed}, "a finding quotes what was printed"


def test_decimal_commas_may_have_one_digit_behind_them():
    line = "Epoche {}: Verlust {}, davon Rekonstruktion {}, KL {}\n".format
    text = line(1, "150,0", "132,0", "18,0") + line(2, "130,3", "109,2", "21,1")
    assert [(t.elbo, t.nll, t.kl) for t in triples(text)] == [(-150, 132, 18), (-130.3, 109.2, 21.1)]
    assert [r.value for r in readings("shape (3,2), betas 1,3,10 [1,3]")] == [3, 2, 1, 3, 10, 1, 3]


def test_values_of_one_setting_head_a_table_and_other_pairs_do_not():
    table = readings("          beta=1.0  beta=0.2\nstandard     3.312     2.307\ncollapse     8.712     8.700")
    assert [(r.label, r.value) for r in table] == [
        ("beta=1.0", 3.312), ("beta=0.2", 2.307), ("beta=1.0", 8.712), ("beta=0.2", 8.7),
    ]  # fmt: skip
    assert [(kind_of(r.label), r.value) for r in readings("loss=2.3  kl=1.2\nloss=2.1  kl=1.1")] == [
        ("loss", 2.3), ("kl", 1.2), ("loss", 2.1), ("kl", 1.1),
    ]  # fmt: skip


def test_a_counter_is_one_in_a_language_without_spaces_too():
    text = "\n".join(f"第{epoch}轮 批次100/118 损失 {9 - epoch}.5" for epoch in (1, 2, 3, 4))
    (series,) = loss_series(text)
    assert series.values == [8.5, 7.5, 6.5, 5.5]


def test_a_loss_of_a_pixel_is_judged_as_one_of_the_image():
    lines = "\n".join(f"epoch {n}: loss per pixel {0.33 - 0.01 * n:.4f}" for n in (1, 2))
    assert FASHION_LOSS[0] < 784 * 0.31 < FASHION_LOSS[1]
    assert judged([cell("train()", text_output(lines))], "a5")["VAE"].verdict == "PASS"
    assert judged([cell("train()", text_output(lines.replace("per pixel", "")))], "a5")["VAE"].verdict == "LOOK"


@pytest.mark.parametrize(
    ("source", "kl", "is_data"),
    [("X = randn(N, 2) .+ [3.0 2.0]", "1.2566", True), ("X = randn(N, 2)", "0.3310", False)],
)
def test_data_is_told_by_the_divergence_that_it_gives(source, kl, is_data):
    cells = [cell(source, text_output(f"L_recon = 2.06, L_KL = {kl}, Loss = 3.31"))]
    assert (judged(cells, "a2")["1"].verdict == "PASS") == is_data
