"""The processes of a distributed training: who this one is, and how the others are started.

torchrun and srun start every process themselves, with their environment variables. Otherwise the first process starts
the others of its machine when a training begins, and waits for them when it ends. (Lightning would start the command
line again, which in a sweep is all jobs of the sweep.)
"""

import os
import socket
import subprocess
import sys
import threading
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any

import torch
from lightning.fabric.plugins.environments import LightningEnvironment
from torch import distributed

from cfvqa.environment import number_in
from cfvqa.errors import INPUT_ERROR, InputError
from cfvqa.training.keeping import PREEMPTED

_OURS = "CFVQA_PROCESSES"  # set where a first process of ours has started the others
_STEP_TASKS = "SLURM_STEP_NUM_TASKS"
_LOST = 1  # exit status of a process whose peer has died
_ENDING = 2.0  # seconds that a process takes to end when its connections are closed
_PATIENCE = 20.0  # seconds that a training has to notice that a peer has died


def rank() -> int:
    """Return the number of this process among all of its training; 0 alone.

    Raises:
        InputError: as all that read the environment here, naming a variable that holds no number.
    """
    if "RANK" in os.environ and "LOCAL_RANK" in os.environ:  # RANK alone is a scheduler's, of its own processes
        return number_in("RANK")
    return number_in("SLURM_PROCID") if by_slurm() else local_rank()


def started_processes() -> int:
    """Return how many processes there are of this training, whatever its trainer asks for."""
    return _first_of("WORLD_SIZE", _STEP_TASKS, otherwise=1)


def local_rank() -> int:
    """Return the number of this process on its machine: that of its device."""
    return _first_of("LOCAL_RANK", "SLURM_LOCALID", otherwise=0)


def started_outside() -> bool:
    """Whether torchrun, srun or a first process has started this process as one of several."""
    return "LOCAL_RANK" in os.environ or by_slurm()


def started_by_us() -> bool:
    """Whether a first process of ours has started the others of this training, or is about to end with them."""
    return _OURS in os.environ


def one_of_several() -> bool:
    """Whether torchrun or srun has started this process beside others."""
    return started_outside() and started_processes() > 1 and not started_by_us()


def by_slurm() -> bool:
    """Whether srun has started this process as one of several.

    A batch script, which is one process, is told of the tasks of its job too; of a step, srun alone tells.
    """
    return "SLURM_PROCID" in os.environ and _STEP_TASKS in os.environ and number_in(_STEP_TASKS) > 1


def _first_of(ours: str, of_slurm: str, otherwise: int) -> int:
    """Return the number in a variable; that of SLURM counts where srun has started several processes."""
    if ours in os.environ:
        return number_in(ours)
    return number_in(of_slurm) if by_slurm() and of_slurm in os.environ else otherwise


def environment() -> list[LightningEnvironment]:
    """Return what tells Lightning who this process is, where neither torchrun nor srun has started it.

    In a SLURM job of one task Lightning would take every process of ours for the only one, and in the script of a job
    of several tasks refuse to be the only one.
    """
    return [] if started_outside() and not started_by_us() else [LightningEnvironment()]


def uses_gpu(trainer: Mapping[str, Any]) -> bool:
    """Whether the arguments of a `Trainer` ask for GPUs, or take one where there is one."""
    accelerator = trainer.get("accelerator", "auto")
    return accelerator in ("gpu", "cuda") or (accelerator == "auto" and torch.cuda.device_count() > 0)


