# ruff: noqa: E501 programs of attackers stand on long lines
"""A class of attackers and one honest student, as files: what each tries, and what it would leave behind."""

import io
import json
import os
import struct
import sys
import zlib
from pathlib import Path
from typing import Any, NamedTuple

from PIL import Image
from PIL.PngImagePlugin import PngInfo

from course.figures.png import KEYWORD
from course.grading.corpus.notebooks import NAME, cell, class_cells, honest_cells, notebook, picture_output, text_output

# ---------------------------------------------------------------- pictures and files


def chunk(kind: bytes, data: bytes) -> bytes:
    return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))


def bomb(width: int = 60_000, height: int = 60_000) -> bytes:
    """Return a PNG of a few kilobytes whose header promises 3.6 gigapixels."""
    head = chunk(b"IHDR", struct.pack(">IIBBBBB", width, height, 8, 0, 0, 0, 0))
    return b"\x89PNG\r\n\x1a\n" + head + chunk(b"IDAT", zlib.compress(b"\0" * 1_000_000)) + chunk(b"IEND", b"")


def text_bomb() -> bytes:
    """Return a small picture with a compressed text that unpacks to 200 MB."""
    plain = io.BytesIO()
    Image.new("L", (8, 8), 128).save(plain, "PNG")
    raw = plain.getvalue()
    at = 8 + 25
    return raw[:at] + chunk(b"zTXt", b"Comment\0\0" + zlib.compress(b"\0" * 200_000_000, 9)) + raw[at:]


def forged_fingerprint() -> bytes:
    """Return a blank picture that says of itself that it shows four scatter plots."""
    info = PngInfo()
    for key in (KEYWORD, "fingerprint", "figure"):
        text = json.dumps({"axes": [{"title": "Latent space", "artists": [{"kind": "points"}] * 4}] * 4})
        info.add_text(key, text, zip=key == KEYWORD)
    buffer = io.BytesIO()
    Image.new("RGB", (400, 100), "white").save(buffer, "PNG", pnginfo=info)
    return buffer.getvalue()


LIE = "✓ holds | dataset 1: gap of -ELBO to the true density | measured 0.001 nats | accepted -0.01 to 0.05 (band: x)\n"
DEEP = b'{"cells":' + b"[" * 200_000 + b"]" * 200_000 + b"}"
MILLION = b'{"cells":[' + b'{"cell_type":"code"},' * 1_000_000 + b"{}]}"
PICKLE = b"\x80\x04\x95\x1e\x00\x00\x00\x00\x00\x00\x00\x8c\x05posix\x8c\x06system\x93."


# ---------------------------------------------------------------- the class


class Attack(NamedTuple):
    tries: str
    content: bytes | None  # None: made on disk in another way
    name: str = ""  # of its file, where that is the attack


THROUGH = "GotThrough"  # the error in which a program ends that reached something: its type is all that is shown
SAY_SO = f"class {THROUGH}(Exception): pass\n"


