"""The wheel: everything that a command needs lies in it."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

PROJECT = Path(__file__).parents[2]


@pytest.fixture(scope="module")
def installed(tmp_path_factory):
    """Build the wheel and install it, alone, into a folder."""
    wheels, folder = tmp_path_factory.mktemp("wheels"), tmp_path_factory.mktemp("installed")
    build = [sys.executable, "-m", "build", "--wheel", "--no-isolation", "--outdir", str(wheels), str(PROJECT)]
    subprocess.run(build, check=True, capture_output=True)
    install = [sys.executable, "-m", "pip", "install", "--quiet", "--no-deps", "--target", str(folder)]
    subprocess.run([*install, *map(str, wheels.glob("*.whl"))], check=True, capture_output=True)
    return folder


def run(installed, cwd, *arguments):
    environment = os.environ | {"PYTHONPATH": str(installed)}
    done = subprocess.run(
        [sys.executable, *arguments], cwd=cwd, env=environment, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_configs_and_page_lie_in_the_package(installed, tmp_path):
    place = run(installed, tmp_path, "-c", "import cfvqa; print(cfvqa.__file__)")
    assert Path(place.strip()).is_relative_to(installed)
    assert (installed / "cfvqa" / "conf" / "config.yaml").is_file()
    assert (installed / "cfvqa" / "evaluation" / "report.html.j2").is_file()
    assert not (installed / "tests").exists()


def test_a_command_runs_from_it_outside_the_repository(installed, tmp_path):
    output = run(installed, tmp_path, "-m", "cfvqa.commands.prepare", "experiment=phantom_tiny")
    assert "subjects 100" in output
    assert list(tmp_path.glob("work/tables/*/_SUCCESS"))
