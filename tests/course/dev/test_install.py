"""Setting up: what is said before anything is downloaded, which build is taken, and by which commands."""

import json
import os
import re
import subprocess
import sys
import time
from pathlib import Path

import pytest

from course.dev import fresh, install

ROOT = Path(__file__).resolve().parents[3]
REACHED, UNREACHED = (lambda index: True), (lambda index: False)


@pytest.mark.parametrize(
    ("build", "system", "gpu", "reachable", "expected"),
    [
        ("auto", "linux", False, REACHED, ("cpu", install.CPU_INDEX)),
        ("auto", "linux", False, UNREACHED, ("gpu", None)),  # the registry's default build serves
        ("auto", "linux", True, REACHED, ("gpu", None)),
        ("cpu", "linux", True, REACHED, ("cpu", install.CPU_INDEX)),
        ("gpu", "linux", False, REACHED, ("gpu", None)),
        ("auto", "darwin", False, UNREACHED, ("cpu", None)),  # whose registry's builds hold no CUDA
        ("auto", "win32", False, UNREACHED, ("cpu", None)),
    ],
)
def test_the_build_follows_the_machine_and_the_wish(build, system, gpu, reachable, expected):
    assert install.plan(build, system, gpu, reachable)[:2] == expected


def test_what_is_downloaded_is_said_with_its_size_and_the_reason():
    text = install.announcement(install.plan("auto", "linux", False, UNREACHED), install.SIZES["gpu"], "linux")
    assert "cannot be reached, so the registry's default build serves" in text
    assert "downloads about 3.3 GB" in text and "fills 6.9 GB" in text and "at 16 Mbit/s 28" in text


@pytest.mark.parametrize(
    ("machine", "says"),
    [(("darwin", "x86_64", 2**63), "no builds for Macs with an Intel"), (("win32", "x86", 2**31), "of 32 bits")],
)
def test_machines_without_a_build_of_pytorch_get_a_sentence(machine, says):
    with pytest.raises(SystemExit, match=says):
        install.refuse(*machine)
    install.refuse("darwin", "arm64", 2**63)


def test_a_full_disk_is_noticed_before_the_download():
    with pytest.raises(SystemExit, match=r"has 2\.0 GB free, and this fills 6\.9 GB"):
        install.refuse_full_disk(2.0, install.SIZES["gpu"])
    install.refuse_full_disk(3.0, install.SIZES["cpu"])


@pytest.mark.parametrize("version", [(3, 6), (3, 9)])
def test_an_old_python_gets_a_sentence_before_anything_else(version, tmp_path):
    source = (ROOT / "course/dev/install.py").read_text(encoding="utf-8")
    compile(source, "install.py", "exec")
    head = source.partition("\nimport argparse")[0]
    assert "X | None" not in head
    script = f"import sys; sys.version_info = {(*version, 1, 'final', 0)}\n{head}\nprint('went on')"
    ran = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True)
    assert ran.returncode == 1 and ran.stdout == ""
    assert f"is {version[0]}.{version[1]}: install a newer one from python.org" in ran.stderr


def test_an_index_whose_packets_are_dropped_costs_seconds(monkeypatch):
    monkeypatch.setattr(install, "PROBE_S", 0.5)
    start = time.monotonic()

    class Hangs:
        """In the place of a name server that does not answer."""

        def __call__(self, command, timeout, **_):
            assert timeout == 0.5
            raise subprocess.TimeoutExpired(command, timeout)

    monkeypatch.setattr(install.subprocess, "run", Hangs())
    assert install.reaches("https://10.255.255.1/whl/cpu") is False
    assert time.monotonic() - start < 60


@pytest.fixture
def commands(monkeypatch, tmp_path):
    """Every command that an installation would run, with its environment."""
    calls = []

    def run(command, env=None, **_):
        calls.append(([str(part) for part in command], env or {}))
        return subprocess.CompletedProcess(command, 0)

    monkeypatch.setattr(install.subprocess, "run", run)
    monkeypatch.setattr(install, "VENV", tmp_path / ".venv")
    monkeypatch.setattr(install.shutil, "which", lambda name: None)
    monkeypatch.setenv("PIP_EXTRA_INDEX_URL", "https://mirror/with/cuda")
    return calls


def test_both_torch_and_torchvision_come_from_the_one_index(commands, monkeypatch):
    locked = install.versions("locked", (3, 12))
    install.install(install.Plan("cpu", install.CPU_INDEX, ""), locked)
    make, _, pair, rest = commands
    assert make[0][1:3] == ["-m", "venv"]
    names = [part.partition("==")[0] for part in pair[0][-2:]]
    assert names == ["torch", "torchvision"] and pair[0][-4:-2] == ["--index-url", install.CPU_INDEX]
    assert "PIP_EXTRA_INDEX_URL" not in pair[1] and pair[1]["PIP_CONFIG_FILE"] == os.devnull
    assert rest[0][-4:] == ["--constraint", str(install.LOCK), "--editable", install.WHAT]
    assert "--quiet" not in pair[0] + rest[0]


