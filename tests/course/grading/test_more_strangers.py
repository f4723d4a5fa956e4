"""Kinds of habits and of mistakes in forty notebooks by a third hand, from outputs alone."""

import io

import numpy as np
import pytest
from matplotlib.figure import Figure

from course.assignments import ASSIGNMENTS
from course.grading.case import sections_of
from course.grading.corpus.notebooks import cell, codes, judged, picture_output, png, text_output
from course.grading.evidence import loss_series, triples
from course.notebooks.printed import kind_of, readings

BOUND = cell("test()", text_output("test ELBO: -96.90 (log-likelihood -72.10, KL 24.80)"))
LOSSES = {  # so that something of the assignment is there
    "a3": cell("train()", text_output("loss 0.31\nloss 0.021")),
    "a5": cell("train()", text_output("epoch 5: loss: 246.9\nepoch 9: loss: 243.8")),
}


# ---------------------------------------------------------------- numbers as people print them


@pytest.mark.parametrize(
    "line", ["loss first 10 steps: 0.2131, last 10 steps: 0.0208", "Loss: first 100 iterations 0.2131, final 0.0208"]
)
def test_over_how_many_steps_a_loss_is_averaged_is_no_loss(line):
    assert [(kind_of(r.label), r.value) for r in readings(line)] == [("loss", 0.2131), ("loss", 0.0208)]


def test_a_number_of_steps_that_is_printed_for_its_own_sake_stays_one():
    assert [r.value for r in readings("trained 500 steps, loss 0.02")] == [500, 0.02]


@pytest.mark.parametrize(
    ("label", "kind"),
    [("reconstruction likelihood", "ll"), ("negative likelihood", "nll"), ("rec", "nll"), ("rek.", "nll"),
     ("record", None), ("reconstruction loss", "nll")],
)  # fmt: skip
def test_what_a_label_says_a_number_is(label, kind):
    assert kind_of(label) == kind


def test_a_further_error_in_a_table_is_not_the_term_of_the_next_row():
    head = "beta   ELBO(val)   KL(val)   NLL(val)   MSE per pixel\n"
    rows = "   1     -110.5     10.5     100.0     0.0477\n   3     -112.0      6.0     106.0     0.0470\n"
    assert [(t.elbo, t.kl, t.nll) for t in triples(head + rows)] == [(-110.5, 10.5, 100.0), (-112.0, 6.0, 106.0)]


def test_a_row_for_each_beta_is_no_step_of_a_training_and_one_for_each_epoch_is():
    table = "{}   NLL   KL\n   1   99.0   6.0\n   3   101.0   4.0\n  10   108.0   2.0\n".format
    assert loss_series(table("beta")) == []
    assert [series.values for series in loss_series(table("epoch"))] == [[99.0, 101.0, 108.0]]


def test_a_reconstruction_below_zero_may_be_a_log_likelihood_and_a_loss_that_rises_is_a_doubt():
    def rises(label):
        values = (-195.1, -133.2, -109.4, -82.1)
        lines = "\n".join(f"epoch {n}: {label} {value}" for n, value in enumerate(values))
        return "not_decreasing" in codes(judged([BOUND, cell("train(loader)", text_output(lines))], "a4")["4"])

    assert rises("loss") and not rises("Rekonstruktion")


def test_signs_that_are_those_of_a_loss_are_looked_at():
    source = "def calc_elbo(x): return rec + kl, rec, kl\nprint(calc_elbo(test_x))"

    def task_1(elbo, likelihood, kl):
        printed = text_output(f"test ELBO {elbo}, reconstruction likelihood {likelihood}, KL divergence {kl}")
        return judged([cell(source, printed)], "a4")["1"]

    assert codes(task_1(126.37, 103.77, 22.60)) == {"elbo_sign"} and task_1(126.37, 103.77, 22.60).verdict == "LOOK"
    assert task_1(-126.37, -103.77, 22.60).verdict == "PASS"


