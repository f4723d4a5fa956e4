"""Kinds of habits and of mistakes that were first seen in notebooks by another hand, from outputs alone."""

import io

import numpy as np
import pytest
from matplotlib.figure import Figure

from course.assignments import ASSIGNMENTS
from course.grading import common, evidence
from course.grading.a5.outputs import FASHION_LOSS
from course.grading.case import case_of, sections_of
from course.grading.corpus.notebooks import cell, codes, judged, notebook, picture_output, png, text_output
from course.grading.evidence import loss_series, triples
from course.notebooks.printed import kind_of, readings
from course.notebooks.reading import parse

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


def test_counts_in_brackets_belong_to_a_label_and_terms_in_them_do_not():
    assert [r.value for r in readings("perda final (média dos últimos 50 passos): 0.0214")] == [0.0214]
    assert [r.value for r in readings("test ELBO (4 samples): -97.5 (KL 25 nats)")] == [-97.5, 25]
    assert [r.value for r in readings("test -100.20 (BCE: 75.31 KLD: 24.89)")] == [-100.20, 75.31, 24.89]


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


def test_terms_of_a_pixel_are_judged_as_those_of_the_image():
    line = "Test set: ELBO per pixel -0.12793 (log-lik per pixel -0.09617, KL per pixel 0.03176); ELBO per image -100.3"
    tasks = judged([cell("def calc_elbo(x): return x\ntest()", text_output(line))], "a4")
    assert tasks["1"].verdict == tasks["4"].verdict == "PASS"
    wrong = judged([cell("test()", text_output(line.replace("-0.12793", "-0.06441")))], "a4")["1"]
    assert "elbo_kl_sign" in codes(wrong), "ELBO = log-likelihood + KL"


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
        ("def reparameterize(mu, std):\n    return mu + std * torch.rand_like(std)", "1", "not_normal"),
        ("def reparameterize(mu, std):\n    return mu + std * torch.randn_like(std)", "1", ""),
        ("def sample(n):\n    return decoder(torch.rand(n, 16))", "2", "not_prior"),
        ("def sample(n):\n    mu, lv = encoder(x[:n])\n    return decoder(mu)", "2", "not_prior"),
        ("def sample(n):\n    return decoder(torch.randn(n, 16))", "2", ""),
        ("def sample_reconstructions(n):\n    return decoder(encoder(x[:n])[0])", "2", ""),
    ],
)
def test_what_a_function_never_does_is_a_doubt_that_names_the_mistake(source, task, code):
    cells = [cell(source), cell("test()", text_output("test ELBO: -96.90 (log-likelihood -72.10, KL 24.80)"))]
    found = codes(judged(cells, "a4")[task]) & {"no_noise", "not_normal", "not_prior"}
    assert found == ({code} if code else set())


def test_a_loss_below_zero_is_a_doubt_where_no_term_can_be_negative():
    def losses(*values):
        lines = "".join(f"step {n} loss {value}\n" for n, value in enumerate(values))
        return judged([cell("train_vae()", text_output(lines))], "a3")["train"]

    assert "kl_sign" in codes(losses(0.2, 0.021, -3.1)) and "kl_sign" not in codes(losses(0.2, 0.05, 0.021))


def test_a_divergence_that_is_a_number_is_told_and_one_that_is_left_out_here_is_not():
    def kl(line):
        source = f"def compute_vae_loss(model, x, beta):\n    {line}\n    return recon_loss + beta * kl_loss"
        return codes(judged([cell(source), cell("train()", text_output("loss 0.21\nloss 0.021"))], "a3")["KL"])

    assert kl("kl_loss = 0.0") == {"kl_wrong"}
    assert not kl("pass") and not kl("kl_loss = -0.5 * torch.mean(1 + lv - mu ** 2 - lv.exp())")


@pytest.mark.parametrize(
    ("source", "code"),
    [
        ("test_loader = DataLoader(MNIST('.', train=True))", {"test_of_train"}),
        ("full = MNIST('.', train=True)\ntest_loader = DataLoader(full)", {"test_of_train"}),
        ("test_loader = DataLoader(MNIST('.', train=False))", set()),
        ("full = MNIST('.', train=True)\ntrain_set, test_set = random_split(full, [50000, 10000])", set()),
        ("full = MNIST('.', train=True)\ntest_data = Subset(full, range(50000, 60000))", set()),
        ("images = MNIST('.', train=True).data\ntest_images = images[50000:]", set()),
        ("test_loader = make_loader(test_set)", set()),
    ],
)
def test_a_test_set_of_training_images_is_a_doubt_and_a_part_set_aside_is_none(source, code):
    cells = [cell(source), cell("test()", text_output("test ELBO: -96.90 (log-likelihood -72.10, KL 24.80)"))]
    assert codes(judged(cells, "a4")["4"]) == code


