"""Which precision suits a device, where the settings leave that open."""

from collections.abc import Mapping
from typing import Any

import torch

from cfvqa.training.ranks import uses_gpu

_OPEN = "auto"
EMULATED = "precision=bf16: this processor has no instructions for 16 bits, and takes many times as long as with 32"
"""What is told where a reader is trained so."""


def settled(trainer: Mapping[str, Any]) -> dict[str, Any]:
    """Return the arguments of a `Trainer`, `precision: auto` replaced by what its device is fast in.

    That is bf16-mixed where it has instructions for 16 bits, and 32-true elsewhere: a processor without them takes many
    times as long.
    """
    if trainer.get("precision") != _OPEN:
        return dict(trainer)
    return {**trainer, "precision": "bf16-mixed" if computes_bf16(trainer) else "32-true"}


def is_emulated(precision: str | int, trainer: Mapping[str, Any]) -> bool:
    """Whether a reader's precision is bf16, and the device of its `Trainer` has no instructions for it."""
    return str(precision) == "bf16" and not computes_bf16(trainer)


def computes_bf16(trainer: Mapping[str, Any]) -> bool:
    """Whether the device of a `Trainer` has instructions for bf16, or for what libraries make it of."""
    if uses_gpu(trainer):
        return torch.cuda.is_bf16_supported(including_emulation=False)
    return torch.backends.cpu.get_cpu_capability() == "AVX512"
