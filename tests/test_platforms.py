"""Machines that are not here, simulated: modules hidden, functions absent, encodings of old, a device without float64.

Everything but ``grade --rerun`` works there, or says in one sentence what does not.
"""

import ast
import io
import json
import os
import subprocess
import sys
import zipfile
from pathlib import Path

import nbformat
import numpy as np
import pytest
import torch
from nbformat.v4 import new_code_cell, new_notebook
from torch.overrides import TorchFunctionMode
from torch.utils._device import _device_constructors

from course.__main__ import print_what_can_be
from helpers.checks import all_checks, run
from helpers.checks.student import Student
from helpers.core import files, kept, speed
from helpers.toy_vae import VAE, load_toy

ROOT = Path(__file__).resolve().parents[1]
# what Windows lacks, taken away before anything of ours is imported; multiprocessing there spawns, as it does on macOS
WINDOWS = """
import importlib.abc, json, multiprocessing, os, sys, traceback
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

def name_it(event, arguments):  # Windows has no such names, and no name may end in a dot or a space
    if event in ("open", "os.mkdir", "os.rename", "os.link"):
        for path in arguments[:2]:
            parts = os.fspath(path).split("/") if isinstance(path, (str, os.PathLike)) else []
            bad = [p for p in parts if set(p) & set('<>:"|?*') or (p.strip(".") and p[-1] in ". ")]
            if bad and not os.fspath(path).startswith(("/proc", "/sys", sys.prefix, sys.base_prefix)):
                raise OSError(123, f"The filename, directory name, or volume label syntax is incorrect: {path!r}")
sys.addaudithook(name_it)
multiprocessing.set_start_method("spawn")
from course.__main__ import app
if __name__ == "__main__":
    for arguments in json.loads(sys.argv[1]):
        print("BEGINS", *arguments, flush=True)
        try:
            app(arguments)
        except SystemExit:
            pass
        except BaseException:
            traceback.print_exc()
"""

ASCII = {"LC_ALL": "C", "LANG": "C", "PYTHONUTF8": "0", "PYTHONCOERCECLOCALE": "0"}


def put(folder: Path, name: str = "max_mustermann_a2.ipynb") -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    cell = new_code_cell("print(1)", execution_count=1, outputs=[])
    nbformat.write(new_notebook(cells=[cell]), folder / name)
    return folder / name


def call(script: str, *arguments: object, cwd: Path, stderr: int = subprocess.PIPE, **environment: str):
    (cwd / "as_there.py").write_text(script, encoding="utf-8")
    variables = {**os.environ, "PYTHONPATH": str(ROOT), **environment}
    command = [sys.executable, "as_there.py", *map(str, arguments)]
    return subprocess.run(command, cwd=cwd, env=variables, stdout=subprocess.PIPE, stderr=stderr, timeout=300)


VERBS = {
    "run --list": "01_numpy_vae",
    "data": "MNIST",
    "submit --first Max --last Mustermann --assignment a1 --dry-run": "max_mustermann_a1",
    "submit --first Max --last Mustermann --assignment a2 --no-run --out mine": "written",
    "validate max_mustermann_a2.ipynb": "to mend",
    "release student --assignment a2": "student",
    "collect inbox": "max_mustermann_a2",
    "grade inbox --workers 2 --out grades": "3 submissions",  # processes are spawned
}


@pytest.fixture(scope="module")
def said_on_windows(tmp_path_factory) -> dict[str, str]:
    """What each verb prints, one after the other in one process."""
    folder = tmp_path_factory.mktemp("windows")
    file = put(folder / "inbox")
    put(folder)
    for name in ("erika_musterfrau_a2.ipynb", "a: what?. /Zoë <Z>: a2*.ipynb"):  # a zip made elsewhere has any names
        with zipfile.ZipFile(folder / "inbox" / f"{len(name)}.zip", "w") as archive:
            archive.write(file, name)
    ran = call(WINDOWS, json.dumps([verb.split() for verb in VERBS]), cwd=folder, stderr=subprocess.STDOUT)
    parts = ran.stdout.decode(errors="replace").split("BEGINS ")[1:]
    return dict(part.split("\n", 1) for part in parts)


@pytest.mark.parametrize("verb", VERBS)
def test_on_windows_every_verb_but_the_rerun_works(said_on_windows, verb):
    said = said_on_windows[verb]
    assert VERBS[verb] in said and "Traceback" not in said, said


def running() -> str:
    """Return a script that runs the notebooks of the folder that it is started in, and prints 0 where all went well."""
    return (
        "from pathlib import Path\nfrom course import paths\nfrom course.regression import run\n"
        "paths.NOTEBOOKS, paths.EXECUTED = Path.cwd(), Path.cwd() / 'out'\n"
        "if __name__ == '__main__':\n"
        "    print(run.run_and_print([], inplace=False, quick=False, jobs=None))\n"
    )


