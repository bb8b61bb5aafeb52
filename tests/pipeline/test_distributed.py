"""Trainings and extraction in two processes, started in each of the ways that users have."""

import csv
import os
import shutil
import signal
import socket
import subprocess
import sys
from subprocess import PIPE

import h5py
import numpy as np
import pytest
import torch
from processes import ENVIRONMENT, command, run, wait_for

pytestmark = pytest.mark.long
TWO = "trainer=ddp_cpu"
# The trainers of docs/pages/how-to/cluster.md, with the GPUs of one machine or of two replaced by two processes.
DDP = ("trainer=ddp", "trainer.accelerator=cpu", "trainer.devices=2")
MULTI_NODE = ("trainer=multi_node", "trainer.accelerator=cpu", "trainer.devices=1", "trainer.num_nodes=2")


def free_port():
    with socket.socket() as found:
        found.bind(("127.0.0.1", 0))
        return str(found.getsockname()[1])


def weights(folder, name):
    return torch.load(folder / f"runs/{name}/vqa/finetune/checkpoints/best.ckpt", weights_only=True)["state_dict"]


def assert_same(one, two):
    assert one.keys() == two.keys()
    assert all(torch.equal(one[name], two[name]) for name in one)


@pytest.fixture(scope="module")
def two(folder):
    """The weights of a training in two processes, started by the command itself."""
    status, output = run(folder, "train", *DDP, "name=two")
    assert status == 0, output
    assert output.count("finetune epoch 1/1") == 1
    return weights(folder, "two")


def test_two_processes_learn_what_one_learns_up_to_which_questions_are_matched(folder, two):
    alone = weights(folder, "phantom_tiny")
    apart = max(float((alone[name].float() - two[name].float()).abs().max()) for name in alone)
    # Matching has a limit, of which each process has its share; else a step is the same (training/test_steps.py).
    assert 0 < apart < 0.05


def kill_when(line, folder, pattern):
    """Start a command, and kill all its processes when a file is there."""
    with subprocess.Popen(
        line,
        cwd=folder,
        env=ENVIRONMENT,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        start_new_session=True,
    ) as started:
        wait_for(started, folder, pattern)
        os.killpg(started.pid, signal.SIGKILL)


def test_a_sweep_killed_in_both_its_jobs_ends_as_one_that_was_not(folder, two):
    sweep = ("train", TWO, "name=swept", "evaluation.seed=1,2", "--multirun")  # which changes nothing that is learned
    for seed in (1, 2):
        kill_when(command(*sweep), folder, f"runs/swept*seed-{seed}-*/vqa/finetune/checkpoints/last.ckpt")
    first = folder / "runs/swept-evaluation.seed-1-trainer-ddp_cpu"
    made = (first / "vqa/_SUCCESS").stat().st_mtime_ns
    status, output = run(folder, *sweep)
    assert status == 0, output
    assert "2 jobs, 0 failed" in output
    assert output.count("done in") == 1
    assert (first / "vqa/_SUCCESS").stat().st_mtime_ns == made
    with (folder / "runs/sweeps/swept/jobs.csv").open() as file:
        jobs = list(csv.DictReader(file))
    assert [job["state"] for job in jobs] == ["done", "done"]
    for job in jobs:
        assert_same(weights(folder, job["run"]), two)
        assert float(job["val/generation"]) == pytest.approx(figure(folder, "two"), abs=1e-4)


def figure(folder, name):
    with (folder / f"runs/{name}/vqa/finetune/metrics.csv").open() as file:
        return min(float(row["val/generation"]) for row in csv.DictReader(file) if row["val/generation"])


