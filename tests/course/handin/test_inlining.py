"""Helpers written into a notebook: held against the imported ones, and against ruff's idea of undefined names."""

import ast
import functools
import os
import re
import subprocess
import sys
from pathlib import Path

import libcst as cst
import nbformat
import pytest
import torch

from course.assignments import ASSIGNMENTS
from course.handin import inlining
from course.handin.inlining.modules import file_of, read, replacements
from course.handin.inlining.writing import in_order, shortened, with_close_signatures
from helpers import mnist_beta_vae
from helpers.core import gaussian, latent

ROOT = Path(__file__).resolve().parents[3]
STORED = {p.stem: p for p in (ROOT / "notebooks").glob("*.ipynb")}


def sources(stem):
    return [c.source for c in nbformat.read(STORED[stem], as_version=4).cells if c.cell_type == "code"]


@functools.cache
def stored(name):
    assignment = ASSIGNMENTS[name]
    return inlining.join([(stem, sources(stem)) for stem in assignment.notebooks], assignment.modules)


def join(*cells, modules=("toy_vae", "mnist_beta_vae")):
    return inlining.join([("mine", cells)], modules)


def code_of(joined):
    helpers = [joined.imports, *(cell for section in joined.sections for cell in section.cells)]
    return "\n\n".join([*helpers, *(cell for cells in joined.cells for cell in cells if cell is not None)])


def run(joined):
    space = {"__name__": "__main__"}
    exec(compile(code_of(joined), "joined", "exec"), space)
    return space


@pytest.mark.parametrize("name", ASSIGNMENTS)
def test_nothing_is_missing_nothing_superfluous_and_no_helpers_are_left(name):
    joined = stored(name)
    code = code_of(joined)
    command = [sys.executable, "-m", "ruff", "check", "--isolated", "--select", "F401,F811,F821,F822", "-"]
    verdict = subprocess.run(command, input=code, capture_output=True, text=True, cwd=ROOT)
    complaints = [line for line in verdict.stdout.splitlines() if re.match(r"[A-Z]+\d+", line)]
    # a second notebook imports again what the first one imported
    assert [c for c in complaints if not c.startswith(("F811", "F401"))] == [], verdict.stdout
    alone = subprocess.run(command, input=code.replace(joined.imports, "", 1), capture_output=True, text=True)
    assert "F821" in alone.stdout, "the oracle sees what is missing"
    assert not re.search(r"^\s*(from|import) helpers", code, re.MULTILINE)
    assert "__file__" not in code and "standin" not in code
    for section in joined.sections:
        for cell in section.cells:
            for defined in re.findall(r"^(?:def|class) (\w+)", cell, re.MULTILINE):
                assert len(re.findall(rf"\b{defined}\b", code)) > 1, f"{defined} is not used"


@pytest.mark.parametrize("name", ASSIGNMENTS)
def test_what_is_imported_comes_with_python_or_with_the_requirements(name):
    installs = {"sklearn": "scikit-learn", "IPython": "ipywidgets", "PIL": "pillow"}
    imports = [n for n in ast.walk(ast.parse(stored(name).imports)) if isinstance(n, ast.Import | ast.ImportFrom)]
    modules = {n.module if isinstance(n, ast.ImportFrom) else n.names[0].name for n in imports}
    others = {m.split(".")[0] for m in modules} - set(sys.stdlib_module_names)
    listed = re.findall(r"^[\w-]+", (ROOT / "requirements.txt").read_text(), re.MULTILINE)
    assert {installs.get(m, m) for m in others} <= set(listed)


@pytest.mark.parametrize("name", ASSIGNMENTS)
def test_the_notebooks_own_cells_are_untouched_but_for_imports(name):
    assignment = ASSIGNMENTS[name]
    joined = stored(name)
    for stem, cells in zip(assignment.notebooks, joined.cells, strict=True):
        changed = [(a, b) for a, b in zip(sources(stem), cells, strict=True) if a != b]
        with_check = [a for a, _ in changed[2:]]
        assert changed[0][1] is None, "the search path, the imports, and the import of check in its first cell"
        assert len(with_check) <= 1 and all(a.startswith("from helpers.notebook import check\n") for a in with_check)
        assert all("helpers" not in b for _, b in changed[1:])


