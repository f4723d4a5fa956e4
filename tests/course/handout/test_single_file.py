"""The single-file student version: open as handed out, solvable from its text, on Colab, in Jupyter, and handed in."""

import base64
import io
import json
import os
import re
import subprocess
import sys
import zipfile
from pathlib import Path

import nbformat
import pytest
from typer.testing import CliRunner

from course.__main__ import app
from course.assignments import ASSIGNMENTS
from course.handin import last_cell
from course.handout.kit import kit
from course.handout.notebooks import set_up
from course.handout.regions import START
from course.handout.sheet import cells_of, notebook_of, tasks_in
from course.notebooks.running import client_of, without_packages

ROOT = Path(__file__).resolve().parents[3]
URL = "https://github.com/course/vae-2026"
CHECKS = 23  # sentences of a1
BUDGETS = {  # assigned numbers, and smaller ones that still come out in the graders' bands
    "batch_size, lr, num_epochs = 512, 1e-2, 10": "batch_size, lr, num_epochs = 512, 1e-2, 4",
    "batch_size, lr, num_epochs = 500, 1e-4, 10": "batch_size, lr, num_epochs = 500, 2e-3, 2",
    "num_epochs = 15\n": "num_epochs = 8\n",
    "num_epochs = 2, 15\n": "num_epochs = 2, 8\n",
    "DataLoader(train_images, batch_size=512": "DataLoader(train_images, batch_size=100",
    "data[:, None] / 255, digits.targets": "data[:3000, None] / 255, digits.targets[:3000]",
}
COLAB = {
    "__init__.py": "",
    "files.py": "def download(path):\n    print('the browser downloads', path)\n",
    "_message.py": """import json, os
def blocking_request(name, request='', timeout_sec=None):
    assert name == 'get_ipynb'
    return {'ipynb': json.load(open(os.environ['SAVED']))}
""",
}


def released(key, **options):
    return nbformat.reads(notebook_of(ASSIGNMENTS[key], URL, **options), as_version=4)


def code(nb):
    return [cell for cell in nb.cells if cell.cell_type == "code"]


def put_in(nb, solution):
    """Replace the cells with a task in them by those of a solution, in order."""
    cells = [part.strip("\n") for part in re.split(r"^# %%.*$", solution, flags=re.MULTILINE)[1:]]
    still_open = [cell for cell in code(nb) if START in cell.source]
    for cell, source in zip(still_open, cells, strict=True):
        cell.source = source
    return nb


def with_small_budgets(nb):
    text = json.dumps("\n".join(cell.source for cell in code(nb)))
    assert sum(json.dumps(old)[1:-1] in text for old in BUDGETS) == len(BUDGETS) - 1, "the budgets are found"
    for cell in code(nb):
        for old, new in BUDGETS.items():
            cell.source = f"{cell.source}\n".replace(old, new).removesuffix("\n")
    return nb


def run(nb, folder, **environment):
    """Run a notebook in an empty folder, without our packages; save it before its last cell, as a student does."""
    path = folder / "a1.ipynb"
    (folder / "data").mkdir()
    (folder / "data" / "MNIST").symlink_to(ROOT / "data" / "MNIST")
    env = without_packages({**os.environ, "TQDM_DISABLE": "1", "SAVED": str(path)}, folder / "without")
    env["PYTHONPATH"] = os.pathsep.join([env["PYTHONPATH"], environment.pop("PYTHONPATH", "")]).rstrip(os.pathsep)
    env |= environment
    client = client_of(nb, folder)
    with client.setup_kernel(env=env):
        for i, cell in enumerate(nb.cells):
            if cell is nb.cells[-1]:
                nbformat.write(nb, path)
            if cell.cell_type == "code":
                client.execute_cell(cell, i)
    return nb


def printed(nb):
    texts = [output.get("text", "") for cell in code(nb) for output in cell.outputs]
    return "".join(texts)