@pytest.mark.parametrize(("line", "passes"), [("{} 242.7 17.2", True), ("{} 100.0 17.2", False)])
def test_a_loss_may_be_told_by_its_two_terms(line, passes):
    lines = "epoch BCE KL\n" + "\n".join(line.format(n) for n in (5, 10))
    told = {f.code for f in judged([cell("train()", text_output(lines))], "a5")["VAE"].findings if f.level == "PASS"}
    assert ("loss_numbers" in told) == passes


# ---------------------------------------------------------------- which images


@pytest.mark.parametrize(
    ("parts", "code"),
    [
        ("[Subset(train, range(2000)), test]", {"trains_on_test"}),
        ("(train, test)", {"trains_on_test"}),
        ("[train, Subset(train, range(9))]", set()),
        ("[one, other]", set()),
    ],
)
def test_training_and_test_images_in_one_set_are_a_doubt(parts, code):
    source = f"train, test = MNIST('.', train=True), MNIST('.', train=False)\nall_of_it = ConcatDataset({parts})"
    cells = [cell(source), BOUND]
    assert codes(judged(cells, "a4")["4"]) == code


HALVES = ("train", "test")


@pytest.mark.parametrize(
    ("source", "code"),
    [
        ("for x, y in train_loader: z.append(model.encode(x)[0])", {"codes_of_train"}),
        ("z = latents_of(model, train_loader)", {"codes_of_train"}),
        ("for x, y in test_loader: z.append(model.encode(x)[0])", set()),
        ("for x, y in train_loader: z.append(encode(x))\nfor x, y in test_loader: z.append(encode(x))", set()),
        ("z = all_codes()", set()),
    ],
)
def test_a_plane_of_training_images_is_a_doubt(source, code):
    loaders = "\n".join(f"{half}_loader = DataLoader(FashionMNIST('.', train={half == 'train'}))" for half in HALVES)
    plane = cell(f"{source}\ne = TSNE().fit_transform(z)\nplt.title('t-SNE')", picture_output(png(1, 1, 1)))
    cells = [cell(loaders), LOSSES["a5"], plane]
    assert codes(judged(cells, "a5")["1"]) == code


@pytest.mark.parametrize(
    ("source", "is_reversed"),
    [("boot_direction = avg['sneaker'] - avg['boot']", True), ("boot_direction = avg['boot'] - avg['sneaker']", False)],
)
def test_categories_may_be_named_by_strings(source, is_reversed):
    cells = [LOSSES["a5"], cell(source)]
    assert ("direction_reversed" in codes(judged(cells, "a5")["3"])) == is_reversed


def strip(count: int, rows: int = 1) -> bytes:
    rng = np.random.default_rng(0)
    figure = Figure(figsize=(1.3 * count, 1.7 * rows))
    for axes in figure.subplots(rows, count, squeeze=False).flat:
        axes.imshow(rng.random((28, 28)), cmap="gray")
        axes.axis("off")
    figure.suptitle("Variationen")
    file = io.BytesIO()
    figure.savefig(file, format="png", dpi=60)
    return file.getvalue()


@pytest.mark.parametrize(("count", "rows", "few"), [(8, 1, True), (8, 2, False)])
def test_a_line_of_titles_is_no_row_of_images(count, rows, few):
    shown = cell("reihe(bilder, title='Variationen')", picture_output(strip(count, rows)))
    cells = [LOSSES["a5"], shown]
    assert ("figure_panels" in codes(judged(cells, "a5")["5"])) == few


# ---------------------------------------------------------------- experiments, stages, headings

MODEL = "class VAE(nn.Module):\n    def __init__(self, latent, width): self.net = Linear(2, width)\n"
LOOP = "widths = [16, 64, 128]\nfor b in widths:\n    net = VAE(2, b)\n    fit(net)"