# ---------------------------------------------------------------- assignment 3 in other words


TRAINING = """
def lerne(schritte=1000, breite=256, seed=0):
    modell = Modell(breite); opt = Adam(modell.parameters())
    for i in range(schritte):
        opt.zero_grad(); verlust(modell, rolle(128)).backward(); opt.step()
    return modell
"""


@pytest.mark.parametrize(
    ("source", "is_one"),
    [
        ("for k in (16, 64): lerne(breite=k)", True),
        ("[lerne(1000, k) for k in [16, 64, 256]]", True),
        ("{k: lerne(breite=k) for k in (16, 64)}", True),
        ("lerne(breite=256)\nlerne(breite=16)", True),
        ("lerne()\nlerne()", False),
        ("for k in (1, 2): lerne(seed=k)", False),
        ("for k in (16, 64): print(k)", False),
        ("for k in (16,): lerne(breite=k)", False),
    ],
)
def test_several_runs_with_another_number_are_an_experiment_whatever_it_is_called(source, is_one):
    cells = [cell(TRAINING), cell(source, text_output("Verlust 0.21\nVerlust 0.021"))]
    assert (judged(cells, "a3")["experiment"].verdict == "PASS") == is_one


@pytest.mark.parametrize(("reduce", "is_right"), [(".sum(1).mean()", True), (".mean()", False)])
def test_a_loss_summed_over_both_coordinates_is_twice_the_assigned_one(reduce, is_right):
    source = f"""
def compute_vae_loss(model, x, beta):
    recon_x, mu, logvar = model(x)
    recon = ((recon_x - x) ** 2){reduce}
    kl = (-0.5 * (1 + logvar - mu ** 2 - torch.exp(logvar))){reduce}
    return recon + beta * kl
"""
    tasks = judged([cell(source), cell("train()", text_output("loss 0.31\nloss 0.0427"))], "a3")
    told = {finding.code for finding in tasks["train"].findings if finding.level == "PASS"}
    assert (tasks["KL"].verdict == "PASS") == is_right == ("loss_numbers" in told)


def test_steps_announced_beside_their_losses_tell_pictures_of_the_training():
    announced = [
        output
        for n in range(1, 5)
        for output in (text_output(f"step {250 * n} loss 0.02{n}\n"), picture_output(png(n)))
    ]
    silent = [picture_output(png(n)) for n in range(1, 5)]
    assert judged([cell("run()", *announced)], "a3")["visualize"].verdict == "PASS"
    assert judged([cell("run()", text_output("step 1000 loss 0.021"), silent[0])], "a3")["visualize"].verdict == "LOOK"


# ---------------------------------------------------------------- answers and images


ANSWER = "beta below one makes the divergence cheap so that the encoder keeps what it knows of x and does not collapse"


@pytest.mark.parametrize(
    ("source", "counts"),
    [
        (f"# {ANSWER[:60]}\n# {ANSWER[60:]}\nprint(1)", True),
        (f'"""\n{ANSWER}\n"""\nprint(1)', True),
        (f'def f():\n    """{ANSWER}"""\nprint(1)', False),
        (f"x = '{ANSWER}'\nprint(1)", False),
        ("# beta\n# the losses\nprint(1)", False),
        ("## beta\n" * 20 + "print(1)", False),
    ],
)
def test_answers_may_stand_in_comments_and_in_strings_alone_but_not_in_code(source, counts):
    cells = [
        cell("X_true = 1", text_output("L_recon = 2.06, L_KL = 1.26, Loss = 3.31")),
        cell(source, text_output("1")),
    ]
    assert ("text_missing" not in codes(judged(cells, "a2")["5"])) == counts


@pytest.mark.parametrize(("shape", "code"), [((3, 3), "figure_panels"), ((3, 5), ""), ((1, 1), "")])
def test_images_of_an_experiment_are_counted_where_gaps_part_them(shape, code):
    rng = np.random.default_rng(0)
    figure = Figure(figsize=(1.2 * shape[1], 1.2 * shape[0]))
    for axes in figure.subplots(*shape, squeeze=False).flat:
        axes.imshow(rng.random((28, 28)), cmap="gray")
        axes.axis("off")
    file = io.BytesIO()
    figure.savefig(file, format="png", dpi=60)
    lines = "Epoch 5 loss: 246.92\nEpoch 10 loss: 243.81\n"
    cells = [
        cell("train()", text_output(lines)),
        cell("show_grid(x, title='Sneaker variations')", picture_output(file.getvalue())),
    ]
    assert codes(judged(cells, "a5")["5"]) - {"text_missing"} == ({code} if code else set())


