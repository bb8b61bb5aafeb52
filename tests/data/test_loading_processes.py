"""Loading processes beside several training processes: they are no forks of one, and end with it."""

import os
import signal
import subprocess
import sys
import time

import pytest

TRAINING = """
import os, sys
from torch import distributed
from torch.utils.data import DataLoader, Dataset
from cfvqa.data.loading_processes import in_processes

class Pids(Dataset):
    def __len__(self):
        return 100
    def __getitem__(self, index):
        return os.getpid(), os.getppid()

if __name__ == "__main__":
    distributed.init_process_group("gloo", init_method=f"file://{sys.argv[1]}", rank=0, world_size=1)
    batches = iter(DataLoader(Pids(), batch_size=1, collate_fn=list, **in_processes(1)))
    print(*next(batches)[0], flush=True)
    sys.stdin.read()
"""


def is_there(process):
    try:
        os.kill(process, 0)
    except ProcessLookupError:
        return False
    return True


@pytest.mark.slow
def test_beside_several_training_processes_they_are_no_forks_and_end_when_theirs_is_killed(tmp_path):
    script = tmp_path / "training.py"
    script.write_text(TRAINING)
    command = [sys.executable, str(script), str(tmp_path / "meeting")]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as training:
        loading, server = map(int, training.stdout.readline().split())
        assert server not in (training.pid, os.getpid())
        training.send_signal(signal.SIGKILL)
    end = time.monotonic() + 60
    while is_there(loading) or is_there(server):
        assert time.monotonic() < end, "a loading process outlives its training"
        time.sleep(0.1)
