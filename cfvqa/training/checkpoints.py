"""Checkpoints that are whole or not there, and loading that runs no code."""

import os
from pathlib import Path
from typing import Any

import torch
from lightning.fabric.plugins.io.torch_io import TorchCheckpointIO

from cfvqa.errors import InputError


class AtomicCheckpoints(TorchCheckpointIO):
    """Write a checkpoint beside its final name, flush it, rename it."""

    def save_checkpoint(self, checkpoint: dict[str, Any], path: str | Path, storage_options: Any = None) -> None:
        """Write `checkpoint` to `path`."""
        final = Path(path)
        final.parent.mkdir(parents=True, exist_ok=True)
        temporary = final.with_name(final.name + ".tmp")
        with temporary.open("wb") as file:
            torch.save(checkpoint, file)
            file.flush()
            os.fsync(file.fileno())
        temporary.replace(final)


def load_weights(module: torch.nn.Module, path: Path) -> None:
    """Load the weights of a checkpoint into the network that it was made from.

    Raises:
        InputError: if the file is missing, damaged, or of another model.
    """
    module.load_state_dict(_fitting_weights(module, path))


def check_weights(module: torch.nn.Module, path: Path) -> None:
    """Check that a checkpoint is whole and of this network, before a training goes on from it.

    Raises:
        InputError: as `load_weights`.
    """
    _fitting_weights(module, path)


def _fitting_weights(module: torch.nn.Module, path: Path) -> dict[str, torch.Tensor]:
    if not path.is_file():
        raise InputError(f"checkpoint {path} is missing: train first")
    try:
        state = torch.load(path, map_location="cpu", weights_only=True)["state_dict"]
    except Exception as error:
        raise InputError(f"checkpoint {path} is damaged or foreign ({error}): delete it and train again") from error
    own = module.state_dict()
    wrong = sorted(own.keys() ^ state.keys()) or [name for name in own if own[name].shape != state[name].shape]
    if wrong:
        raise InputError(
            f"checkpoint {path} is of another model ({len(wrong)} of its weights do not fit, the first is "
            f"'{wrong[0]}'): choose the config it was trained with, or delete it and train again"
        )
    return state