def test_check_says_nothing_in_a_submission(capsys):
    joined = join('from helpers.notebook import check\n\ncheck("A1.kl")\ncheck("B2", vaes={})')
    assert joined.cells == [['check("A1.kl")\ncheck("B2", vaes={})']]
    run(joined)
    assert capsys.readouterr().out == "" and "helpers" not in joined.imports


def test_docstrings_comments_and_order_are_kept():
    code = code_of(join("from helpers.core.gaussian import log_prob, kl_standard_normal\nlog_prob, kl_standard_normal"))
    assert "LOG_2PI = math.log(2 * math.pi)" in code and "def rsample" not in code
    assert code.index("LOG_2PI =") < code.index("def kl_standard_normal") < code.index("def kl_per_latent")
    assert "Source: Kingma & Welling 2014 (arXiv 1312.6114), appendix B." in code
    assert "# Okabe & Ito's palette" in code_of(join("from helpers import plots\nplots.BLUE"))


def test_docstrings_keep_their_first_paragraph_and_their_source():
    code = shortened('''
class A:
    r"""Say what it is,
    in two lines.

    More of it.

    Source: a book.
    """

    def f(self, x="""no docstring"""):
        """Compute.

        Args:
            x: a text.
        """
        return """kept

        as it is"""
''')
    space = {}
    exec(code, space)
    assert space["A"].__doc__ == "Say what it is,\n    in two lines.\n    Source: a book."
    assert space["A"].f.__doc__ == "Compute." and space["A"]().f() == "kept\n\n        as it is"


def test_parameters_stand_beside_one_another_where_there_is_room():
    long = "a_parameter_with_a_name_that_is_far_longer_than_it_has_to_be_for_its_purpose"
    code = f"""
@decorate
def f(
    a: int,  # why
    b: int,
) -> int:
    def g(
        a,
        *,
        b=(1, 2),
    ):
        return a

    return g(a, b=b)

def h(
    {long}_1,
    {long}_2,
):
    return (
        1,
        2,
    )
"""
    assert with_close_signatures(code) == code.replace("a,\n        *,\n        b=(1, 2),\n", "a, *, b=(1, 2),\n")


def test_modules_stand_behind_what_they_import_mathematics_first_and_the_assignments_own_last():
    modules = [f"helpers.{name}" for name in (
        "notebook", "toy_vae", "core.training", "core.gaussian", "core.objective", "core.batches", "plots.styling",
        "core.settings",
    )]  # fmt: skip
    order = [m.removeprefix("helpers.") for m in in_order(set(modules), ("toy_vae",))]
    assert order[:2] == ["core.gaussian", "core.objective"] and order[-3:] == ["plots.styling", "notebook", "toy_vae"]
    assert order.index("core.batches") < order.index("core.training") > order.index("core.settings")


def test_what_stands_in_for_a_helper_takes_the_same_arguments():
    """A helper that was renamed or takes other arguments is noticed here, not when a submission is run."""
    own = {s.section for s in replacements().statements}
    for module in own:
        original = read(file_of(module), module)
        names = {name for s in replacements().statements if s.section == module for name in s.binds}
        for name in names:
            place = original.index(name)
            if place is None:
                assert name.startswith("_"), f"{module} has no {name} any more"
                continue
            old, new = (signature(m.statement(name).nodes[0]) for m in (original, replacements()))
            assert new is None or old is None or new == old[: len(new)], f"{module}.{name} takes {old}, here {new}"
    loads = "import sys, course.handin.submit; sys.exit(any(m.endswith('.standalone') for m in sys.modules))"
    assert subprocess.run([sys.executable, "-c", loads], cwd=ROOT).returncode == 0, "it is never imported"


def signature(node):
    """The names of the positional parameters; of a class, those of its __init__ without self, or None."""
    if isinstance(node, cst.ClassDef):
        inits = [n for n in node.body.body if isinstance(n, cst.FunctionDef) and n.name.value == "__init__"]
        return signature(inits[0])[1:] if inits else None
    return [p.name.value for p in node.params.params]


# ------------------------------------------------------------------------------- how much is handed in

HELPER_LINES = {"a1": 1050, "a2": 500, "a3": 700, "a4": 720, "a5": 950}


