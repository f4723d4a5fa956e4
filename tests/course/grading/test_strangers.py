"""Kinds of habits and of mistakes that were first seen in notebooks by another hand, from outputs alone."""

import io

import numpy as np
import pytest
from matplotlib.figure import Figure

from course.grading.a5.outputs import FASHION_LOSS
from course.grading.corpus.notebooks import cell, notebook, picture_output, png, text_output
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


# ---------------------------------------------------------------- pictures


TERMS = cell("evaluate()", text_output("ELBO = -4.45, KL = 1.25, NLL = 3.20"))


def rows_of_images(kind: str, rows: int = 4, columns: int = 1) -> bytes:
    """Draw titled panels: each another image, all the same one, none in them, or one colour all over."""
    rng = np.random.default_rng(0)
    figure = Figure(figsize=(9, 6))
    one = np.kron(rng.random((3, 24)), np.ones((9, 9)))
    for number, axes in enumerate(figure.subplots(rows, columns, squeeze=False).flat):
        axes.set_title(f"beta = {number}")
        if kind != "none":
            image = {"same": one, "flat": np.zeros_like(one)}.get(kind, np.kron(rng.random((3, 24)), np.ones((9, 9))))
            axes.imshow(image, vmin=0, vmax=1, aspect="auto")
    file = io.BytesIO()
    figure.savefig(file, format="png", dpi=60)
    return file.getvalue()


@pytest.mark.parametrize(
    ("kind", "code"), [("others", ""), ("same", "panels_alike"), ("none", "figure_blank"), ("flat", "figure_blank")]
)
def test_panels_that_are_empty_or_all_alike_are_looked_at(kind, code):
    walks = cell("interpolate(model, x_1, x_2)", picture_output(rows_of_images(kind)))
    assert codes(judged([TERMS, walks], "a1")["B5"]) == ({code} if code else set())


def test_a_figure_in_a_cell_that_ended_in_an_error_is_looked_at():
    error = {"output_type": "error", "ename": "NameError", "evalue": "ae", "traceback": []}
    walks = [picture_output(rows_of_images("others"))]
    assert judged([TERMS, cell("interpolate(model, x_1, x_2)", *walks)], "a1")["B5"].verdict == "PASS"
    assert "figure_missing" in codes(
        judged([TERMS, cell("interpolate(model, x_1, x_2)", *walks, error), cell("1", text_output("1"))], "a1")["B5"]
    )


def test_a_picture_that_was_shown_before_is_no_mistake_beside_others_of_the_task():
    last = png(9)
    latent = cell("visualize_latent_space(model)", picture_output(last))
    stages = [picture_output(png(seed)) for seed in range(4)]
    during = cell("train_vae_with_visualization()", *stages, picture_output(last))
    assert not codes(judged([latent, during], "a3")["visualize"])
    assert "figure_twice" in codes(
        judged([latent, cell("train_vae_with_visualization()", picture_output(last))], "a3")["visualize"]
    )


# ---------------------------------------------------------------- what the source says


@pytest.mark.parametrize(
    ("source", "task", "code"),
    [
        ("def reparameterize(mu, std):\n    return mu", "1", "no_noise"),
        ("def reparameterize(mu, std):\n    return mu + std * torch.randn_like(std)", "1", ""),
        ("def sample(n):\n    mu, lv = encoder(x[:n])\n    return decoder(mu)", "2", "not_prior"),
        ("def sample(n):\n    return decoder(torch.randn(n, 16))", "2", ""),
        ("def sample_reconstructions(n):\n    return decoder(encoder(x[:n])[0])", "2", ""),
    ],
)
def test_what_a_function_never_does_is_a_doubt_that_names_the_mistake(source, task, code):
    cells = [cell(source), cell("test()", text_output("test ELBO: -96.90 (log-likelihood -72.10, KL 24.80)"))]
    found = codes(judged(cells, "a4")[task]) & {"no_noise", "not_prior"}
    assert found == ({code} if code else set())


def test_a_loss_below_zero_is_a_doubt_where_no_term_can_be_negative():
    def losses(*values):
        lines = "".join(f"step {n} loss {value}\n" for n, value in enumerate(values))
        return judged([cell("train_vae()", text_output(lines))], "a3")["train"]

    assert "kl_sign" in codes(losses(0.2, 0.021, -3.1)) and "kl_sign" not in codes(losses(0.2, 0.05, 0.021))
