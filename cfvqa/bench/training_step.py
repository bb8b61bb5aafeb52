"""How much of the speed of a plain matrix product does a training step reach?"""

from collections.abc import Callable

import torch
from torch.nn.attention import SDPBackend, sdpa_kernel
from torch.utils.flop_counter import FlopCounterMode

from cfvqa.bench.figures import Figure, of_step
from cfvqa.bench.lab import Lab
from cfvqa.bench.rounds import Rounds, interleave, timed

_SIDE = 2048  # of the matrices of the plain product
_PRODUCTS = 4  # in a row: one is over before a clock can tell
_SGEMM = "sgemm"
_LAUNCHES = ", and to starting thousands of kernels from Python, which takes as long for a small batch"


def training_step(lab: Lab) -> list[Figure]:
    """Compare the step of every phase with a plain matrix product of the same type and threads."""
    batch = lab.inputs.pair_batch().to(lab.device)
    steps = {phase: lab.step(lab.loss(phase), phase) for phase in lab.config.phases}
    flop = {phase: flop_of(lambda step=step: step.take(batch)) for phase, step in steps.items()}
    ways = {phase: step.timed(batch) for phase, step in steps.items()}
    rounds = interleave(ways | {_SGEMM: timed(_sgemm(lab.device))}, lab.repeats)
    rest = _LAUNCHES if lab.device.type == "cuda" else ""
    return [_figure(phase, len(batch.unit), flop[phase], rounds, rest) for phase in steps]


def flop_of(work: Callable[[], object]) -> int:
    """Return the floating-point operations of the matrix products in `work`; a multiplication and an addition are two.

    Attention is spelled out for the count: fused kernels hide their products from it.
    """
    with sdpa_kernel(SDPBackend.MATH), FlopCounterMode(display=False) as counter:
        work()
    return int(counter.get_total_flops())


def _sgemm(device: torch.device) -> Callable[[], None]:
    one, other, result = (torch.ones(_SIDE, _SIDE, device=device) for _ in range(3))

    def multiply() -> None:
        for _ in range(_PRODUCTS):
            torch.mm(one, other, out=result)

    return multiply


def _figure(phase: str, questions: int, flop: int, rounds: Rounds, rest: str) -> Figure:
    plain = 2 * _SIDE**3 * _PRODUCTS
    seconds, peak = rounds.median(phase), plain / rounds.median(_SGEMM)
    share = flop / plain * rounds.ratio(_SGEMM, phase)
    return Figure(
        measured=f"training step, {phase}: {questions} pairs, a question each",
        ours=f"{of_step(seconds)}, {flop / 1e9:.3g} GFLOP, {flop / seconds / 1e9:.3g} GFLOP/s",
        other=f"sgemm of side {_SIDE:,}: {peak / 1e9:.0f} GFLOP/s",
        ratio=share,
        meaning="of its speed",
        limit=f"all its matrix products would take {of_step(flop / peak)} at that speed; the rest goes over states "
        f"once each (dropout, normalisation, softmax, activations) and over the weights (optimizer){rest}",
    )