@pytest.mark.parametrize(
    ("source", "code"),
    [
        ("show([(1 - t) * x_a + t * x_b for t in ts])", "interpolation_pixels"),
        ("show([x_a + (x_b - x_a) * t for t in ts])", "interpolation_pixels"),
        ("def draw(x):\n    plt.imshow(x)\ndraw(t * x_b + (1 - t) * x_a)", "interpolation_pixels"),
        ("show(model.decode((1 - t) * z_a + t * z_b))", ""),
        ("def image(z):\n    return torch.sigmoid(mlp(z))\nshow(image(z_a + t * (z_b - z_a)))", ""),
        ("show(frames)", ""),
        ("show(a * x + b * y)", ""),
    ],
)
def test_images_that_are_blended_and_never_decoded_are_no_walk_through_the_latent_space(source, code):
    cells = [
        cell("test()", text_output("test ELBO: -96.90 (log-likelihood -72.10, KL 24.80)")),
        cell(f"{source}\nplt.title('latent traversal')", picture_output(png(1, 1, 10))),
    ]
    assert codes(judged(cells, "a4")["5"]) == ({code} if code else set())


@pytest.mark.parametrize(
    ("source", "code"),
    [
        ("show_grid(model.decode(torch.randn(100, 32)), nrow=10)", "grid_wrong"),
        ("side = torch.linspace(-3, 3, 10)\nshow_grid(model.decode(codes(side) + 0 * torch.randn(1)))", ""),
        ("show_grid(model.decode(z_grid))", ""),
    ],
)
def test_a_slice_of_codes_drawn_at_random_is_looked_at(source, code):
    cells = [
        cell("train()", text_output("Epoch 5 loss: 246.92\nEpoch 10 loss: 243.81\n")),
        cell(f"{source}\nplt.suptitle('Slice of the latent space')", picture_output(png(1, 4, 4))),
    ]
    assert codes(judged(cells, "a5")["4"]) == ({code} if code else set())


def test_a_direction_is_added_and_not_taken_off():
    def codes_of(source):
        lines = "Epoch 5 loss: 246.92\nEpoch 10 loss: 243.81\n"
        return codes(
            judged([cell("train()", text_output(lines)), cell(source, picture_output(png(1, 1, 5)))], "a5")["3"]
        )

    assert codes_of("z_result = z_sandal_avg - boot_direction") >= {"direction_reversed"}
    assert "direction_reversed" not in codes_of("z_result = z_sandal_avg + boot_direction")


def test_titles_that_say_after_how_many_steps_tell_the_stages_and_the_label_of_an_axis_does_not():
    def stages(source):
        shown = [picture_output(png(n)) for n in range(4)]
        cells = [cell("train()", text_output("loss 0.2\nloss 0.021")), cell(source, *shown)]
        return judged(cells, "a3")["visualize"].verdict

    assert stages("for step in range(4): draw(model, title=f'after {step} steps')") == "PASS"
    assert stages("plt.xlabel('Steps')") == "LOOK"


@pytest.mark.parametrize(
    ("text", "verdict"),
    [
        ("traversals: each row one pair of digits", "PASS"),
        ("**From a 3 to an 8**", "LOOK"),
        ("A text over lines\nthat speaks of traversals, too", "LOOK"),
        ("A text that is too long for a title speaks of traversals and of more than that", "LOOK"),
    ],
)
def test_one_short_line_above_a_cell_is_a_title(text, verdict):
    above = {"cell_type": "markdown", "metadata": {}, "source": text}
    cells = [
        cell("test()", text_output("test ELBO: -96.90 (log-likelihood -72.10, KL 24.80)")),
        above,
        cell("pairs()", picture_output(png(1, 3, 8))),
    ]
    assert judged(cells, "a4")["5"].verdict == verdict


@pytest.mark.parametrize("heading", ["Task A1/A2: toy data", "A1 and A2", "Task A1"])
def test_a_heading_of_two_tasks_is_the_section_of_neither(heading):
    prose = [(1, f"## {heading}"), (3, "## Task B3"), (5, "## Task B4")]
    sections = sections_of(prose, [2, 4, 6], ASSIGNMENTS["a1"])
    assert sections.get(2) == ("A1" if heading == "Task A1" else None) and sections[4] == "B3"


def test_no_picture_is_decoded_to_learn_that_none_is_shown_twice(monkeypatch):
    def refuse(data):
        raise AssertionError("decoding takes longer than all else")

    monkeypatch.setattr(evidence, "decoded", refuse)
    shown = [cell(f"plt.title('latent space {n}'); plt.show()", picture_output(png(n))) for n in (1, 2)]
    about = ASSIGNMENTS["a1"]
    case = case_of(parse("max_mustermann_a1.ipynb", notebook(shown)), about)
    assert not [found for task in about.tasks for found in common.not_twice(case, task)]
