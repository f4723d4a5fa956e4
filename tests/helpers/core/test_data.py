"""Where images come from: genuine files in either form, clear refusals, and the offline stand-in."""

import gzip
import hashlib
import os
import struct
import subprocess
import sys
from pathlib import Path
from typing import ClassVar

import numpy as np
import pytest
import torch
from typer.testing import CliRunner

from course.__main__ import app
from course.notebooks import images
from course.paths import SOURCES
from helpers.core import data, image_files, settings, standin
from helpers.core.data import load_images
from helpers.core.image_files import DATA_SETS, DataError

FILES = tuple(DATA_SETS["mnist"].md5)


def downloads_are(monkeypatch, dataset):
    """Put ``dataset(folder, download)`` in the place of torchvision's."""
    monkeypatch.setattr(data, "source_of", lambda name: dataset)


def write_raw(folder, contents):
    """What a download leaves in its folder."""
    raw = folder / "MNIST" / "raw"
    raw.mkdir(parents=True)
    for name, content in contents.items():
        (raw / name).write_bytes(content)


@pytest.fixture
def tiny(tmp_path, monkeypatch):
    """A data root with four small files in the IDX format, their md5 sums made known, and no network."""
    rand = np.random.RandomState(0)
    contents = {}
    for part, n in (("train", 20), ("t10k", 6)):
        pixels, labels = rand.randint(0, 256, (n, 28, 28), np.uint8), rand.randint(0, 10, n, np.uint8)
        contents[f"{part}-images-idx3-ubyte"] = struct.pack(">IIII", 2051, n, 28, 28) + pixels.tobytes()
        contents[f"{part}-labels-idx1-ubyte"] = struct.pack(">II", 2049, n) + labels.tobytes()
    md5 = {name: hashlib.md5(content).hexdigest() for name, content in contents.items()}
    write_raw(tmp_path, contents)
    monkeypatch.setattr(data.time, "sleep", lambda seconds: None)

    def no_network(*_, **__):
        raise RuntimeError("Error downloading\n<urlopen error Name or service not known>")

    monkeypatch.setitem(DATA_SETS, "mnist", DATA_SETS["mnist"]._replace(md5=md5))
    downloads_are(monkeypatch, no_network)
    return tmp_path, contents


def test_plain_and_gzipped_files_give_the_same_images(tiny):
    root, contents = tiny
    plain = load_images("mnist", root=root)
    for name, content in contents.items():
        path = root / "MNIST" / "raw" / name
        path.unlink()
        path.with_name(name + ".gz").write_bytes(gzip.compress(content))
    zipped = load_images("mnist", root=root)
    assert plain.genuine and plain.title == "MNIST"
    assert plain.train_x.shape == (20, 1, 28, 28) and plain.test_y.shape == (6,)
    assert plain.train_x.dtype == torch.float32 and plain.train_x.min() >= 0 and plain.train_x.max() == 1
    expected = np.frombuffer(contents[FILES[0]], np.uint8, offset=16).reshape(20, 28, 28)
    assert np.array_equal((plain.train_x[:, 0] * 255).round().numpy(), expected)
    assert torch.equal(plain.train_x, zipped.train_x) and torch.equal(plain.test_y, zipped.test_y)


@pytest.mark.parametrize(
    ("damage", "message"),
    [
        (lambda path: path.write_bytes(path.read_bytes()[:-1]), "should hold MNIST's .* but holds md5"),
        (lambda path: path.write_bytes(b""), "but holds md5 .* 0 bytes"),
        (lambda path: path.rename(path.with_name(path.name + ".gz")), "cannot be read .*: delete it"),
    ],
)
def test_damaged_files_are_refused_and_left_alone(tiny, damage, message):
    root, _ = tiny
    damage(root / "MNIST" / "raw" / FILES[2])
    listing = sorted((p.name, p.stat().st_size) for p in root.rglob("*"))
    with pytest.raises(DataError, match=message):
        load_images("mnist", root=root)
    assert sorted((p.name, p.stat().st_size) for p in root.rglob("*")) == listing


def test_files_of_another_data_set_are_recognised(tiny):
    root, _ = tiny
    (root / "MNIST").rename(root / "FashionMNIST")
    with pytest.raises(DataError, match=r"should hold Fashion-MNIST's .* but holds a file of MNIST"):
        load_images("fashion", root=root)


def test_without_files_and_network_there_is_a_sentence_or_a_stand_in(tiny, few, tmp_path):
    empty = tmp_path / "empty"
    with pytest.raises(DataError, match=r"MNIST is not here: .*download failed.*set DATA_ROOT"):
        load_images("mnist", root=empty, allow_standin=False)
    made = load_images("mnist", root=empty)
    assert not made.genuine and "MNIST" not in made.title and "STAND-IN DATA" in str(made)
    why = str(made.to(torch.device("cpu"))).splitlines()[-1]
    assert "Name or service not known" in why and why.endswith("then python -m course data --fetch tries again")
    assert not list(empty.rglob("*")), "nothing half-downloaded stays behind"