@pytest.mark.slow
def test_on_windows_a_notebook_runs(tmp_path):
    put(tmp_path, "01_a.ipynb")
    ran = call(WINDOWS.partition("from course")[0] + running(), cwd=tmp_path)
    assert ran.stdout.decode(errors="replace").strip().endswith("0"), ran
    assert (tmp_path / "out" / "01_a.ipynb").is_file()


@pytest.mark.slow
def test_a_notebook_runs_in_a_folder_with_umlauts_with_an_ascii_locale_and_a_home_that_cannot_be_written_to(tmp_path):
    folder = tmp_path / "Übung 1 (Kopie)"
    put(folder, "01_a.ipynb")
    (tmp_path / "file").write_text("")  # no folder can be made in a file, whoever asks
    ran = call(running(), cwd=folder, HOME=str(tmp_path / "file" / "home"), **ASCII)
    assert ran.stdout.decode(errors="replace").strip().endswith("0"), ran
    assert (folder / "out" / "01_a.ipynb").is_file()


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
    ran = call(script, "grade", "Abgaben", "--workers", "1", "--out", "Noten ä", cwd=folder, **ASCII)
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


class OnMps(TorchFunctionMode):
    """Take what is made inside, and all that is computed from it, for tensors on MPS, until they are brought back.

    MPS has no float64, gives NumPy no tensor of its own, and takes no random numbers from a generator of the CPU.
    """

    def __torch_function__(self, function, types, arguments=(), options=None):
        options = options or {}
        made = function in _device_constructors() and options.get("device") is None
        parts = [part for a in arguments for part in (a if isinstance(a, list | tuple) else [a])]
        there = made or any(isinstance(p, torch.Tensor) and getattr(p, "on_mps", False) is True for p in parts)
        name = getattr(function, "__name__", "")
        if there and options.get("generator") is not None:
            raise RuntimeError("Expected a 'mps' device type for generator but found 'cpu'")
        if there and name in ("numpy", "__array__"):
            raise TypeError("can't convert mps:0 device type tensor to numpy")
        result = function(*arguments, **options)
        if there and name == "cpu":
            return result.view_as(result)  # another tensor, which is not marked
        for tensor in result if isinstance(result, list | tuple) else [result]:
            if there and isinstance(tensor, torch.Tensor) and name != "__get__":
                if tensor.dtype == torch.float64:
                    raise TypeError("Cannot convert a MPS Tensor to float64 dtype")
                tensor.on_mps = True  # pyright: ignore[reportAttributeAccessIssue]
        return result


@pytest.mark.parametrize(
    ("mistake", "says"),
    [
        (lambda: torch.zeros(2).double(), "float64"),
        (lambda: (torch.zeros(2) + 1).numpy(), "to numpy"),
        (lambda: torch.tensor(np.zeros(2)), "float64"),
        (lambda: torch.randn(2, generator=torch.Generator()), "generator"),
    ],
)
def test_the_simulated_device_refuses_what_a_real_one_refuses(mistake, says):
    with OnMps():
        with pytest.raises((TypeError, RuntimeError), match=says):
            mistake()
        assert torch.zeros(2).cpu().double().numpy().sum() == 0


def test_the_gap_of_the_toy_notebook_is_computed_off_the_device():
    data = load_toy(1)
    with OnMps():
        assert data.gap(torch.zeros(len(data.test))) < 0


@pytest.mark.parametrize("assignment", ["a1", "a2", "a3", "a4", "a5"])
def test_every_check_that_needs_nothing_works_where_a_notebook_computes_on_such_a_device(monkeypatch, assignment):
    monkeypatch.setattr(Student, "on_device", lambda self: OnMps())
    ready = [one for one in all_checks(assignment) if not one.needs]
    results = [result for one in ready for result in run(one.key)]
    assert len(results) >= 5 and [str(r) for r in results if r.state != "right"] == []


def test_float64_is_made_of_what_is_on_the_cpu():
    """By reading: whatever becomes float64 was brought to the CPU before, or has never been elsewhere."""
    never_elsewhere = {"latent.grid((-1, 1), (-1, 1), 50)", "torch.pdist(p[:1000]).argsort().argsort()"}
    sources = [path.read_text(encoding="utf-8") for path in (ROOT / "helpers").rglob("*.py")]
    for path in (ROOT / "notebooks").glob("*.ipynb"):
        cells = nbformat.read(path, as_version=4).cells
        sources += [cell.source for cell in cells if cell.cell_type == "code" and "%" not in cell.source[:1]]
    calls = [node for source in sources for node in ast.walk(ast.parse(source)) if isinstance(node, ast.Call)]
    methods = [call.func for call in calls if isinstance(call.func, ast.Attribute) and call.func.attr == "double"]
    made_of = {ast.unparse(method.value) for method in methods}
    assert len(made_of) > 5
    assert {text for text in made_of if not text.endswith(".cpu()")} == never_elsewhere


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
