"""torch.compile as a choice."""

import os
import shutil

from torch import nn

_COMPILERS = ("g++", "clang++", "c++")


def compile_parts(model: nn.Module) -> None:
    """Compile the largest parts of a model that are called as a whole, in place; names of weights stay.

    A part is compiled when it is first called, and again for sizes of batches that it has not seen. What is called
    otherwise than by its `forward`, and single layers, where nothing can be fused, stay as they are.
    """
    for part in model.children():
        if type(part).forward is nn.Module.forward:  # it has none: a holder of parts
            compile_parts(part)
        elif next(part.children(), None) is not None:
            part.compile()


def has_compiler() -> bool:
    """Whether there is a C++ compiler, which compiled parts need: that of CXX, or one of the usual names."""
    asked = os.environ.get("CXX")
    return any(shutil.which(name) for name in ([asked] if asked else _COMPILERS))