def test_a_download_is_moved_in_whole(tiny, tmp_path, monkeypatch):
    _root, contents = tiny

    downloads_are(monkeypatch, lambda folder, download: write_raw(Path(folder), contents))
    fresh = tmp_path / "fresh"
    assert load_images("mnist", root=fresh).genuine
    assert sorted(p.name for p in fresh.rglob("*") if p.is_file()) == sorted(FILES)


def test_a_download_that_fails_is_tried_again_and_then_explained(tiny, tmp_path, monkeypatch):
    _root, contents = tiny
    calls = []

    def flaky(folder, download, good_from=3):
        calls.append(folder)
        assert data.socket.getdefaulttimeout() == data.TIMEOUT_S, "torchvision would wait for ever"
        if len(calls) < good_from:
            raise OSError("connection reset")
        write_raw(Path(folder), contents)

    downloads_are(monkeypatch, flaky)
    assert data.fetch("mnist", tmp_path / "fresh") is None and len(calls) == 3
    assert image_files.status("mnist", tmp_path / "fresh").problem is None
    assert data.socket.getdefaulttimeout() is None
    calls.clear()
    downloads_are(monkeypatch, lambda folder, download: flaky(folder, download, good_from=99))
    assert data.fetch("mnist", tmp_path / "other") == "the download failed: connection reset" and len(calls) == 3


def test_a_half_finished_folder_is_completed_and_what_was_there_is_left_alone(tiny, tmp_path, monkeypatch):
    root, contents = tiny
    present, missing = root / "MNIST" / "raw" / FILES[0], root / "MNIST" / "raw" / FILES[1]
    missing.unlink()
    present.write_bytes(b"the reader's own")

    downloads_are(monkeypatch, lambda folder, download: write_raw(Path(folder), contents))
    assert image_files.status("mnist", root).problem == f"1 of 4 files are missing under {root / 'MNIST/raw'}"
    assert data.fetch("mnist", root) is None
    assert missing.read_bytes() == contents[FILES[1]] and present.read_bytes() == b"the reader's own"
    assert "should hold MNIST's" in image_files.status("mnist", root).problem


def test_a_folder_that_may_not_be_written_to_is_named(tiny, tmp_path, monkeypatch):
    def refuse(dir, prefix):
        raise PermissionError(13, "Permission denied", str(dir))

    monkeypatch.setattr(data.tempfile, "TemporaryDirectory", refuse)  # root may write into any real folder
    assert data.fetch("mnist", tmp_path / "closed").endswith(f"Permission denied: '{tmp_path / 'closed'}'")


def test_a_file_in_place_of_the_folder_is_named(tiny, tmp_path):
    (tmp_path / "file").write_text("")
    assert "the download failed" in data.fetch("mnist", tmp_path / "file" / "data")


def test_the_command_says_what_is_there_and_how_it_was_checked(tiny, monkeypatch):
    root, _ = tiny
    monkeypatch.setenv("DATA_ROOT", str(root))
    report = CliRunner().invoke(app, ["data"])
    assert report.exit_code == 1
    assert f"MNIST: {root / 'MNIST' / 'raw'} (4 plain, 0 gzipped, 0 missing)" in report.output
    assert "genuine, every md5 sum is right" in report.output
    assert "4 of 4 files are missing" in report.output and "data --fetch" in report.output
    monkeypatch.setattr(images, "download", data.fetch)
    report = CliRunner().invoke(app, ["data", "--fetch"])
    assert report.exit_code == 1 and "the download failed: <urlopen error Name or service not known>" in report.output


def test_another_process_downloads_and_says_why_it_could_not(tmp_path, monkeypatch):
    (tmp_path / "file").write_text("")
    monkeypatch.setenv("DATA_ROOT", str(tmp_path / "file"))
    assert images.download("fashion").startswith("the download failed: ")


def test_files_are_looked_at_and_the_stand_in_is_made_without_torch():
    code = "import sys, helpers.core.image_files, helpers.core.standin, course.notebooks.images as images\n"
    code += "images.print_status(fetch=False); print([m for m in ('torch', 'torchvision') if m in sys.modules])"
    environment = os.environ | {"PYTHONPATH": str(SOURCES)}
    run = subprocess.run([sys.executable, "-c", code], env=environment, capture_output=True, text=True, check=True)
    assert run.stdout.endswith("[]\n")


def test_unknown_names_are_refused():
    with pytest.raises(ValueError, match="'cifar': expected one of mnist, fashion"):
        load_images("cifar")


@pytest.fixture(scope="module")
def made():
    return standin.make("mnist")


def test_the_stand_in_has_the_shapes_and_balance_of_the_real_thing(made):
    assert made.images.shape == (70_000, 28, 28) and made.images.dtype == np.float32
    assert made.labels.dtype == np.int64 and (np.bincount(made.labels[:60_000]) > 5700).all()
    assert made.images.min() == 0 and made.images.max() > 0.9
    some = made.images[::70] * 255
    np.testing.assert_allclose(some, np.round(some), atol=1e-3)


