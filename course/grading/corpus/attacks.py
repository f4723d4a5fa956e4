# ruff: noqa: E501 programs of attackers stand on long lines
"""A class of attackers and one honest student, as files: what each tries, and what it would leave behind."""

import io
import json
import os
import struct
import sys
import zlib
from pathlib import Path
from typing import NamedTuple

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


def programs(outside: Path, port: int, repository: Path) -> dict[str, tuple[str, str]]:
    """Return what each tries, and its source. Whoever gets through says so in an error, which the verdict quotes."""
    # the way to Python itself can be seen, where it lies in somebody's home: folders' names, and nothing beside them
    way = {part for folder in (sys.prefix, sys.base_prefix) for part in Path(folder).resolve().parts}
    homes = [os.path.expanduser("~"), "/root", "/etc/shadow", "/proc/1/environ", "/proc/1/root"]
    peek = f"""
import os
got = []
for path in {[str(repository / "course/assignments/a1.py"), str(repository), *homes]!r}:
    try: got += [path] if not os.path.isdir(path) and open(path).read() else set(os.listdir(path)) - {way!r}
    except OSError: pass
got = set(got) - {{"program.py", "job.json", "probes", ".matplotlib", ".ipython"}}  # its own
raise SystemError("GOT THROUGH " + repr(got)[:200] if got else "nothing was there")
"""
    write = f"""
done = []
for path in ({str(outside)!r}, {str(repository / "owned.txt")!r}, "/usr/owned", "/etc/owned", "/data/owned"):
    try: open(path, "w").write("x"); done.append(path)
    except OSError: pass
raise SystemError("GOT THROUGH " + repr(done) if done else "nothing could be written")
"""
    call = f"""
import socket
done = []
for host, port in (("127.0.0.1", {port}), ("localhost", {port}), ("1.1.1.1", 53)):
    try: socket.create_connection((host, port), timeout=2); done.append(host)
    except OSError: pass
raise SystemError("GOT THROUGH " + repr(done) if done else "nobody answered")
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
        "answers": ("forged answers to the probes", "import os, json\nfor fd in range(3, 40):\n    try: os.write(fd, json.dumps({'probes': {'vae': []}}).encode())\n    except OSError: pass\nos._exit(0)"),
        "lines": ("prints good results, then leaves", "print('ELBO = -4.45, KL = 0.18, NLL = 4.27\\n' * 3)\nimport sys; sys.exit()"),
    }  # fmt: skip


def attacks(outside: Path, port: int, repository: Path) -> dict[str, Attack]:
    """Return the whole class of attackers."""
    files = {}
    for key, (tries, source) in programs(outside, port, repository).items():
        cells = class_cells()
        cells[0]["source"] = source
        files[key] = Attack(tries, notebook(cells))
    pictures = {
        "pixels": ("a picture of 3.6 gigapixels in 1 kB", bomb()), "text": ("a picture whose text unpacks to 200 MB", text_bomb()),
        "fingerprint": ("a blank picture with a forged fingerprint", forged_fingerprint()),
    }  # fmt: skip
    for key, (tries, picture) in pictures.items():
        cells = class_cells()
        cells[-1]["outputs"] = [picture_output(picture)]
        files[key] = Attack(tries, notebook(cells))
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
