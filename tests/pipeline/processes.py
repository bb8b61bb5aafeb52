"""Commands in processes of their own."""

import os
import subprocess
import sys
from contextlib import suppress

THREADS = 1  # small networks gain nothing from a second one, and tests run side by side
ENVIRONMENT = os.environ | {"OMP_NUM_THREADS": str(THREADS), "COLUMNS": "200"}


def command(name, *overrides, experiment="phantom_tiny"):
    """Return the command line of a command."""
    return [sys.executable, "-m", f"cfvqa.commands.{name}", f"experiment={experiment}", *overrides]


def wait_for(process, folder, pattern):
    """Wait until a file is there; the process must not end before."""
    while not list(folder.glob(pattern)):
        with suppress(subprocess.TimeoutExpired):
            process.wait(0.05)
        assert process.returncode is None, "ended too early"


def run(folder, name, *overrides, experiment="phantom_tiny"):
    """Run a command in `folder`; return its status and all that it printed."""
    line = command(name, *overrides, experiment=experiment)
    done = subprocess.run(line, cwd=folder, capture_output=True, text=True, env=ENVIRONMENT, check=False)
    return done.returncode, done.stdout + done.stderr