@pytest.mark.parametrize("name", ASSIGNMENTS)
def test_a_submission_holds_few_lines_of_helpers(name):
    joined = stored(name)
    cells = [joined.imports, *(cell for section in joined.sections for cell in section.cells)]
    assert sum(cell.count("\n") + 1 for cell in cells) <= HELPER_LINES[name]
    code = "\n".join(cells)
    for machinery in ("fingerprint", "ctypes", "mallopt", "autocast", "cloudpickle", "safetensors", "ipywidgets"):
        assert machinery not in code
    for name in ("show", "claims", "solution", "explore"):
        body = re.search(rf"^def {name}\(.*?(?=^\S)", code + "\nend", re.MULTILINE | re.DOTALL)
        assert body is None or body[0].rstrip().count("\n") < 12


@pytest.mark.slow
def test_the_numpy_submission_needs_no_torch(tmp_path):
    """Its code as a script, where torch and torchvision cannot be imported."""
    code = "\n".join([
        "import sys", "sys.modules.update(dict.fromkeys(['torch', 'torchvision', 'helpers', 'course']))",
        code_of(stored("a2")),
    ])  # fmt: skip
    assert "torch" not in stored("a2").imports
    (tmp_path / "script.py").write_text(code, encoding="utf-8")
    environment = {k: v for k, v in os.environ.items() if k != "PYTHONPATH"} | {"QUICK": "1", "MPLBACKEND": "agg"}
    command = [sys.executable, "script.py"]
    done = subprocess.run(command, cwd=tmp_path, env=environment, capture_output=True, text=True, timeout=600)
    assert done.returncode == 0, done.stderr[-2000:]
    assert done.stdout.count("| measured ") > 20, "each claim is printed with what was measured"
    figures = {p.name for p in (tmp_path / "student_figures").iterdir()}
    assert figures == {p.name for p in (ROOT / "student_figures" / "expected").glob("numpy_vae_*.png")}


