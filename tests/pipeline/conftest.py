import os
import shutil
import subprocess
import sys
from importlib import import_module

import pytest
import torch
from filelock import FileLock
from hydra.core.global_hydra import GlobalHydra
from layouts import MimicTree, write_nih
from processes import THREADS, run


@pytest.fixture(scope="session")
def folder(tmp_path_factory):
    """A folder in which the tiny phantom has gone through every stage; each process of a test run has a copy."""
    base = tmp_path_factory.getbasetemp()
    made = (base.parent if "PYTEST_XDIST_WORKER" in os.environ else base) / "made"
    with FileLock(made.with_suffix(".lock")):
        if not made.exists():
            made.mkdir()
            status, output = run(made, "run")
            assert status == 0, output
    return shutil.copytree(made, tmp_path_factory.mktemp("pipeline"), dirs_exist_ok=True)


@pytest.fixture
def call(tmp_path, monkeypatch, capsys):
    """Call a command in this process, in an empty folder; returns its exit status and what it printed."""
    here = tmp_path / "here"
    here.mkdir()
    return calling_in(here, monkeypatch, capsys)


@pytest.fixture
def call_tiny(folder, monkeypatch, capsys):
    """Call a command in this process, in the folder of the tiny phantom: another process takes seconds to start."""
    monkeypatch.setenv("COLUMNS", "200")
    called, threads = calling_in(folder, monkeypatch, capsys), torch.get_num_threads()
    torch.set_num_threads(THREADS)  # with another number, the last digits would be others than in a process
    yield lambda name, *overrides: called(name, "experiment=phantom_tiny", *overrides)
    torch.set_num_threads(threads)


def calling_in(folder, monkeypatch, capsys):
    monkeypatch.chdir(folder)

    def called(name, *overrides):
        monkeypatch.setattr(sys, "argv", [f"cfvqa-{name}", *overrides])
        GlobalHydra.instance().clear()
        status = 0
        try:
            import_module(f"cfvqa.commands.{name}").main()
        except SystemExit as stop:
            status = stop.code
        printed = capsys.readouterr()
        return status, printed.out + printed.err

    called.folder = folder
    return called


@pytest.fixture
def nih(tmp_path):
    return write_nih(tmp_path / "nih")


@pytest.fixture
def mimic(tmp_path):
    return MimicTree(tmp_path / "mimic")


@pytest.fixture
def small_disk(tmp_path):
    """A disk of 3 MB: more than a shard of the tiny phantom's features, less than all of them."""
    folder = tmp_path / "disk"
    folder.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", "size=3m", "tmpfs", str(folder)]
    if os.geteuid() != 0 or subprocess.run(mount, capture_output=True, check=False).returncode != 0:
        pytest.skip("a small disk can be mounted by root only")
    yield folder
    subprocess.run(["umount", "--lazy", str(folder)], check=True)
