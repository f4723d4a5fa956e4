"""Machines that are not here, simulated: modules hidden, functions absent, encodings of old, a device without float64.

Everything but ``grade --rerun`` works there, or says in one sentence what does not.
"""

import io
import os
import subprocess
import sys
from pathlib import Path

import nbformat
import pytest
import torch
from nbformat.v4 import new_code_cell, new_notebook
from torch.overrides import TorchFunctionMode

from course.__main__ import print_what_can_be
from helpers.core import files, kept, speed
from helpers.toy_vae import VAE, load_toy

ROOT = Path(__file__).resolve().parents[1]
# what Windows lacks, taken away before anything of ours is imported; multiprocessing there spawns, as it does on macOS
WINDOWS = """
import importlib.abc, multiprocessing, os, sys
import joblib, libcst, nbclient, platformdirs, psutil  # libraries look at sys.platform, and take what is there

class Hidden(importlib.abc.MetaPathFinder):
    def find_spec(self, name, path=None, target=None):
        if name in {"resource", "fcntl", "pwd", "grp"}:
            raise ModuleNotFoundError(f"No module named {name!r}", name=name)

for name in ("resource", "fcntl", "pwd", "grp"):
    sys.modules.pop(name, None)
sys.meta_path.insert(0, Hidden())
for name in ("geteuid", "getuid", "fork", "sched_getaffinity", "setsid", "mkfifo"):
    if hasattr(os, name):
        delattr(os, name)

def refuse(*_, **__):
    raise OSError(1314, "A required privilege is not held by the client")
os.symlink = refuse
multiprocessing.set_start_method("spawn")
from course.__main__ import app
if __name__ == "__main__":
    app(sys.argv[1:])
"""


def put(folder: Path, name: str = "max_mustermann_a2.ipynb") -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    cell = new_code_cell("print(1)", execution_count=1, outputs=[])
    nbformat.write(new_notebook(cells=[cell]), folder / name)
    return folder / name


def call(script: str, *arguments: object, cwd: Path, **environment: str) -> subprocess.CompletedProcess:
    (cwd / "as_there.py").write_text(script, encoding="utf-8")
    variables = {**os.environ, "PYTHONPATH": str(ROOT), **environment}
    command = [sys.executable, "as_there.py", *map(str, arguments)]
    return subprocess.run(command, cwd=cwd, env=variables, capture_output=True, timeout=300)


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (["run", "--list"], "01_numpy_vae"),
        (["data"], "MNIST"),
        (["submit", "--first", "Max", "--last", "Mustermann", "--assignment", "a1", "--dry-run"], "max_mustermann_a1"),
        (["submit", "--first", "Max", "--last", "Mustermann", "--assignment", "a2", "--no-run"], "written"),
        (["validate", "max_mustermann_a2.ipynb"], "to mend"),
        (["release", "student", "--assignment", "a2"], "student"),
        (["grade", "inbox", "--workers", "1", "--out", "grades"], "1 submissions"),
    ],
    ids=lambda value: " ".join(value[:1] + value[-1:]) if isinstance(value, list) else None,
)
def test_on_windows_every_verb_but_the_rerun_works(tmp_path, arguments, says):
    put(tmp_path / "inbox")
    if arguments[0] == "validate":
        put(tmp_path)
    ran = call(WINDOWS, *arguments, cwd=tmp_path)
    said = (ran.stdout + ran.stderr).decode(errors="replace")
    assert says in said and "Traceback" not in said, said


def test_on_windows_a_notebook_runs(tmp_path):
    script = WINDOWS.partition("from course")[0] + (
        "from pathlib import Path\nfrom rich.console import Console\nfrom course import paths\n"
        "from course.regression import run\n"
        f"paths.NOTEBOOKS, paths.EXECUTED = Path({str(tmp_path)!r}), Path({str(tmp_path / 'out')!r})\n"
        "if __name__ == '__main__':\n"
        "    print(run.run_and_print([], inplace=False, quick=False, jobs=None))\n"
    )
    put(tmp_path, "01_a.ipynb")
    ran = call(script, cwd=tmp_path)
    assert ran.stdout.decode(errors="replace").strip().endswith("0"), ran
    assert (tmp_path / "out" / "01_a.ipynb").is_file()