def test_what_a_submission_claims_reads_as_in_the_notebook(capsys, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("FIGURES_DIR", str(tmp_path / "ours"))

    def display(data, **options):
        print("displayed", sorted(data), data["text/plain"], options)

    monkeypatch.setattr("IPython.display.display", display)
    monkeypatch.setattr("helpers.notebook.display", display)
    cell = """
from matplotlib.figure import Figure
from helpers.notebook import claims, explore, show, solution
with claims("02_toy_vae") as claim:
    claim("a value", 3.14159265)
show(Figure(figsize=(2, 1)), "part_a_x", alt="Nothing.")
explore(lambda values: Figure(figsize=(1 + values[0], 1)), {"z": (0, 1, 2)}, "part_a_y", alt="Nothing.")
solution(show)
"""
    exec(cell, {})
    ours = capsys.readouterr().out
    run(join(cell))
    theirs = capsys.readouterr().out
    assert theirs.startswith("a value | measured 3.142\n")
    assert "a value | measured 3.142" in ours and ours.count("displayed") == 4 and theirs.count("displayed") == 2
    for name in ("part_a_x", "part_a_y"):
        assert all(f"'figure': '{name}'" in text for text in (ours, theirs))
        sizes = {(tmp_path / folder / f"{name}.png").read_bytes()[16:24] for folder in ("student_figures", "ours")}
        assert len(sizes) == 1, "width and height"


def test_what_comes_out_computes_what_the_helpers_compute():
    z_1, z_2 = torch.randn(2, 6)
    mu, logvar = torch.randn(2, 5, 3)
    space = run(join(
        "from helpers.core import latent\nfrom helpers.core.gaussian import kl_standard_normal as kl, kl_per_latent",
        "def both(a, b, mu, logvar):\n    return latent.slerp(a, b, 4), kl(mu, logvar), kl_per_latent(mu, logvar)",
    ))  # fmt: skip
    path, kl, each = space["both"](z_1, z_2, mu, logvar)
    assert torch.equal(path, latent.slerp(z_1, z_2, 4))
    assert torch.equal(kl, gaussian.kl_standard_normal(mu, logvar)) and torch.equal(each.sum(-1), kl)


def test_names_that_clash_are_told_apart():
    """latent.interpolate and mnist_beta_vae.interpolate; a variable called like a helper that another helper needs."""
    joined = join(
        "from helpers.mnist_beta_vae import interpolate, interpolation, Autoencoder",
        "grid = tile = kl_per_latent = 'mine'\ninterpolate",
        "from helpers.core.latent import grid as corners\nfrom helpers.mnist_beta_vae import plot_reconstructed",
        "plot_reconstructed, corners, interpolation, Autoencoder",
    )
    code = code_of(joined)
    assert "def latent_interpolate(" in code and "def interpolate(" in code and "latent.tile" not in code
    space = run(joined)
    torch.manual_seed(0)
    model = space["Autoencoder"](2)
    x_1, x_2 = torch.rand(2, 1, 28, 28)
    torch.manual_seed(0)
    theirs = mnist_beta_vae.Autoencoder(2)
    assert torch.equal(
        space["interpolation"](model, x_1, x_2, 5, False), mnist_beta_vae.interpolation(theirs, x_1, x_2, 5, False)
    )
    assert torch.equal(space["corners"]((0, 1), (2, 3), 4), latent.grid((0, 1), (2, 3), 4))
    assert space["grid"] == "mine"


def test_private_helpers_of_the_same_name_do_not_meet():
    code = code_of(join("from helpers.core.training import evaluate\nfrom helpers.core.data import load_images",
                        "evaluate, load_images"))  # fmt: skip
    assert len(re.findall(r"^def \w*_?read\(", code, re.MULTILINE)) == 2
    assert len(re.findall(r"^def _read\(", code, re.MULTILINE)) == 1
    assert "allow_standin" not in code and "copy the four" in code


def test_the_students_own_implementation_takes_the_helpers_place():
    joined = join(
        "from helpers.core.gaussian import kl_standard_normal",
        "def kl_per_latent(mu, logvar):\n    return 0 * mu + 7",
        "value = kl_standard_normal",
    )
    assert joined.own == ["kl_per_latent"]
    assert code_of(joined).count("def kl_per_latent") == 1
    assert run(joined)["value"](torch.zeros(2, 3), torch.zeros(2, 3)).tolist() == [21, 21]


def test_an_own_function_named_like_the_assignments_is_not_taken_for_one_of_core():
    joined = join(
        "from helpers.mnist_beta_vae import interpolation, Autoencoder",
        "def interpolate(model, x_1, x_2, n=20, vae=False, title=None, plot_idx=0):\n    return 'mine'",
        "frames = interpolation(Autoencoder(2), *__import__('torch').rand(2, 1, 28, 28), 5, False)",
    )
    assert joined.own == ["interpolate"]
    assert run(joined)["frames"].shape == (5, 28, 28)


def test_an_own_class_replaces_ours_with_all_that_only_ours_needed():
    code = code_of(join("from helpers.toy_vae import VAE, fit_vae", "class VAE:\n    pass", "fit_vae, VAE"))
    assert code.count("class VAE") == 1 and "class MLP" not in code and "def fit(" in code


def test_magics_are_kept():
    joined = join("%matplotlib inline\nfrom helpers.core.settings import budget\n!echo hello", "n = budget(3)")
    assert joined.cells[0][0] == "%matplotlib inline\n!echo hello"


def test_blank_lines_before_an_import_do_not_shift_what_is_taken_out():
    joined = join("\n  \nx = 1\nfrom helpers.core.settings import budget\ny = 2", "budget")
    assert joined.cells[0][0] == "x = 1\ny = 2"


@pytest.mark.parametrize(
    ("cells", "message"),
    [
        (["from helpers.toy_vae import *"], r"code cell 1: 'from helpers.toy_vae import \*' does not say which names"),
        (["import helpers.toy_vae"], "does not say which names"),
        (["def f():\n    from helpers.toy_vae import VAE"], "move 'from helpers.toy_vae import VAE' out"),
        (["x = 1", "x = = 2"], r"mine, code cell 2: .*line 1\)"),
        (["from helpers.toy_vae import VEA\nVEA"], "helpers.toy_vae has no VEA"),
        (["from helpers.toy import VAE\nVAE"], "no module helpers.toy"),
        (["from helpers import plots\nprint(plots)"], "uses the module plots other than as plots.name"),
        (["from helpers.core.training import fit\nfit", "len = 3"], "gives len, which is Python's own"),
    ],
)
def test_what_cannot_be_told_is_refused_in_words(cells, message):
    with pytest.raises(ValueError, match=message):
        join(*cells)