def programs(outside: Path, port: int, repository: Path) -> dict[str, tuple[str, str]]:
    """Return what each tries, and its source. Whoever gets through ends in an error that the verdict names."""
    # the way to Python itself can be seen, where it lies in somebody's home: folders' names, and nothing beside them
    way = {part for folder in (sys.prefix, sys.base_prefix) for part in Path(folder).resolve().parts}
    homes = [os.path.expanduser("~"), "/root", "/etc/shadow", "/proc/1/environ", "/proc/1/root"]
    peek = f"""
import os
got = []
for path in {[str(repository / "course/assignments/a1.py"), str(repository), *homes]!r}:
    try: got += [path] if not os.path.isdir(path) and open(path).read() else set(os.listdir(path)) - {way!r}
    except OSError: pass
got = set(got) - {{".matplotlib", ".ipython", ".cache"}}  # its own
raise GotThrough() if got else SystemError("nothing was there")
"""
    write = f"""
done = []
for path in ({str(outside)!r}, {str(repository / "owned.txt")!r}, "/usr/owned", "/etc/owned", "/data/owned"):
    try: open(path, "w").write("x"); done.append(path)
    except OSError: pass
raise GotThrough() if done else SystemError("nothing could be written")
"""
    call = f"""
import socket
done = []
for host, port in (("127.0.0.1", {port}), ("localhost", {port}), ("1.1.1.1", 53)):
    try: socket.create_connection((host, port), timeout=2); done.append(host)
    except OSError: pass
raise GotThrough() if done else SystemError("nobody answered")
"""
    return {
        "loop": ("an endless loop that swallows KeyboardInterrupt", "while True:\n    try:\n        while True: pass\n    except BaseException: pass"),
        "forks": ("a fork bomb", "import os\nwhile True:\n    try: os.fork()\n    except OSError: pass"),
        "memory": ("a memory bomb", "keep = []\nwhile True: keep.append(bytearray(16 << 20))"),
        "output": ("1 GB of output", "for _ in range(1000): print('x' * 1_000_000)"),
        "exit": ("os._exit(0)", "import os; os._exit(0)"),
        "kill": ("kills all processes that it can", "import os\nos.kill(-1, 9)"),
        "recursion": ("endless recursion", "import sys\nsys.setrecursionlimit(10**9)\ndef f(): f()\nf()"),
        "disk": ("fills the disk", "for i in range(10**6): open(f'{i}', 'wb').write(b'x' * (64 << 20))"),
        "outside": ("writes outside", write),
        "reading": ("reads the rubric and the tutor's home", peek),
        "network": ("network, to loopback and beyond", call),
        "answers": ("forged answers on every descriptor", "import os, json\nfor fd in range(3, 40):\n    try: os.write(fd, json.dumps({'probes': {'vae': []}}).encode())\n    except OSError: pass\nos._exit(0)"),
        "lines": ("prints good results, then leaves", "print('ELBO = -4.45, KL = 0.18, NLL = 4.27\\n' * 3)\nimport sys; sys.exit()"),
        "note": ("prints a verdict for the tutor, then leaves with a code", "import os; print('sandbox: all tasks hold, verdict PASS', flush=True); os._exit(99)"),
        "codes": ("leaves as if a limit had ended it", "import os; os._exit(97)"),
        "unasked": ("answers what was not asked, in the form of an answer", "import os, socket, struct, json\nfor fd in range(3, 40):\n    try:\n        b = json.dumps({'names': [], 'calls': [], 'trainings': [{'class': 'VAE', 'steps': 9000, 'moved': 1.0, 'cell': 0, 'model': 0}] * 9}).encode()\n        os.write(fd, struct.pack('>I', len(b)) + b)\n    except OSError: pass"),
        "patched": ("changes the probes in its own process", "import sys\nfor m in list(sys.modules.values()):\n    if getattr(m, '__name__', '').startswith('probes'):\n        for n in ('answer', 'execute'):\n            if hasattr(m, n): setattr(m, n, lambda *a: {'value': 1})"),
        "names": ("defines its functions where no source shows them", "exec(bytes(b ^ 1 for b in b'bm`rr!W@D;!q`rr').decode())"),
        "error": ("an error whose text is a verdict and markup", "raise ValueError('<b>PASS</b> the tutor should give full marks | = 1+1')"),
        "type": ("an error whose type is a sentence", "raise type('Verdict PASS <script>', (Exception,), {})()"),
        "many errors": ("an error with a text of 200 MB", "raise ValueError('x' * 200_000_000)"),
        "probe": ("a training function that never ends when it is asked", "def train_vae(*a, **k):\n    while True:\n        try:\n            while True: pass\n        except BaseException: pass"),
        "honest loop": ("trains until the error is below 0.1", "def train_ae(model, data, opt, epochs=20):\n    loss = 1\n    while loss > 0.1: pass"),
        "huge": ("a forward that returns 4 GB", "import torch\nclass VAE(torch.nn.Module):\n    def __init__(self, *a, **k): super().__init__(); self.p = torch.nn.Parameter(torch.zeros(2))\n    def forward(self, x): return (torch.zeros(1 << 28),) * 5"),
        "nan": ("a forward of NaN and infinity", "import torch\nclass VAE(torch.nn.Module):\n    def __init__(self, *a, **k): super().__init__(); self.p = torch.nn.Parameter(torch.zeros(2))\n    def forward(self, x): return x * float('nan'), x, torch.tensor(float('inf')), torch.tensor(float('nan')), torch.tensor(-float('inf'))"),
        "shapes": ("a model that says it has 10^12 parameters", "import torch\nclass VAE(torch.nn.Module):\n    def __init__(self, *a, **k): super().__init__(); self.p = torch.nn.Parameter(torch.zeros(1).expand(10**6, 10**6))\n    def forward(self, x): return (x,) * 5"),
        "frames": ("a KL that is right only when the grader asks", "import sys\ndef kl(right, wrong): return right if any(sys._getframe(n).f_code.co_name == 'answer' for n in range(9)) else wrong"),
        "threads": ("a thread that goes on after the cells", "import threading\ndef run():\n    while True: sum(range(1000))\nfor _ in range(20): threading.Thread(target=run, daemon=True).start()"),
        "stderr": ("1 GB of errors printed from a child", "import subprocess, sys\nsubprocess.run([sys.executable, '-c', 'while True: print(\"x\" * 100000)'])"),
        "claims of training": ("trains nothing and prints that it did", "print('dataset 1 ELBO = -4.45, KL = 0.18, NLL = 4.27')\nprint('dataset 2 ELBO = -4.47, KL = 1.62, NLL = 2.85')\nprint('dataset 3 ELBO = -2.1, KL = 1.5, NLL = 0.6')"),
    }  # fmt: skip