@pytest.mark.parametrize(
    ("results", "code"),
    [
        ((0.00450, 0.00450, 0.00450), {"results_alike"}),
        ((0.00450, 0.00310, 0.00299), set()),
    ],
)
def test_models_in_a_loop_are_an_experiment_and_one_number_for_all_of_them_is_a_doubt(results, code):
    lines = "\n".join(f"Breite {b:3d}: Test-MSE {mse:.5f}" for b, mse in zip((16, 64, 128), results, strict=True))
    assert codes(judged([LOSSES["a3"], cell(MODEL), cell(LOOP, text_output(lines))], "a3")["experiment"]) == code


@pytest.mark.parametrize("line", ["epoch {}: loss 0.0210", "width {}: mse 0.02"])
def test_epochs_and_few_digits_may_agree(line):
    lines = "\n".join(map(line.format, (1, 2, 3)))
    assert "results_alike" not in codes(
        judged([LOSSES["a3"], cell(MODEL), cell(LOOP, text_output(lines))], "a3")["experiment"]
    )


def test_a_title_may_depend_on_the_step():
    source = """
def show_frames():
    for step, axes in frames:
        axes.set_title('before training' if step == 0 else f'iteration {step}' + (' (end)' if step == 9 else ''))

show_frames()
"""
    cells = [LOSSES["a3"], cell(source, picture_output(png(0, 2, 6)))]
    assert judged(cells, "a3")["visualize"].verdict == "PASS"


def test_a_divergence_by_torch_is_summed_as_one_by_hand():
    source = """
def verlust(modell, x, beta):
    rek, q = modell(x)
    return (rek - x).pow(2).sum(1).mean() + beta * kl_divergence(q, Normal(0., 1.)).sum(1).mean()
"""
    tasks = judged([cell(source), cell("train()", text_output("Verlust 0.43\nVerlust 0.0439"))], "a3")
    assert tasks["KL"].verdict == "PASS" and "loss_numbers" in {f.code for f in tasks["train"].findings}


def test_bold_words_that_begin_a_line_and_name_a_task_head_its_section():
    prose = [(1, "**Ex. 1 - prediction:** clusters"), (3, "Right.\n\n**Ex. 2** double exposure"), (5, "**Note** on it")]
    sections = sections_of(prose, [2, 4, 6], ASSIGNMENTS["a5"])
    assert [sections[number] for number in (2, 4, 6)] == ["1", "2", "2"]
    assert sections_of([(1, "In **exercise 1** and **exercise 2**")], [2], ASSIGNMENTS["a5"]) == {}


def test_an_answer_below_bold_words_is_of_the_task_that_they_name():
    answer = "The noise changes how bright the trousers are, and the two largest latents how wide their legs become."
    cells = [
        {"cell_type": "markdown", "metadata": {}, "source": "**Ex. 4**"},
        cell("grid()", picture_output(png(1, 3, 3))),
        {"cell_type": "markdown", "metadata": {}, "source": f"**Ex. 5** {answer}"},
        cell("vary()", picture_output(png(2, 3, 5))),
    ]
    assert "text_missing" not in codes(judged(cells, "a5")["5"])


@pytest.mark.parametrize(("title", "passes"), [("B4", True), ("Task B4: grids", True), ("z1", False), ("b", False)])
def test_a_title_may_be_the_name_of_its_task(title, passes):
    toy = "data set {}: ELBO = -4.45, KL = 0.5, NLL = 3.95\n".format
    cells = [cell("train()", text_output(toy(1))), cell(f"fig.suptitle('{title}')", picture_output(png(1, 1, 4)))]
    assert ("figure_missing" not in codes(judged(cells, "a1")["B4"])) == passes


