"""Commands in processes of their own."""

import os
import subprocess
import sys

ENVIRONMENT = os.environ | {"OMP_NUM_THREADS": "2", "COLUMNS": "200"}


def command(name, *overrides):
    """Return the command line of a command on the tiny phantom."""
    return [sys.executable, "-m", f"cfvqa.commands.{name}", "experiment=phantom_tiny", *overrides]


def run(folder, name, *overrides):
    """Run a command on the tiny phantom in `folder`; return its status and all that it printed."""
    done = subprocess.run(
        command(name, *overrides), cwd=folder, capture_output=True, text=True, env=ENVIRONMENT, check=False
    )
    return done.returncode, done.stdout + done.stderr