def assert_right_and_handed_in(nb, folder, checks):
    text = printed(nb)
    assert not re.search("^[✗?…]", text, re.MULTILINE), text
    assert len(re.findall("^✓", text, re.MULTILINE)) == checks, text
    assert "Your file is called max_mustermann_a1.ipynb." in text
    assert "max_mustermann_a1.ipynb: ready to hand in" in text, text
    handed_in = folder / "max_mustermann_a1.ipynb"
    assert not [cell for cell in nbformat.read(handed_in, 4).cells if "hand_in(" in cell.source]
    validated = CliRunner().invoke(app, ["validate", str(handed_in)])
    assert validated.exit_code == 0, validated.stdout
    graded = CliRunner().invoke(app, ["grade", str(handed_in), "--workers", "1", "--out", str(folder / "grades")])
    assert graded.exit_code == 0, graded.exception
    rows = (folder / "grades" / "grades.csv").read_text(encoding="utf-8-sig")
    assert "FAIL" not in rows, rows
    return rows


# ---------------------------------------------------------------- what is handed out


@pytest.fixture(scope="module", params=ASSIGNMENTS)
def key(request):
    return request.param


def packed_in(nb):
    """The files of a notebook's kit."""
    packed = re.search(r'b64decode\("([^"]+)', code(nb)[0].source)[1]
    with zipfile.ZipFile(io.BytesIO(base64.b64decode(packed))) as archive:
        return {name: archive.read(name).decode() for name in archive.namelist()}


LOOP = {  # what stands in every training loop, given ones and those of the checks' oracles included
    "optimizer.zero_grad()", "loss.backward()", "optimizer.step()", "with torch.no_grad():", "elbo = -(nll + kl)",
    "losses.append(loss.item())", "model = VAE().to(device)", "for step in range(1, n_steps + 1):", "losses = []",
    "plt.title(title)", "x = x.to(device)",
    "optimizer = torch.optim.Adam(model.parameters(), lr=lr)",
    "loss = compute_vae_loss(model, generate_swiss_roll(batch_size).to(device), beta)",
}  # fmt: skip


def telling(lines):
    return {line.strip() for line in lines if len(re.findall(r"\w", line)) >= 8 and "HERE ###" not in line}


def test_it_is_a_notebook_with_tasks_checks_and_folded_given_cells(key):
    nb = released(key)
    nbformat.validate(nb)
    assert nb.cells[-1].source == 'hand_in("Max", "Mustermann")'
    assert "https://colab.research.google.com/github/course/vae-2026/blob/main/" in nb.cells[0].source
    still_open = [cell for cell in code(nb) if START in cell.source]
    assert still_open and all("raise NotImplementedError(" in cell.source for cell in still_open)
    given = [cell for cell in code(nb) if cell.source.startswith("# @title Given: ")]
    assert given and all(cell.metadata.cellView == "form" and cell.metadata.jupyter.source_hidden for cell in given)
    for cell in given[1:]:  # the first is the kit
        assert cell.source.count("\n") < 60, "what is given is short"
    text = "\n".join(cell.source for cell in nb.cells)
    for task in ASSIGNMENTS[key].tasks:
        assert re.search(rf"^## (?:Task|Exercise) {task.name}\b", text, re.MULTILINE) or key == "a5", task.name


def test_each_piece_that_is_open_has_its_check_below(key):
    asked = {name for task in ASSIGNMENTS[key].tasks for name in task.checks}
    assert not asked or sum("check(" in cell.source for cell in code(released(key))) >= 3


def test_nothing_of_the_solution_leaks_into_it(key):
    open_, solved = released(key), released(key, solved=True)
    solution = set()
    for before, after in zip(code(solved), code(open_), strict=True):
        solution |= telling(before.source.split("\n")) - telling(after.source.split("\n"))
    solution -= LOOP
    assert len(solution) > 5
    text = "\n".join([*(cell.source for cell in open_.cells[2:]), *packed_in(open_).values()])
    assert [line for line in solution if line in text] == []
    assert not any(cell.get("outputs") or cell.get("execution_count") for cell in open_.cells)
    assert "github.com/vae-solutions" not in text


