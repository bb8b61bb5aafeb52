"""Are 16 bits faster?"""

import torch
from torch import Tensor, nn

from cfvqa.bench.figures import Figure, of_step
from cfvqa.bench.lab import Lab, Step
from cfvqa.bench.rounds import interleave
from cfvqa.data.batches import PairBatch


class Mixed(nn.Module):
    """A loss whose matrix products are of 16 bits, as in a training with precision=bf16; weights keep their 32."""

    def __init__(self, loss: nn.Module) -> None:
        super().__init__()
        self.loss = loss

    def forward(self, batch: PairBatch) -> Tensor:
        """Return the loss of a batch."""
        with torch.autocast(batch.row.device.type, dtype=torch.bfloat16):
            return self.loss(batch)


def _memory(step: Step, batch: PairBatch) -> str:
    """Say what a step takes of the memory of a GPU beyond what was taken before; of a processor nothing is known."""
    if batch.row.device.type != "cuda":
        return ""
    step.take(batch)  # the optimizer makes its states
    before = torch.cuda.memory_allocated()
    torch.cuda.reset_peak_memory_stats()
    step.take(batch)
    return f", {(torch.cuda.max_memory_allocated() - before) / 2**30:.3g} GiB for states"


def precision(lab: Lab) -> list[Figure]:
    """Compare the step with that in mixed precision (precision=bf16)."""
    batch, phase = lab.inputs.pair_batch().to(lab.device), lab.last_phase
    losses = {"32": lab.loss(phase), "bf16": Mixed(lab.loss(phase))}
    steps = {name: lab.step(loss, phase) for name, loss in losses.items()}
    memory = {name: _memory(step, batch) for name, step in steps.items()}
    rounds = interleave({name: step.timed(batch) for name, step in steps.items()}, lab.repeats)
    return [
        Figure(
            measured=f"training step, {phase}: precision=32, or bf16",
            ours=f"{of_step(rounds.median('32'))} a step{memory['32']}",
            other=f"{of_step(rounds.median('bf16'))} a step{memory['bf16']}",
            ratio=rounds.ratio("bf16", "32"),
            meaning="times as long",
            limit="matrix products alone gain, where the machine has instructions for 16 bits; losses and the "
            "optimizer keep 32, and what goes to and fro is cast",
        )
    ]
