"""Dropout that costs a processor little: on AMD's, torch's masks take a fifteenth of a step at the published sizes."""

import torch
from torch import Tensor, nn

_VALUES = 2**16  # of 16 bits: a draw of 64 is enough for four elements


class Dropout(nn.Dropout):
    """Dropout whose mask takes 16 random bits an element, not 64 as torch's (on an Intel processor MKL draws that).

    The share that is lost is `p` to the nearest 1/65,536; the mean stays that of the input all the same. On a GPU, and
    in a compiled part, it is torch's own.
    """

    def forward(self, state: Tensor) -> Tensor:
        """Drop from states of any shape."""
        lost = round(self.p * _VALUES)
        cheap = state.device.type == "cpu" and not torch.compiler.is_compiling()
        if not (self.training and cheap and 0 < lost < _VALUES):
            return super().forward(state)
        scale = _VALUES / (_VALUES - lost)
        return state * (_random_bits(state.shape) >= lost - _VALUES // 2).to(state.dtype).mul_(scale)


def drawn_cheaply(module: nn.Module) -> None:
    """Put `Dropout` in the place of torch's in a module of a library."""
    for name, child in module.named_children():
        if type(child) is nn.Dropout:
            setattr(module, name, Dropout(child.p).train(child.training))
        else:
            drawn_cheaply(child)


def _random_bits(shape: torch.Size) -> Tensor:
    """Return random whole numbers of 16 bits, from -32,768 to 32,767."""
    count = shape.numel()
    drawn = torch.empty(-(-count // 4), dtype=torch.int64, device="cpu").random_(-(2**63), None)
    return drawn.view(torch.int16)[:count].view(shape)