def test_the_leak_test_sees_a_leak(monkeypatch):
    leak = released("a1")
    leak.cells[-2].source += "\nnll + beta * kl is the loss: loss = nll + beta * kl"
    monkeypatch.setitem(globals(), "released", lambda key, solved=False: notebook(key, solved) if solved else leak)
    with pytest.raises(AssertionError):
        test_nothing_of_the_solution_leaks_into_it("a1")


def notebook(key, solved):
    return nbformat.reads(notebook_of(ASSIGNMENTS[key], URL, solved=solved), as_version=4)


def test_the_kit_holds_no_table_of_the_graders_and_is_the_same_each_time(key):
    files = packed_in(released(key))
    assert kit(ASSIGNMENTS[key]) == kit(ASSIGNMENTS[key])
    assert f"{key}_kit/helpers/checks/{key}.py" in files
    table = files[f"{key}_kit/course/assignments/{key}.py"]
    assert not [task.requires for task in ASSIGNMENTS[key].tasks if task.requires in table]
    assert not [name for name in files if "grading" in name or "handout" in name]
    others = {name for name in files if re.search(r"/a\d+(_\w+)?\.py$", name)}
    assert all(f"/{key}" in name.replace(f"{key}_kit", "") for name in others)


def test_the_kit_needs_neither_torch_nor_our_packages_to_look_at_a_file(tmp_path):
    (tmp_path / "a2_kit.zip").write_bytes(kit(ASSIGNMENTS["a2"]))
    script = (
        "import sys; sys.path.insert(0, 'a2_kit.zip'); from a2_kit import check, hand_in;"
        "hand_in('Jürgen', 'Groß', file='a2.ipynb');"
        "assert not {'torch', 'course', 'helpers'} & set(sys.modules)"
    )
    nbformat.write(released("a2"), tmp_path / "a2.ipynb")
    env = without_packages(dict(os.environ), tmp_path / "without")
    done = subprocess.run([sys.executable, "-c", script], cwd=tmp_path, capture_output=True, text=True, env=env)
    assert done.returncode == 0, done.stderr
    assert "Your file is called juergen_gross_a2.ipynb." in done.stdout and "No cell has been run" in done.stdout
    assert (tmp_path / "juergen_gross_a2.ipynb").is_file()


def test_a_sheet_is_cut_into_prose_open_code_and_given_code():
    text = "# T\n\n```python given: the data\nx = 1\n```\n\nProse.\n\n```python\ny = 2\n```\n"
    assert [tuple(cell) for cell in cells_of(text)] == [
        ("markdown", "# T", None), ("code", "x = 1", "the data"), ("markdown", "Prose.", None), ("code", "y = 2", None),
    ]  # fmt: skip


def test_the_folder_says_of_a_task_what_the_single_file_says_and_where_it_is_to_be_solved():
    text, checks = tasks_in(ASSIGNMENTS["a1"], "## 2. Task A1: the model")
    assert checks.endswith('check("a1.A1")')
    assert "### Task A1: the VAE" in text and "`toy_vae.VAE.forward`" in text and "Task B1" not in text
    assert "In the notebook, `train_beta_vae" in tasks_in(ASSIGNMENTS["a1"], "## Task B2: four models").text
    assert "train_beta_vae" not in notebook_of(ASSIGNMENTS["a1"], URL)


def test_an_assignment_without_a_sheet_is_told_so(monkeypatch, tmp_path):
    monkeypatch.setattr("course.handout.sheet.SHEETS", tmp_path)
    done = CliRunner().invoke(app, ["release", str(tmp_path / "out"), "--single-file", "--assignment", "a4"])
    assert done.exit_code == 1 and "assignment a4 has no sheet" in str(done.exception)
    assert not (tmp_path / "out").exists()


# ---------------------------------------------------------------- the last cell


SAVED = {"cells": [{"cell_type": "code", "source": ["x = 1\n"]}, {"cell_type": "code", "source": 'hand_in("M", "M")'}]}