@pytest.fixture
def few(monkeypatch):
    """The stand-in is small, for what does not depend on how many images it has."""
    monkeypatch.setattr(standin, "NUM_TRAIN", 600)
    monkeypatch.setattr(standin, "NUM_TEST", 100)


def test_the_stand_in_is_deterministic_small_and_varied(made, few):
    first, again = standin.make("mnist"), standin.make("mnist")
    assert np.array_equal(first.labels, again.labels)
    np.testing.assert_allclose(first.images, again.images, atol=1e-6)
    assert standin.weights_path("mnist").stat().st_size < 1_000_000
    assert len(np.unique(made.images[:1000].reshape(1000, -1), axis=0)) == 1000


def test_the_stand_ins_classes_can_be_told_apart(made):
    means = np.stack([made.images[:60_000][made.labels[:60_000] == k].mean(0) for k in range(10)]).reshape(10, -1)
    x, y = made.images[60_000:].reshape(-1, 784), made.labels[60_000:]
    nearest = ((x[:, None] - means) ** 2).sum(-1).argmin(1)
    assert (nearest == y).mean() > 0.75  # nearest class mean; it is 0.82 on the genuine digits


@pytest.mark.parametrize(
    ("error", "helps"),
    [
        (
            "<urlopen error [SSL: CERTIFICATE_VERIFY_FAILED] unable to get local issuer certificate>",
            "Certificates.comm",
        ),
        ("HTTP Error 403: Forbidden", "download the files elsewhere"),
        ("<urlopen error timed out>", "set https_proxy"),
        ("<urlopen error [Errno 101] Network is unreachable>", "connect to the network"),
    ],
)
def test_the_stand_in_says_why_it_is_there_and_what_helps(tiny, tmp_path, monkeypatch, error, helps):
    def fails(folder, download):
        raise RuntimeError(f"Error downloading x:\nTried a, got:\n{error}\nTried b, got:\n{error}\n")

    downloads_are(monkeypatch, fails)
    problem = data.fetch("mnist", tmp_path / "empty")
    assert problem == f"the download failed: {error}"  # once, though two mirrors said so
    assert helps in data.advice(problem)


class Downloads:
    """In the place of torchvision's class: its first mirror drops packets, as a firewall does."""

    mirrors: ClassVar = ["https://first/", "https://second/"]
    tried: ClassVar = []

    def __init__(self, folder, download):
        self.tried.append(self.mirrors)
        if self.mirrors[0] == "https://first/":
            raise TimeoutError("The read operation timed out")
        write_raw(Path(folder), self.contents)


def test_after_a_time_out_another_mirror_comes_first(tiny, tmp_path, monkeypatch, capsys):
    _root, contents = tiny
    monkeypatch.setattr(Downloads, "contents", contents, raising=False)
    downloads_are(monkeypatch, Downloads)
    assert data.fetch("mnist", tmp_path / "fresh") is None
    assert [mirrors[0] for mirrors in Downloads.tried] == ["https://first/", "https://second/"]
    assert all(len(mirrors) == 3 for mirrors in Downloads.tried)
    assert Downloads.mirrors == ["https://first/", "https://second/"], "torchvision's own list is as it was"
    assert "trying another mirror" in capsys.readouterr().err


def test_where_no_mirror_answers_in_time_there_is_no_second_round_of_waiting(tiny, tmp_path, monkeypatch):
    calls = []

    def silent(folder, download):
        calls.append(folder)
        raise RuntimeError("Error downloading x:\nTried a, got:\n<urlopen error timed out>\n")

    downloads_are(monkeypatch, silent)
    assert "timed out" in data.fetch("mnist", tmp_path / "fresh")
    assert len(calls) == 1


@pytest.mark.parametrize(
    "place",
    [
        "MNIST/train-images-idx3-ubyte",  # no folder "raw"
        "train-images.idx3-ubyte",  # the older name
        "MNIST/raw/train-images-idx3-ubyte/train-images-idx3-ubyte",  # unpacked into a folder of its own
        "archive/MNIST/train-images.idx3-ubyte.gz",
    ],
)
def test_files_that_lie_under_other_names_are_named(tiny, place):
    root, contents = tiny
    content = contents[FILES[0]]
    (root / "MNIST" / "raw" / FILES[0]).unlink()
    path = root / place
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(gzip.compress(content) if path.suffix == ".gz" else content)
    right = root / "MNIST" / "raw" / (FILES[0] + ".gz" * (path.suffix == ".gz"))
    assert f"move {path} to {right}" in image_files.status("mnist", root).problem
    path.write_bytes(b"another file of that name")
    assert "move" not in image_files.status("mnist", root).problem


def test_folders_are_resolved_once_where_a_command_begins(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    monkeypatch.setenv("DATA_ROOT", "images")
    monkeypatch.setenv("FIGURES_DIR", "~/figures")
    assert settings.folders()["DATA_ROOT"] == str(tmp_path / "images")
    assert settings.folders()["FIGURES_DIR"] == str(tmp_path / "home" / "figures")
    monkeypatch.delenv("DATA_ROOT")
    (tmp_path / "data").mkdir()
    assert settings.data_root() == tmp_path / "data"
