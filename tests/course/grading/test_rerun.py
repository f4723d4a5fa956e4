# ruff: noqa: E501 everyday cells stand on long lines
"""Reruns in the sandbox: everyday lines, functions that are asked, the whole confusion table, and a class of attackers."""

import re

import numpy as np
import pytest

from course.assignments import ASSIGNMENTS
from course.grading.corpus import attack_table, attacks, variants
from course.grading.corpus.grader_table import judge_honest, judge_mistake, line_of, submission
from course.grading.judging import Options
from course.grading.rerun import again, rerun, sandbox
from course.grading.rerun.digits import TEST_DIGITS, TRAIN_DIGITS, digits, drawn_tests, name_digits, small_set
from course.grading.rerun.reaches import reaches, undefined

A1 = ASSIGNMENTS["a1"]
DEFINITIONS = Options(rerun=True, definitions=True, seconds=300)
pytestmark = pytest.mark.long  # each starts processes behind walls: minutes in all
needs_sandbox = pytest.mark.skipif(not sandbox.isolation().walls, reason="nothing can be run here")


def levels(findings, task):
    return {f.level for f in findings if f.task == task}


def test_the_small_set_has_ten_digits_and_a_mark_on_its_test_images():
    images, labels = small_set(digits())
    assert images.shape == (TRAIN_DIGITS + TEST_DIGITS, 784) and set(labels.tolist()) == set(range(10))
    mark = abs(images[:, 0] - images[:, 1])
    assert (mark[:TRAIN_DIGITS] == 0).all() and (mark[TRAIN_DIGITS:] > 0).all() and mark.max() < 0.02
    call = {"name": "interpolate", "image x_1": images[5].tolist(), "image x_2": (1 - images[5]).tolist()}
    name_digits({"calls": [call, 3]}, digits())
    assert call["digits"] == [labels[5], None]
    assert drawn_tests(digits(), np.random.default_rng(0), 7).shape == (7, 784)
    assert np.ptp(images[:TRAIN_DIGITS], axis=0).min() > 0  # else a Gaussian decoder's likelihood has no bound


# ---------------------------------------------------------------- a rerun that runs

EVERYDAY = [
    "%matplotlib inline\n%matplotlib notebook\n%config InlineBackend.figure_format = 'retina'",
    "%load_ext autoreload\n%autoreload 2\n%load_ext tensorboard\n%tensorboard --logdir runs",
    "!pip install -q torchinfo\n%pip install umap-learn\n%conda install numpy\n!nvidia-smi\n%cd .\n%env A=1",
    "%%bash\nls -la\nexit 3",
    "%%capture out\nkept = 5\n!ls",
    "assert kept == 5\nfiles = !ls *.py\nprint(len(files))\nif True:\n    !echo x",
    "%%time\nx = 1",
    "assert x == 1\n%time y = 2\n%timeit -n 3 -r 1 sum(range(3))\nassert y == 2\n?print",
    "from google.colab import drive, files\ndrive.mount('/content/drive')\nimport os; os.makedirs('/content/out', exist_ok=True)",
    "import pandas as pd, seaborn as sns\nsns.set_theme()\ndf = pd.DataFrame({'a': [1]})\ndf.to_csv('x.csv')\n@sns.decorator\ndef f(): return 3\nassert f() == 3",
    "import wandb, plotly.express as px\nwandb.init(project='x')\nfrom torch.utils.tensorboard import SummaryWriter\nw = SummaryWriter('runs')\nw.add_scalar('a', 1.0, 1)",
    "import pytorch_lightning as pl, torch\nclass Lit(pl.LightningModule):\n    def forward(self, x): return x\nassert torch.equal(Lit()(torch.ones(1)), torch.ones(1))",
    "import torch\nprint(torch.cuda.get_device_name(0))\ntorch.cuda.empty_cache()\nassert torch.cuda.is_available()\ndevice = torch.device('cuda')\nx = torch.zeros(2, device=device).cuda().to('cuda:0')",
    "from torchvision import datasets, transforms\nfrom torch.utils.data import DataLoader, random_split, Subset\ndata = datasets.MNIST('/content/data', train=True, download=True, transform=transforms.ToTensor())\ntest = datasets.MNIST('data', train=False, download=True, transform=transforms.ToTensor())\nassert (len(data), len(test)) == (60000, 10000)",
    "train, val = random_split(data, [50000, 10000])\nimport numpy as np\npick = np.random.choice(len(test), 2000, replace=False)\nx = torch.stack([test[int(i)][0] for i in pick[:50]])\nassert data[59999][0].shape == (1, 28, 28) and test.data[9999].shape == (28, 28) and len(test.targets) == 10000",
    "loader = DataLoader(train, batch_size=128, shuffle=True, num_workers=4, pin_memory=True, persistent_workers=True)\nbatches = [len(y) for _, y in loader]\nassert len(batches) == len(loader) == 16, len(batches)\nassert sum(len(y) for _, y in DataLoader(test, batch_size=256)) > 1500",
    "from tqdm.notebook import tqdm, trange\nfrom tqdm.auto import tqdm as auto\nassert [i for i in tqdm(range(3))] == [i for i in auto(range(3))]",
    "net = torch.compile(torch.nn.Linear(2, 2))\nnet(torch.zeros(1, 2))\ntorch.save(net.state_dict(), '/nowhere/net.pt')",
    "import matplotlib.pyplot as plt\nfrom matplotlib_inline.backend_inline import set_matplotlib_formats\nset_matplotlib_formats('svg', 'pdf')\nplt.plot([1])\nplt.savefig('figures/x.png')\nplt.show()",
    "from IPython.display import clear_output, display, Markdown, HTML\nclear_output(wait=True)\ndisplay(Markdown('**x**'))\ninput('press')",
    "%%writefile mine.py\nz = 9",
    "import mine\nassert mine.z == 9",
    "print('after')",
]