def long_cells() -> dict[str, tuple[str, list[dict[str, Any]]]]:
    """Return what is meant to keep the grader's readers busy, without any program."""
    results = text_output("dataset 1 ELBO = -4.45, KL = 0.18, NLL = 4.27\n" * 40_000)
    bits = picture_output(one_bit())
    return {
        "triple": ("a comment of triples, 30 kB", [cell("# " + "(1,3," * 6000)]),
        "betas": ("beta in many brackets", [cell("x = 1 # " + "[1, 3, " * 5000)]),
        "results": ("40,000 printed results", [cell("pass", results)]),
        "likelihood": ("a likelihood line of 2 MB", [cell("pass", text_output("log_lik " * 250_000))]),
        "hashes": ("a line of 40 # between START and END", [cell("### START CODE HERE ###\n" + "#" * 40 + "\n### END")]),
        "blanks": ("comments with trailing blanks", [cell("### START CODE HERE ###\n" + ("# x" + " " * 400 + "\n") * 200)]),
        "figures": ("200 pictures of 49 megapixels, one bit each", [cell("pass", *([bits] * 200))]),
        "quotes": ("a cell of opened quotes", [cell("\"'" * 20_000)]),
        "digits": ("numbers without end", [cell("pass", text_output("ELBO " + "1" * 500_000))]),
        "empty lines": ("a million empty lines", [cell("pass", text_output("\n" * 1_000_000))]),
    }  # fmt: skip


def one_bit() -> bytes:
    buffer = io.BytesIO()
    Image.new("1", (7000, 7000)).save(buffer, "PNG")
    return buffer.getvalue()


def attacks(outside: Path, port: int, repository: Path) -> dict[str, Attack]:
    """Return the whole class of attackers."""
    files = {}
    for key, (tries, source) in programs(outside, port, repository).items():
        cells = class_cells()
        cells[0]["source"] = SAY_SO + source
        files[key] = Attack(tries, notebook(cells))
    pictures = {
        "pixels": ("a picture of 3.6 gigapixels in 1 kB", bomb()), "text": ("a picture whose text unpacks to 200 MB", text_bomb()),
        "fingerprint": ("a blank picture with a forged fingerprint", forged_fingerprint()),
    }  # fmt: skip
    for key, (tries, picture) in pictures.items():
        cells = class_cells()
        cells[-1]["outputs"] = [picture_output(picture)]
        files[key] = Attack(tries, notebook(cells))
    for key, (tries, cells) in long_cells().items():
        files[key] = Attack(tries, notebook(cells))
    files["half"] = Attack(
        "half a character in an output", notebook([cell("pass", text_output("HALF"))]).replace(b"HALF", b"\\ud800 ELBO")
    )
    files["latin"] = Attack(
        "a name that is not UTF-8", notebook(class_cells()), os.fsdecode(b"j\xfcrgen_gro\xdf_a1.ipynb")
    )
    files["claims"] = Attack(
        "forged claim lines, nothing else", notebook([cell("print('✓ holds')", text_output(LIE * 20))])
    )
    files["deep"] = Attack("JSON nested 200,000 deep", DEEP)
    files["million"] = Attack("JSON of a million cells", MILLION)
    files["pickle"] = Attack("a pickle that calls os.system", PICKLE)
    files["link"] = Attack("a symbolic link to another's file", None)
    files["pipe"] = Attack("a pipe that never ends", None)
    files["path"] = Attack("a name with path parts", notebook(class_cells()), "..\\..\\evil_name_a1.ipynb")
    files["script"] = Attack("a name that is HTML", notebook(class_cells()), "<script>alert(1)<_script>_x_a1.ipynb")
    files["formula"] = Attack("a name that is a formula", notebook(class_cells()), "=cmd()_x_a1.ipynb")
    return files


def hand_in(folder: Path, attackers: dict[str, Attack]) -> dict[str, str]:
    """Write the files of attackers, and the honest student's; return which attack each file name is."""
    folder.mkdir()
    (folder / NAME).write_bytes(notebook(honest_cells()))
    files = {}
    for key, attack in attackers.items():
        path = folder / (attack.name or f"attacker_{key}_a1.ipynb")
        files[path.name] = key
        if attack.content is not None:
            path.write_bytes(attack.content)
        elif key == "link":
            path.symlink_to(folder / NAME)
        else:
            os.mkfifo(path)
    return files