@pytest.mark.parametrize("encoding", ["cp1252", "ascii"])
def test_what_an_encoding_lacks_is_a_question_mark_and_no_error(tmp_path, encoding):
    stream = io.TextIOWrapper(io.BytesIO(), encoding=encoding)
    with pytest.raises(UnicodeEncodeError):
        stream.write("✓ β")
    print_what_can_be(stream, object())
    stream.write("✓ β = 1")
    put(tmp_path)
    script = "import sys\nfrom course.__main__ import app\napp(sys.argv[1:])\n"
    ran = call(script, "--help", cwd=tmp_path, PYTHONIOENCODING=encoding, COLUMNS="100")
    assert ran.returncode == 0 and "UnicodeEncodeError" not in ran.stderr.decode(errors="replace")
    script = script.replace("app(sys", "print_what_can_be(sys.stdout)\nprint('✓ β')\napp(sys")
    script = script.replace("import app", "import app, print_what_can_be")
    ran = call(script, "validate", "max_mustermann_a2.ipynb", cwd=tmp_path, PYTHONIOENCODING=encoding)
    assert b"? ?" in ran.stdout and b"to mend" in ran.stdout


def test_folders_with_spaces_umlauts_and_an_ascii_locale(tmp_path):
    folder = tmp_path / "Übung 1 (Kopie)"
    put(folder / "Abgaben", "max_mustermann_a2.ipynb")
    script = "import sys\nfrom course.__main__ import app\nif __name__ == '__main__':\n    app(sys.argv[1:])\n"
    there = {"LC_ALL": "C", "LANG": "C", "PYTHONUTF8": "0", "PYTHONCOERCECLOCALE": "0"}
    ran = call(script, "grade", "Abgaben", "--workers", "1", "--out", "Noten ä", cwd=folder, **there)
    assert (folder / "Noten ä" / "grades.csv").is_file(), ran


def test_a_home_that_cannot_be_written_to_is_no_obstacle(tmp_path):
    put(tmp_path)
    script = "import sys\nfrom course.__main__ import app\napp(sys.argv[1:])\n"
    nowhere = tmp_path / "file"
    nowhere.write_text("")
    ran = call(script, "validate", "max_mustermann_a2.ipynb", cwd=tmp_path, HOME=str(nowhere / "home"))
    assert b"to mend" in ran.stdout, ran


def test_the_reason_of_a_failed_write_is_not_hidden_by_the_cleaning_up(tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(OSError, match="could not be written"):
        files.write_whole(tmp_path / "file" / "figure.png", b"x")


# ---------------------------------------------------------------- a device without float64


class WithoutFloat64(TorchFunctionMode):
    """Refuse float64 as MPS does: on the device; a tensor that was brought to the CPU may be anything."""

    def __torch_function__(self, function, types, arguments=(), options=None):
        options = options or {}
        moved = any(isinstance(a, torch.Tensor) and getattr(a, "was_moved", False) for a in arguments)
        name = getattr(function, "__name__", "")
        if (name == "double" or torch.float64 in (*arguments, options.get("dtype"))) and not moved:
            raise TypeError("Cannot convert a MPS Tensor to float64 dtype")
        result = function(*arguments, **options)
        if name == "cpu" and isinstance(result, torch.Tensor):
            result = result.detach().clone()
            result.was_moved = True
        return result


def test_the_gap_of_the_toy_notebook_is_computed_off_the_device():
    data = load_toy(1)
    nll = torch.zeros(len(data.test))
    with WithoutFloat64():
        with pytest.raises(TypeError, match="MPS"):
            nll.double()
        assert data.gap(nll) < 0


def test_bfloat16_is_not_asked_of_a_device_that_may_lack_it():
    assert speed.training_dtype(torch.device("mps")) == torch.float32


def test_the_random_state_of_an_mps_device_is_kept(monkeypatch, tmp_path):
    states = [torch.tensor([1], dtype=torch.uint8), torch.tensor([2], dtype=torch.uint8)]
    monkeypatch.setattr(torch.backends.mps, "is_available", lambda: True)
    monkeypatch.setattr(torch.mps, "get_rng_state", lambda: states[0])
    put_back = []
    monkeypatch.setattr(torch.mps, "set_rng_state", put_back.append)
    model = VAE(2, 1, [], [])
    path = tmp_path / "kept.safetensors"
    kept.save_training(path, "key", model, kept.History(1), "toy")
    states[0] = states[1]
    assert kept.load_training(path, "key", model) is not None
    assert [state.tolist() for state in put_back] == [[1]]


@pytest.mark.parametrize("module", ["swiss_roll", "fashion_latent_space"])
def test_adam_is_fused_nowhere_but_where_torch_2_4_can(module):
    source = (ROOT / "helpers" / f"{module}.py").read_text(encoding="utf-8")
    assert "fused=" in source and "fused=True" not in source
