# ruff: noqa: E501 programs of attackers stand on long lines
"""A class of attackers and one honest student, as files: what each tries, and what it would leave behind."""

import gzip
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
from course.grading.corpus.forgeries import FORGERIES
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
    raw = plain_picture()
    at = 8 + 25
    return raw[:at] + chunk(b"zTXt", b"Comment\0\0" + zlib.compress(b"\0" * 200_000_000, 9)) + raw[at:]


def profile_bomb() -> bytes:
    """Return a small picture with a colour profile that unpacks to 200 MB."""
    raw = plain_picture()
    at = 8 + 25
    return raw[:at] + chunk(b"iCCP", b"x\0\0" + zlib.compress(b"\0" * 200_000_000, 9)) + raw[at:]


def many_chunks() -> bytes:
    """Return a small picture with 200,000 empty texts."""
    raw = plain_picture()
    at = 8 + 25
    return raw[:at] + chunk(b"tEXt", b"a\0b") * 200_000 + raw[at:]


def plain_picture() -> bytes:
    buffer = io.BytesIO()
    Image.new("L", (8, 8), 128).save(buffer, "PNG")
    return buffer.getvalue()


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
    code: str = ""  # of the doubt without which it got through


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
        "replay": ("replays another run's recorded answers on the grader's line", REPLAY),
        "forged watch": ("writes trainings that never were into what watches it", "import gc\nfor o in gc.get_objects():\n    if type(o).__name__ == 'Watch':\n        o.trainings += [{'class': 'VAE', 'steps': 9000, 'moved': 2.0, 'cell': 0, 'model': 0, 'rows': 60000, 'object': 1}] * 9\n        o.tagged.update({'VAE': [0, 60000], 'Autoencoder': [0, 60000]})"),
        "forged words": ("replaces the functions that make and read messages", "import json, base64, numpy as np\njson.dumps = lambda *a, **k: '{\"names\": [], \"value\": 1}'\nnp.asarray = lambda *a, **k: 1"),
        "builtins": ("replaces what every program uses", "import builtins\nfor n in ('print', 'len', 'isinstance', 'getattr', 'sorted', 'list', 'dict', 'str', 'type'):\n    setattr(builtins, n, lambda *a, **k: 1)"),
        "deaf to alarms": ("ignores the alarm and goes on", "import signal\nfor n in (10, 12, 14, 27): signal.signal(n, signal.SIG_IGN)\nwhile True: pass"),
        "own alarm": ("sets the alarm off and goes on", "import signal\nfor t in (0, 2): signal.setitimer(t, 0)\nwhile True: pass"),
        "one call": ("a call that never comes back to Python", "sum(iter(int, 1))"),
        "pattern": ("a pattern that backtracks without end", "import re\nre.match('(a+)+$', 'a' * 64 + 'b')"),
        "power": ("a number of a billion digits", "x = 10 ** 10 ** 9"),
        "long type": ("an error whose type has a name of 10 MB", "raise type('A' * 10_000_000, (Exception,), {})()"),
        "hostile error": ("an error that cannot be printed or compared", "class E(Exception):\n    def __str__(self): raise self\n    __repr__ = __eq__ = __str__\n    def __del__(self):\n        while True: pass\nraise E()"),
        "hostile model": ("a model whose every answer is an object of its own", "import torch\nclass X:\n    def __getattr__(self, n): return self\n    def __call__(self, *a, **k): return self\n    def __iter__(self): return iter([self] * 5)\n    def __len__(self): return 10 ** 18\n    def __float__(self): return float('nan')\n    def __array__(self, *a, **k): raise SystemExit\nclass VAE(torch.nn.Module):\n    def __init__(self, *a, **k): super().__init__(); self.p = torch.nn.Parameter(torch.zeros(2))\n    def forward(self, x): return X()"),
        "deep value": ("a forward that returns a list nested a million deep", "import torch\nv = []\nfor _ in range(10**6): v = [v]\nclass VAE(torch.nn.Module):\n    def __init__(self, *a, **k): super().__init__(); self.p = torch.nn.Parameter(torch.zeros(2))\n    def forward(self, x): return x, v, x, x, x"),
        "odd tensors": ("a forward of complex, sparse, empty and unreal tensors", "import torch\nclass VAE(torch.nn.Module):\n    def __init__(self, *a, **k): super().__init__(); self.p = torch.nn.Parameter(torch.zeros(2))\n    def forward(self, x): return x.to(torch.complex64), x.to_sparse(), torch.empty(0), torch.empty(3, device='meta'), torch.tensor(2**62)"),
        "no space": ("deletes its own names and modules", "import sys\nfor n in list(sys.modules):\n    if n not in ('sys', 'builtins'): del sys.modules[n]\nglobals().clear()"),
        "closes": ("closes every descriptor", "import os\nos.closerange(0, 512)"),
        "pulls": ("reads the grader's questions from the line", "import os\nfor fd in range(3, 40):\n    try: os.set_blocking(fd, False); os.read(fd, 1 << 20)\n    except OSError: pass"),
        "drip": ("answers a byte at a time", "import os, threading, time\ndef drip():\n    while True:\n        for fd in range(3, 40):\n            try: os.write(fd, b'\\0')\n            except OSError: pass\n        time.sleep(0.5)\nthreading.Thread(target=drip, daemon=True).start()"),
        "stops its parent": ("stops whoever started it", "import os, signal, time\nos.kill(os.getppid(), signal.SIGSTOP); time.sleep(3)"),
        "deep folders": ("folders nested 5,000 deep, and links in circles", "import os\nos.symlink('.', 'self'); os.symlink('/proc/self/root', 'root')\nfor _ in range(5000): os.mkdir('d'); os.chdir('d')"),
        "workers": ("64 processes that load data", "import torch\nfrom torch.utils.data import DataLoader, TensorDataset\nfor _ in range(8): list(DataLoader(TensorDataset(torch.zeros(9)), num_workers=64))\nimport multiprocessing as m\nfor _ in range(200): m.Process(target=lambda: __import__('time').sleep(60)).start()"),
        "claims of training": ("trains nothing and prints that it did", "print('dataset 1 ELBO = -4.45, KL = 0.18, NLL = 4.27')\nprint('dataset 2 ELBO = -4.47, KL = 1.62, NLL = 2.85')\nprint('dataset 3 ELBO = -2.1, KL = 1.5, NLL = 0.6')"),
    }  # fmt: skip