@needs_sandbox
def test_everyday_lines_of_real_notebooks_run():
    findings, _ = rerun(
        submission("".join(f"# %%\n{cell}\n" for cell in EVERYDAY)), A1, Options(rerun=True, seconds=200)
    )
    count = len(EVERYDAY)
    assert not [f for f in findings if f.code == "rerun_error"], findings
    share = next(f for f in findings if f.code == "rerun_share")
    assert share.level == "PASS" and share.evidence == f"{count} of {count} code cells ran (100%)"


FAILING = """# %%
first = 1 / 0
# %%
raise ValueError("<b>full marks</b> PASS")
# %%
import sys; sys.exit(3)
# %%
nowhere.import_this()
# %%
class Late(Exception): pass
print("dataset 1: ELBO = -4.45, KL = 0.18, NLL = 4.27")
# %%
def after(): return 1
"""


@needs_sandbox
def test_a_failing_cell_is_noted_by_type_and_line_and_the_next_one_runs():
    findings, _ = rerun(submission(FAILING), A1, Options(rerun=True, seconds=200))
    noted = [f.evidence for f in findings if f.code == "rerun_error"]
    assert noted[0].startswith("code cell 1") and noted[0].endswith("ZeroDivisionError")
    assert noted[1].endswith("ValueError") and not any("marks" in text for text in noted), noted
    assert next(f.evidence for f in findings if f.code == "rerun_share") == "2 of 6 code cells ran (33%)"
    assert any("-ELBO 4.450" in f.evidence for f in findings), "what a later cell prints counts"


ENDLESS = """# %%
print("before")
# %%
while True:
    try:
        while True: abs(1)
    except BaseException: pass
# %%
import time; time.sleep(1000)
# %%
class Late(Exception): pass
raise Late
# %%
def after(): return 1
print("dataset 1: ELBO = -4.45, KL = 0.18, NLL = 4.27")
"""


@needs_sandbox
def test_a_cell_that_does_not_end_is_interrupted_after_its_share_and_the_next_ones_run():
    findings, _ = rerun(submission(ENDLESS), A1, Options(rerun=True, seconds=60))
    ended = [f.evidence for f in findings if f.code == "rerun_ended"]
    said = "code cell {} did not end in its share of 60 s and was interrupted"
    assert ended == [said.format(n) for n in (2, 3)], ended
    assert [f.evidence for f in findings if f.code == "rerun_error"] == ["code cell 4, line 2: Late"]
    assert next(f.evidence for f in findings if f.code == "rerun_share") == "2 of 5 code cells ran (40%)"
    assert any("-ELBO 4.450" in f.evidence for f in findings), "what a later cell prints counts"


@needs_sandbox
def test_a_cell_that_never_comes_back_to_python_ends_the_run_which_says_so(monkeypatch):
    monkeypatch.setattr(again, "INTERRUPTION_S", 5.0)
    source = "# %%\nsum(iter(int, 1))\n# %%\ndef reparameterize(mu, logvar): return mu\n"
    findings, _ = rerun(submission(source), ASSIGNMENTS["a3"], Options(rerun=True, seconds=20))
    ended = {f.evidence for f in findings if f.code == "rerun_ended"}
    assert ended == {"code cell 1 did not end in its time, and could not be interrupted"}, findings
    assert any(f.code not in ("rerun_ended", "rerun_share") for f in findings), "what is defined below is asked"