def test_the_cell_that_hands_in_is_not_handed_in():
    assert json.loads(last_cell.without_call(json.dumps(SAVED).encode())) == {"cells": SAVED["cells"][:1]}
    with pytest.raises(ValueError, match="save it again"):
        last_cell.without_call(b"{")


def test_where_the_notebook_is_not_found_it_is_said_how(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("JPY_SESSION_NAME", str(tmp_path / "gone.ipynb"))
    last_cell.hand_in("Max", "Mustermann", assignment="a1")
    text = capsys.readouterr().out
    assert "Your file is called max_mustermann_a1.ipynb." in text and 'file="a1.ipynb"' in text
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(("first", "file", "message"), [("", None, "name"), ("Max", "none.ipynb", "none.ipynb")])
def test_a_slip_in_the_last_cell_is_one_sentence(tmp_path, monkeypatch, capsys, first, file, message):
    monkeypatch.chdir(tmp_path)
    last_cell.hand_in(first, "Mustermann", file, assignment="a1")
    text = capsys.readouterr().out
    assert text.startswith("Nothing was written: ") and message in text and "Traceback" not in text


def test_a_notebook_of_the_right_name_is_left_as_it_is(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    path = tmp_path / "max_mustermann_a1.ipynb"
    path.write_text(json.dumps(SAVED))
    monkeypatch.setenv("JPY_SESSION_NAME", path.name)
    last_cell.hand_in("Max", "Mustermann", assignment="a1")
    assert "has the right name already" in capsys.readouterr().out and json.loads(path.read_text()) == SAVED


# ---------------------------------------------------------------- the folder on Colab

FAILING = """
import sys, types
from IPython.core.interactiveshell import InteractiveShell
sys.modules["google"] = types.ModuleType("google"); sys.modules["google.colab"] = types.ModuleType("google.colab")
shell = InteractiveShell.instance()
shell.run_cell(open("cell.py").read())
"""


def test_where_the_helpers_cannot_be_fetched_one_sentence_says_what_to_do(tmp_path):
    (tmp_path / "cell.py").write_text(set_up("https://github.com/course/none"))
    env = {
        **os.environ, "GIT_CONFIG_COUNT": "1", "GIT_CONFIG_KEY_0": f"url.{tmp_path}/nowhere.insteadOf",
        "GIT_CONFIG_VALUE_0": "https://github.com/course/none", "IPYTHONDIR": str(tmp_path),
    }  # fmt: skip
    done = subprocess.run([sys.executable, "-c", FAILING], cwd=tmp_path, capture_output=True, text=True, env=env)
    text = done.stdout + done.stderr
    assert "could not be fetched from https://github.com/course/none: upload the single-file notebook" in text, text
    assert "Traceback" not in text and text.strip().count("\n") == 0, text


# ---------------------------------------------------------------- whole runs


@pytest.mark.slow
def test_on_colab_the_single_file_runs_with_its_solution_and_is_handed_in(tmp_path):
    fake, folder = tmp_path / "fake", tmp_path / "empty"
    folder.mkdir()
    for name, text in COLAB.items():
        (fake / "google" / "colab" / name).parent.mkdir(parents=True, exist_ok=True)
        (fake / "google" / "colab" / name).write_text(text)
    nb = run(with_small_budgets(released("a1", solved=True)), folder, PYTHONPATH=str(fake))
    assert "the browser downloads max_mustermann_a1.ipynb" in printed(nb)
    assert_right_and_handed_in(nb, folder, checks=CHECKS)


@pytest.mark.slow
def test_in_jupyter_another_solution_from_the_text_alone_is_right_too(tmp_path):
    nb = put_in(released("a1"), (Path(__file__).parent / "solutions" / "a1.py").read_text())
    nb = run(with_small_budgets(nb), tmp_path, JPY_SESSION_NAME=str(tmp_path / "a1.ipynb"))
    assert "Looking at a1.ipynb as it was saved at " in printed(nb)
    assert_right_and_handed_in(nb, tmp_path, checks=CHECKS)