def device_count(trainer: Mapping[str, Any]) -> int:
    """Return how many devices of a machine the arguments of a `Trainer` ask for.

    Raises:
        InputError: if they ask for none, or for GPUs that are not there.
    """
    wanted, on_gpu, there = trainer.get("devices", 1), uses_gpu(trainer), torch.cuda.device_count()
    if on_gpu and not there:
        raise InputError(
            f"trainer.accelerator={trainer['accelerator']}: this machine has no GPU that can be used: choose "
            "trainer=cpu or trainer=ddp_cpu"
        )
    if wanted in ("auto", -1):
        return there if on_gpu else 1
    count = int(wanted)
    if count < 1:
        raise InputError(f"trainer.devices={wanted} asks for no device: give a number from 1, or auto")
    if on_gpu and count > there:
        raise InputError(f"trainer.devices={wanted} asks for {count} GPUs, this machine has {there}")
    return count


def process_count(trainer: Mapping[str, Any]) -> int:
    """Return how many processes, over all machines, the arguments of a `Trainer` ask for.

    Raises:
        InputError: as `device_count`.
    """
    return device_count(trainer) * int(trainer.get("num_nodes", 1))


def check_machines(trainer: Mapping[str, Any]) -> None:
    """Check that the processes of a training can be started.

    Raises:
        InputError: if several machines are asked for and nobody has started the processes.
    """
    if trainer.get("num_nodes", 1) > 1 and not started_outside():
        raise InputError(
            f"trainer.num_nodes={trainer['num_nodes']}: start one process a device with srun or torchrun, "
            "which tell the machines of each other"
        )


@contextmanager
def further_ranks(trainer: Mapping[str, Any], command: Sequence[str]) -> Iterator[None]:
    """Start the other processes of a training for as long as the context lasts.

    Args:
        trainer: arguments of `lightning.Trainer`: devices, num_nodes.
        command: runs the same training in another process.

    Raises:
        InputError: as `check_machines`, and if another process ends with one.
    """
    check_machines(trainer)
    count = device_count(trainer)
    if started_outside() or process_count(trainer) == 1:
        yield
        return
    place = {"MASTER_ADDR": "127.0.0.1", "MASTER_PORT": str(_free_port())}
    shared = place | {"WORLD_SIZE": str(count), "NODE_RANK": "0", _OURS: "1"}
    children = [subprocess.Popen(command, env=os.environ | shared | _numbered(number)) for number in range(1, count)]
    before, threads = dict(os.environ), torch.get_num_threads()
    os.environ.update(shared | _numbered(0))
    over = threading.Event()
    threading.Thread(target=_watch, args=(children, over), daemon=True).start()
    try:
        yield
        for child in children:
            child.wait()
    except RuntimeError as error:  # over gloo, of a peer that has gone
        over.wait(_ENDING)
        if any(child.poll() == INPUT_ERROR for child in children):
            raise InputError("another process of the training has ended: its message says why") from error
        raise
    finally:
        over.set()
        for child in children:
            child.kill()
            child.wait()
        if distributed.is_initialized():
            distributed.destroy_process_group()
        os.environ.clear()
        os.environ.update(before)
        torch.set_num_threads(threads)  # Lightning has shared the cores among the processes


def _numbered(number: int) -> dict[str, str]:
    """Return what tells a process of this one machine its number, whatever a scheduler has told the first."""
    return {"RANK": str(number), "LOCAL_RANK": str(number)}


def _watch(children: list[subprocess.Popen[bytes]], over: threading.Event) -> None:
    """End this process when another one has died and it does not fail by itself: it would wait for it for ever."""
    while not over.wait(1.0):
        for child in children:
            if child.poll() not in (None, 0, PREEMPTED):
                wrong_input = child.returncode == INPUT_ERROR  # of which the process itself has told
                if not wrong_input:
                    sys.stderr.write(f"error: a process of the training has ended with status {child.returncode}\n")
                for other in children:
                    other.kill()
                if not over.wait(_PATIENCE):  # over gloo the training has heard of it, and fails by itself
                    os._exit(INPUT_ERROR if wrong_input else _LOST)
                return  # what the others end with is our doing


def _free_port() -> int:
    with socket.socket() as found:
        found.bind(("127.0.0.1", 0))
        return int(found.getsockname()[1])