# ---------------------------------------------------------------- asked


@needs_sandbox
def test_functions_of_an_honest_submission_hold_and_one_mistake_is_named():
    findings, _ = rerun(submission(variants.REFERENCE), A1, DEFINITIONS)
    assert not [f for f in findings if f.level == "FAIL"]
    assert all(levels(findings, t) == {"PASS"} for t in ("A1", "B1", "B3", "B4", "B5")), findings
    wrong = next(m for m in variants.MISTAKES if m.name == "KL without 1/2")
    findings, _ = rerun(submission(variants.apply(wrong.swaps)), A1, DEFINITIONS)
    assert {f.code for f in findings if f.level == "FAIL"} == {"kl_no_half"}


@needs_sandbox
def test_what_is_asked_differs_from_run_to_run_and_the_answers_of_another_run_are_of_no_use():
    class Recorder(again.Asker):
        def __call__(self, act, **arguments):
            asked.append((act, arguments))
            return super().__call__(act, **arguments)

    source, asked, runs = submission("# %%\nprint(1)\n"), [], []
    for _ in range(2):
        asked.clear()
        wish = again.Wish(source, "a3", True, digits(), sandbox.isolation())
        asker, again.Asker = again.Asker, Recorder
        try:
            again.run_and_ask(wish, sandbox.Limits(seconds=100))
        finally:
            again.Asker = asker
        runs.append(list(asked))
    first, second = (next(arguments["x"] for act, arguments in run if act == "loss") for run in runs)
    assert not np.array_equal(first, second)


@needs_sandbox
def test_a_notebook_without_an_answer_is_the_machines_fault(monkeypatch):
    monkeypatch.setattr(again, "PROGRAM", "raise SystemExit")
    with pytest.raises(sandbox.SandboxError, match="could not be started"):
        rerun(submission("# %%\npass\n"), A1, DEFINITIONS)


TRAINS = """# %%
import torch
from torch import nn
def fit(learning_rate):
    model = nn.Sequential(nn.Linear(2, 16), nn.ReLU(), nn.Linear(16, 2))
    optimizer = torch.optim.Adam(model.parameters(), learning_rate)
    for _ in range(200):
        x = torch.randn(64, 2)
        loss = (model(x) - x).square().mean()
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    return model
models = [fit(0.01) for _ in range(3)]
lost = fit(0.0)
"""


@needs_sandbox
def test_trainings_are_seen_told_apart_and_measured_on_data_of_ours():
    wish = again.Wish(submission(TRAINS), "a3", False, digits(), sandbox.isolation())
    ran = again.run_and_ask(wish, sandbox.Limits(seconds=100))
    assert ran.summary is not None and ran.ended is None
    assert [len(o["losses"]) for o in ran.summary["optimizers"].values()] == [200] * 4
    assert all(o["stale"] <= 1 for o in ran.summary["optimizers"].values())
    learned = [t for t in ran.trainings if t["kind"] == "plane" and t["after"] < 0.5 * t["before"]]
    still = [t for t in ran.trainings if t["moved"] == 0]
    assert len(learned) == 3 and len(still) == 1, ran.trainings


@needs_sandbox
def test_a_notebook_that_trains_nothing_passes_no_training_task():
    printing = attacks.programs(digits(), 1, digits())["claims of training"][1]
    source = variants.REFERENCE.split("# %%\n")
    defined = [cell for cell in source if re.search(r"^(import|from|class|def)", cell, re.MULTILINE)]
    quiet = "# %%\n".join(["", *(f"if 0:\n    pass\n{cell}" for cell in defined[:3]), printing])
    findings, _ = rerun(submission(quiet), A1, Options(rerun=True, seconds=60))
    for task in ("A2", "B1", "B2"):
        assert "LOOK" in levels(findings, task), findings


