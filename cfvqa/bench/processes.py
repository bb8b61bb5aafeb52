"""Do two processes on one machine train faster than one with all its threads?"""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from multiprocessing import get_context
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any

import numpy as np
import torch
from omegaconf import DictConfig, OmegaConf
from torch import distributed
from torch.nn.parallel import DistributedDataParallel

from cfvqa.bench.figures import Figure
from cfvqa.bench.inputs import open_inputs
from cfvqa.bench.lab import Lab
from cfvqa.bench.rounds import interleave, timed

_COUNT = 2
_CPU = torch.device("cpu")


def processes(lab: Lab) -> list[Figure]:
    """Compare steps over the same batch: in one process with all threads, or shared by two with half of them each."""
    alone = Lab(lab.config, lab.inputs, _CPU)
    batch, threads = lab.inputs.pair_batch(), torch.get_num_threads()
    step = alone.step(alone.loss(alone.last_phase), alone.last_phase)
    with shared_steps(lab.config, lab.folder, max(1, threads // _COUNT)) as take:
        rounds = interleave({"one": step.timed(batch), "two": timed(take)}, lab.repeats)
    return [
        Figure(
            measured=f"{len(batch.unit)} pairs on the processor: two processes (trainer=ddp_cpu), or one with "
            f"{threads} threads",
            ours=f"{1 / rounds.median('two'):.2f} steps/s",
            other=f"{1 / rounds.median('one'):.2f} steps/s",
            ratio=rounds.ratio("one", "two"),
            meaning="times as many",
            limit="the same cores either way; two processes exchange gradients, and each updates all weights",
        )
    ]


@contextmanager
def shared_steps(config: DictConfig, folder: Path, threads: int) -> Iterator[Callable[[], None]]:
    """Yield what makes the processes take one step together and waits for it; between steps they sleep.

    Args:
        config: of the command.
        folder: of the features; holds what the processes find each other by, too.
        threads: of each process.
    """
    context = get_context("spawn")
    content, ends, started = OmegaConf.to_container(config, resolve=True), [], []
    for number in range(_COUNT):
        own, theirs = context.Pipe()
        process = context.Process(target=_work, args=(number, content, folder, threads, theirs), daemon=True)
        process.start()
        theirs.close()  # a process that dies is then heard of
        ends.append(own)
        started.append(process)

    def take() -> None:
        for end in ends:
            end.send("step")
        for end in ends:
            end.recv()

    try:
        for end in ends:
            end.recv()
        yield take
    finally:
        for end in ends:
            end.close()
        for process in started:
            process.join(timeout=10)
            process.kill()


def _work(number: int, content: dict[str, Any], folder: Path, threads: int, end: Connection) -> None:
    """Take a step over its share of the batch each time it is told to, until nobody listens."""
    torch.set_num_threads(threads)
    meeting = f"file://{folder.resolve() / 'meeting'}"
    distributed.init_process_group("gloo", init_method=meeting, rank=number, world_size=_COUNT)
    config = OmegaConf.create(content)
    inputs = open_inputs(config, folder)
    lab = Lab(config, inputs, _CPU)
    loss = DistributedDataParallel(lab.loss(lab.last_phase), find_unused_parameters=True)
    step = lab.step(loss, lab.last_phase)
    batch = inputs.batch(np.array_split(inputs.pairs()[: inputs.units], _COUNT)[number].tolist())
    try:
        end.send("ready")
        while True:
            end.recv()
            step.take(batch)
            end.send("done")
    except (EOFError, BrokenPipeError):
        distributed.destroy_process_group()