@pytest.mark.parametrize(
    ("kept", "is_late"),
    [
        ("codes[b] = lambda x: model.encode(x)[0]", True),
        ("codes.append((b, lambda x: model.encode(x)[0]))", True),
        ("codes[b] = lambda x, model=model: model.encode(x)[0]", False),
        ("codes[b] = lambda model: model.encode(x)[0]", False),
        ("codes[b] = sorted(z, key=lambda x: x[0] + b)", False),
    ],
)
def test_a_function_that_a_loop_keeps_has_a_model_of_its_own(kept, is_late):
    source = f"for b, model in vaes.items():\n    {kept}\nplt.title('latent space')"
    tasks = judged([cell(source, picture_output(png(1, 1, 4)))], "a1")
    assert ("late_bound" in codes(tasks["B3"])) == is_late


TRAIN = "def train_vae(model, loader, num_epochs, batch, beta=1.0):\n    loss.backward(); opt.step()\n"
SIZED = "data = MNIST('.')\nEPOCHS = {}\nfor beta in (1, 3, 10):\n    train_vae(VAE(), data, EPOCHS, 64, beta)"


@pytest.mark.parametrize(("epochs", "few"), [(4, True), (15, False)])
def test_epochs_may_be_given_by_their_place_and_by_a_name(epochs, few):
    cells = [cell(TRAIN), cell(SIZED.format(epochs), text_output("beta 1 KL 6.5 MSE 37.1\n"))]
    assert ("few_epochs" in codes(judged(cells, "a1")["B2"])) == few
    toy = cell("train_vae(VAE(), toy, 10, 512, 1.0)", text_output("data set 1: ELBO -4.45 KL 0.5 NLL 3.95"))
    assert "few_epochs" not in codes(
        judged([cell(TRAIN), toy, cell(SIZED.format(15), text_output("KL 6.5"))], "a1")["B2"]
    )


@pytest.mark.parametrize(("collapsed", "code"), [("4.9459", "logvar_as_std"), ("6.1234", "out_of_band")])
def test_a_mistake_that_one_value_tells_is_named_beside_the_values_that_it_changes_too(collapsed, code):
    lines = f"L_recon = 2.9736, L_KL = 1.2566\nL_recon_c = {collapsed}, L_KL_c = 0.0150"
    tasks = judged([cell("X_true = 1\nprint(losses())", text_output(lines))], "a2")
    assert code in codes(tasks["3"])


@pytest.mark.parametrize(
    ("kls", "code"), [((6.2, 4.4, 2.5), ""), ((2.5, 4.4, 6.2), "betas_exchanged"), ((2.5, 2.5, 2.5), "beta_ignored")]
)
def test_a_divergence_that_rises_with_beta_is_looked_at(kls, code):
    lines = "\n".join(f"beta={beta}: KL {kl}, MSE 37.13" for beta, kl in zip((1, 3, 10), kls, strict=True))
    source = "data = MNIST('.')\nfor beta in (1, 3, 10): train_vae(VAE(), data, beta=beta)"
    found = codes(judged([cell(TRAIN), cell(source, text_output(lines))], "a1")["B2"])
    assert found & {"betas_exchanged", "beta_ignored"} == ({code} if code else set())


def test_a_loss_at_beta_one_is_not_taken_for_the_one_at_a_small_beta_nor_the_other_way_round():
    def tasks(loss, small):
        lines = f"Loss: {loss}\nLoss_c: 8.7120\nbeta=0.2: scenario 1 {small} | scenario 2 8.7001"
        return judged([cell("X_true = 1\nprint(losses())", text_output(lines))], "a2")

    def of(task, value):
        return next(f for f in task.findings if f.evidence.startswith(value))

    right, wrong = tasks("3.3124", "2.3071"), tasks("2.4071", "1.3777")
    assert of(right["3"], "Loss").level == of(right["5"], "Loss, scenario 1").level == "PASS"
    assert "printed [2.4071]" in of(wrong["3"], "Loss").evidence
    assert "printed [1.3777]" in of(wrong["5"], "Loss, scenario 1").evidence