def test_uv_does_the_work_where_it_is(commands, monkeypatch):
    monkeypatch.setattr(install.shutil, "which", lambda name: f"/bin/{name}")
    install.install(install.Plan("gpu", None, ""), install.versions("lowest", (3, 10)))
    make, rest = (command for command, _ in commands)
    assert make[:2] == ["/bin/uv", "venv"]
    assert rest[:3] == ["/bin/uv", "pip", "install"] and "lowest-direct" in rest


def test_the_build_for_the_cpu_makes_way_for_the_one_with_cuda(commands):
    (install.VENV / "lib" / "torch-2.14.1+cpu.dist-info").mkdir(parents=True)
    install.install(install.Plan("gpu", None, ""), [])
    assert any("uninstall" in command for command, _ in commands)


def test_a_failing_step_ends_the_installation_with_a_sentence(commands, monkeypatch):
    monkeypatch.setattr(install.subprocess, "run", lambda command, **_: subprocess.CompletedProcess(command, 7))
    with pytest.raises(SystemExit, match=r"ended with 7\); the reason stands above"):
        install.install(install.Plan("gpu", None, ""), [])


def test_the_pair_is_found_in_the_project_and_in_the_lock():
    text = (ROOT / "pyproject.toml").read_text(encoding="utf-8")
    assert install.pair(text, []) == ["torch>=2.4,<3", "torchvision>=0.19,<1"]
    torch, torchvision = install.pair(text, ["--constraint", "x"])
    assert torch.startswith("torch==2.") and torchvision.startswith("torchvision==0.")


def test_a_python_that_the_lock_does_not_know_gets_the_newest_versions(capsys):
    assert install.versions("locked", (3, 99)) == [] and "3.99 is newer" in capsys.readouterr().out


def test_the_dev_container_has_what_the_sandbox_of_the_rerun_needs():
    lines = (ROOT / ".devcontainer/devcontainer.json").read_text(encoding="utf-8").splitlines()
    container = json.loads("\n".join(line for line in lines if not line.strip().startswith("//")))
    assert "install --yes bubblewrap" in container["postCreateCommand"] and container["remoteUser"] != "root"
    assert container["postCreateCommand"].endswith("&& make setup")


def test_downloads_are_counted_from_what_pip_and_uv_say():
    log = "Downloading a-1.whl (190.5 MB)\n  Downloading b.whl (500 kB)\nDownloading c.whl.metadata (3.1 kB)\nno (9 MB)"
    assert fresh.downloaded_gb(log) == pytest.approx(0.1910031)
    assert fresh.downloaded_gb("Downloading torch (760.3MiB)\n Downloaded torch") == pytest.approx(0.797232)


def test_what_uv_links_from_its_cache_fills_the_disk_once(tmp_path):
    (tmp_path / "cache").mkdir()
    (tmp_path / "cache" / "wheel").write_bytes(b"x" * 1000)
    os.link(tmp_path / "cache" / "wheel", tmp_path / "module")
    assert install.gigabytes(tmp_path) == pytest.approx(1e-6)


def test_versions_are_listed_where_uv_has_made_an_environment_without_pip():
    listed = subprocess.run([sys.executable, "-c", fresh.PACKAGES], capture_output=True, text=True).stdout.splitlines()
    assert any(line.startswith("torch==2.") for line in listed)


def untested(table: str, tests: set[str]) -> list[str]:
    """Return the rows of a table of reports that name no test, or one that does not exist."""
    rows = [line for line in table.splitlines() if line.startswith("| ")][1:]  # after the head
    named = [re.findall(r"`(test_\w+)`", row.rstrip("| ").rsplit("|", 1)[-1]) for row in rows]
    return [row for row, names in zip(rows, named, strict=True) if not names or not tests.issuperset(names)]


def test_every_public_bug_report_has_a_test_that_exists():
    """A renamed test would otherwise leave a row without anything that holds it."""
    sources = (path.read_text(encoding="utf-8") for path in (ROOT / "tests").rglob("test_*.py"))
    tests = {name for source in sources for name in re.findall(r"^def (test_\w+)", source, re.MULTILINE)}
    table = (ROOT / "docs" / "install.md").read_text(encoding="utf-8").split("## What public bug reports taught")[1]
    numbers = [int(number) for number in re.findall(r"^\| (\d+) \|", table, re.MULTILINE)]
    assert numbers == sorted(numbers) and set(numbers) == set(range(1, 11))  # ten kinds, each with its reports
    assert untested(table, tests) == []
    assert untested("| report | now | test |\n|---|---|---|\n| CRLF | `.x` | `test_gone` |", tests)
    assert untested("| report | now | test |\n|---|---|---|\n| CRLF | `.x` | none |", tests)