def test_torchrun_starts_the_same_training(folder, two):
    start = [sys.executable, "-m", "torch.distributed.run", "--nproc-per-node=2", f"--master-port={free_port()}", "-m"]
    line = [*start, *command("train", *DDP, "name=torchrun")[2:]]
    done = subprocess.run(line, cwd=folder, env=ENVIRONMENT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    assert_same(weights(folder, "torchrun"), two)


def by_slurm(rank, port, nodes=1):
    """Return the environment of one of two processes that srun has started on one machine, or on two."""
    a_node = 2 // nodes
    return ENVIRONMENT | {
        "SLURM_JOB_ID": "7",
        "SLURM_JOB_NAME": "train",
        "SLURM_NTASKS": "2",
        "SLURM_STEP_NUM_TASKS": "2",
        "SLURM_NTASKS_PER_NODE": str(a_node),
        "SLURM_NNODES": str(nodes),
        "SLURM_NODEID": str(rank // a_node),
        "SLURM_NODELIST": "localhost",
        "SLURM_PROCID": str(rank),
        "SLURM_LOCALID": str(rank % a_node),
        "MASTER_ADDR": "127.0.0.1",
        "MASTER_PORT": port,
    }


def test_processes_of_slurm_on_two_machines_find_each_other(folder, two):
    port = free_port()
    processes = [
        subprocess.Popen(
            command("train", *MULTI_NODE, "name=slurm"),
            cwd=folder,
            env=by_slurm(rank, port, nodes=2),
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )
        for rank in range(2)
    ]
    outputs = [process.communicate()[0] for process in processes]
    assert [process.returncode for process in processes] == [0, 0], "\n".join(outputs)
    assert_same(weights(folder, "slurm"), two)


def test_a_process_of_slurm_does_not_wait_for_a_first_one_that_was_killed(tmp_path):
    # srun itself would end it only with --kill-on-bad-exit.
    port, line = free_port(), command("train", TWO, "detector.training.epochs=99")
    started = [
        subprocess.Popen(line, cwd=tmp_path, env=by_slurm(rank, port), stdout=PIPE, stderr=PIPE, text=True)
        for rank in range(2)
    ]
    with started[0] as first, started[1] as second:
        wait_for(first, tmp_path, "work/anatomy/*/checkpoints/last.ckpt")  # of a stage that it makes alone
        first.kill()
        _, error = second.communicate(timeout=60)
    assert second.returncode == 1
    assert "the first process ended" in error


def test_a_port_that_is_taken_is_named(folder):
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        environment = by_slurm(0, str(taken.getsockname()[1]))
        line = command("train", TWO, "name=port")
        done = subprocess.run(line, cwd=folder, env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 2, done.stderr
    assert done.stderr.count("error: ") == 1
    assert "give another MASTER_PORT" in done.stderr


def test_extraction_in_two_processes_writes_the_same_rows(folder, tmp_path):
    shards = []
    for place, devices in (("one", 1), ("two", 2)):
        work = tmp_path / place
        shutil.copytree(folder / "work", work, ignore=shutil.ignore_patterns("features", "*.lock"))
        small = ("extraction.rows_per_shard=64", "extraction.batch_size=32", "extraction.trainer.accelerator=cpu")
        status, output = run(folder, "extract", f"work={work}", *small, f"extraction.trainer.devices={devices}")
        assert status == 0, output
        shards.append(sorted(work.glob("features/*/part-*.h5")))
    assert [path.name for path in shards[0]] == [path.name for path in shards[1]]
    assert len(shards[0]) > 2
    for one, other in zip(*shards, strict=True):
        with h5py.File(one) as first, h5py.File(other) as second:
            assert all(np.array_equal(first[name][:], second[name][:]) for name in first)


def test_a_process_that_dies_ends_the_training_with_a_message(folder):
    broken = os.environ.get("PYTHONPATH", "")
    plant = folder / "plant"
    plant.mkdir()
    # Python runs this file when it starts: the second process ends before it has joined the first.
    (plant / "sitecustomize.py").write_text("import os\nif os.environ.get('LOCAL_RANK') == '1': os._exit(9)\n")
    environment = ENVIRONMENT | {"PYTHONPATH": f"{plant}{os.pathsep}{broken}"}
    line = command("train", TWO, "name=dies")
    done = subprocess.run(line, cwd=folder, env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 1
    assert "a process of the training has ended with status 9" in done.stderr
    assert not (folder / "runs/dies/vqa/_SUCCESS").exists()