REACHING = (
    "import sys; sys._getframe(1)", "import ctypes", "import os; os._exit(0)", "open('/proc/self/maps')",
    "from inspect import currentframe", "exec('x = 1')", "(lambda: 0).__globals__",
    # what was imported, by any name
    "import sys as s; s.modules", "import sys; 'probes' in sys.modules", "import sys; x in sys.modules", "from sys import modules as m", "import sys; vars(sys)", "import torch; torch.__dict__",
    "import sys; getattr(sys, 'mod' + 'ules')", "import sys; from operator import attrgetter as g; getattr(sys, x)",
    "from importlib import import_module; import_module(x)", "import gc; gc.get_objects()", "from sys import *",
    "import operator; operator.attrgetter('f_back')(x)", "getattr(x, '__globals__')", "__builtins__", "import probes.watch",
    "name = 'probes.watch'", "__record_call__.__self__", "import torch; torch.optim.Adam.step = x",
    "from torch import nn; nn.Module.__call__ = x",
    # who called
    "import traceback; traceback.format_stack()", "from traceback import extract_stack as e", "import inspect; inspect.stack()",
    "import inspect as i; i.trace()", "import logging; logging.info('x', stack_info=True)", "import sys; sys.settrace(x)",
    "any('probes' in line for line in x)", "import sys; sys._current_frames()",
)  # fmt: skip
HONEST = """# %%
import gc, importlib, inspect, os, sys, time, traceback
import numpy as np, torch, torch.optim as optim
from torch import nn
print(sys.version, sys.path[0], torch.__version__, getattr(torch, "__version__", "?"), __name__)
torch.backends.cudnn.deterministic = True
sys.path.append("..")
if "google.colab" in sys.modules or "ipykernel" not in sys.modules:
    pass
try:
    import helpers
    importlib.reload(helpers)
    seaborn = importlib.import_module("seaborn")
except Exception as error:
    traceback.print_exc()
    traceback.print_exception(type(error), error, error.__traceback__)
model = nn.Sequential(nn.Linear(2, 2))
optimizer = getattr(optim, name)(model.parameters())
x = torch.stack([getattr(model, f"layer{i}") for i in range(3)] + list(model.modules())[0])
print(inspect.signature(model.forward), inspect.getsource(nn.Linear), model.__class__.__name__, vars(model), x.trace())
self.__dict__.update(locals())
gc.collect()
print("This part probes the latent space.", os.environ.get("HOME"))
"""


@pytest.mark.parametrize("line", REACHING)
def test_a_line_that_reaches_beyond_the_notebook_is_looked_at(line):
    (finding,) = reaches(submission(f"# %%\nx = 1\n{line}\n"))
    last = line.split(";")[-1].strip()[:9]
    assert finding.level == "LOOK" and "line 2" in finding.evidence and last in finding.evidence


def test_what_honest_notebooks_do_reaches_nowhere():
    assert not list(reaches(submission(HONEST)))
    for source in (variants.REFERENCE, *(variants.apply(m.swaps) for m in variants.MISTAKES[:3])):
        assert not list(reaches(submission(source)))
    hidden = undefined(submission("# %%\ndef f(): pass\nclass A: pass\n"), ["A", "VAE", "f"])
    assert [f.evidence for f in hidden] == ["the run defined names that no source shows: 'VAE'"]


@pytest.mark.slow
@pytest.mark.long
@pytest.mark.parametrize("mistake", variants.MISTAKES, ids=lambda m: m.name)
def test_every_mistake_is_caught_by_its_task_with_a_hint_that_names_it(mistake):
    row = judge_mistake(mistake, Options(rerun=True))
    assert not row.wrong, line_of(row)


VARIANTS = []
for _key, _of_key in variants.HONEST.items():
    VARIANTS += [(_key, _name) for _name in _of_key]


@pytest.mark.slow
@pytest.mark.long
@pytest.mark.parametrize(("key", "name"), VARIANTS)
def test_no_honest_variant_fails(key, name):
    row = judge_honest(key, name, Options(rerun=True))
    assert not row.wrong, line_of(row)


@pytest.mark.slow
@pytest.mark.long
def test_attacks_in_a_class_harm_nobody_else(tmp_path):
    trial = attack_table.run(tmp_path)
    print(attack_table.show(trial))
    assert not trial.lost and not attack_table.harmed(trial)
    assert len(trial.outcomes) == len(attacks.attacks(tmp_path, 1, tmp_path))
    # whose programs end before anything of theirs can be tried, and whose files cannot be read, never pass
    harmless = {"path", "script", "formula"}  # honest contents under a hostile name
    assert all(o.verdict in ("LOOK", "FAIL") for key, o in trial.outcomes.items() if key not in harmless)
    honest = attack_table.honest_levels(trial)
    assert all(honest[name] == "PASS" for name in ("A1", "B1", "B3", "B4", "B5")), honest