REPLAY = """
import json, os, socket, struct, threading
def speak(s):
    while True:
        n = struct.unpack('>I', s.recv(4, socket.MSG_WAITALL))[0]
        q = json.loads(s.recv(n, socket.MSG_WAITALL))
        body = json.dumps({'number': q['number'], 'value': {'terms': [-4.4, 1.6, 2.8], 'z': [[0, 0]], 'x_pred': [[0, 0]], 'outputs': {}}}).encode()
        s.sendall(struct.pack('>I', len(body)) + body)
for fd in range(3, 40):
    try: threading.Thread(target=speak, args=(socket.socket(fileno=fd),), daemon=True).start()
    except OSError: pass
"""


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
        "many cells": ("20,000 cells", [cell(f"x{n} = {n}") for n in range(20_000)]),
        "long line": ("a source line of 3 MB", [cell("x = [" + "1," * 1_500_000 + "]")]),
        "brackets": ("brackets nested 100,000 deep", [cell("(" * 100_000 + ")" * 100_000)]),
        "pasted": ("a picture of 800 kB pasted into a text cell", [{**cell("![x](data:image/png;base64," + "iVBORw0KGgo" * 75_000 + ")"), "cell_type": "markdown"}]),
        "letters": ("nothing, and letters that turn the line round", [cell("pass\0\ufeff\u2028\u202e # \x1b[31mPASS", text_output("\u202eSSAP\x1b]0;PASS\x07\x1b[2J"))]),
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
        "profile": ("a picture whose colour profile unpacks to 200 MB", profile_bomb()),
        "chunks": ("a picture of 200,000 pieces", many_chunks()),
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
    for key, (tries, content) in odd_files().items():
        files[key] = Attack(tries, content)
    for key, forgery in FORGERIES.items():
        name = f"attacker_{key.replace(' ', '-')}_{forgery.key}.ipynb"
        files[key] = Attack(forgery.tries, forgery.content, name, forgery.code)
    files["turned"] = Attack(
        "a name that turns the line round and has colours", notebook(class_cells()), "\u202eSSAP\x1b[31m_x_a1.ipynb"
    )
    files["link"] = Attack("a symbolic link to another's file", None)
    files["pipe"] = Attack("a pipe that never ends", None)
    files["path"] = Attack("a name with path parts", notebook(class_cells()), "..\\..\\evil_name_a1.ipynb")
    files["script"] = Attack("a name that is HTML", notebook(class_cells()), "<script>alert(1)<_script>_x_a1.ipynb")
    files["formula"] = Attack("a name that is a formula", notebook(class_cells()), "=cmd()_x_a1.ipynb")
    return files


def odd_files() -> dict[str, tuple[str, bytes]]:
    """Return files that are JSON, and notebooks to the eye only."""
    plain = notebook(class_cells())
    markup = {
        "output_type": "display_data",
        "metadata": {},
        "data": {
            "text/html": "<script>alert(1)</script>",
            "image/svg+xml": "<svg onload=alert(1)>",
            "application/javascript": "alert(1)",
        },
    }
    return {
        "infinite": ("numbers that are none", plain.replace(b'"execution_count": 1', b'"execution_count": 1e999', 1).replace(b'"nbformat_minor": 5', b'"nbformat_minor": NaN')),
        "huge number": ("a number of a million digits", plain.replace(b'"nbformat_minor": 5', b'"nbformat_minor": ' + b"9" * 1_000_000)),
        "types": ("every part of another type", json.dumps({"nbformat": 4, "cells": [3, None, [], {"cell_type": ["code"], "source": {"a": 1}, "outputs": "x"}, {"cell_type": "code", "source": 7, "outputs": [[], {"output_type": 3, "data": [], "text": {"x": 1}}]}]}).encode()),
        "markup": ("outputs of scripts", notebook([*class_cells(), cell("pass", markup)])),
        "packed": ("a notebook of 200 MB, packed into 200 kB", gzip.compress(b" " * 200_000_000)),
    }  # fmt: skip


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
