"""Checkpoints that are whole or not there, and loading that runs no code."""

import zipfile
from pathlib import Path
from typing import Any

import torch
from lightning.fabric.plugins.io.torch_io import TorchCheckpointIO
from rich.console import Console

from cfvqa.errors import InputError
from cfvqa.files import whole

FORMAT = 1
"""Raised when older checkpoints can no longer be read."""

_FORMAT_KEY = "cfvqa_format"
_LAST, _PREVIOUS = "last.ckpt", "previous.ckpt"
_GOES_ON = frozenset({
    "pytorch-lightning_version", "epoch", "global_step", "loops", "callbacks", "optimizer_states", "lr_schedulers",
})  # fmt: skip
"""What a training goes on from, beside the weights."""


class AtomicCheckpoints(TorchCheckpointIO):
    """Write checkpoints whole or not at all; the last but one of `last.ckpt` is kept."""

    def save_checkpoint(self, checkpoint: dict[str, Any], path: str | Path, storage_options: Any = None) -> None:
        """Write `checkpoint` to `path`."""
        final = Path(path)
        final.parent.mkdir(parents=True, exist_ok=True)
        with whole(final) as temporary:
            torch.save({**checkpoint, _FORMAT_KEY: FORMAT}, temporary)
            if final.name == _LAST and final.exists():
                final.replace(final.with_name(_PREVIOUS))


def find_resumable(module: torch.nn.Module, folder: Path, console: Console) -> Path | None:
    """Return the newest checkpoint of a folder from which the training of `module` can go on, None for a new one.

    A damaged checkpoint is named in a warning, and the one before it taken.

    Raises:
        InputError: if there are checkpoints and none fits.
    """
    found = [path for path in (folder / _LAST, folder / _PREVIOUS) if path.exists()]
    problems: list[str] = []
    for path in found:
        try:
            check_resumable(module, path)
        except InputError as error:
            problems.append(str(error))
            continue
        for problem in problems:
            console.print(f"warning: {problem}; going on from {path.name}", highlight=False, soft_wrap=True)
        return path
    if problems:
        raise InputError(f"{problems[0]}; to begin anew, delete {folder}")
    return None


def load_weights(module: torch.nn.Module, path: Path) -> None:
    """Load the weights of a checkpoint into the network that it was made from.

    Raises:
        InputError: if the file is missing, damaged, or of another model.
    """
    module.load_state_dict(_fitting_weights(module, _read(path), path))


def check_weights(module: torch.nn.Module, path: Path) -> None:
    """Check that the weights of a checkpoint are whole and of this network, before a training begins with them.

    Raises:
        InputError: as `load_weights`.
    """
    _fitting_weights(module, _read(path), path)


def check_resumable(module: torch.nn.Module, path: Path) -> None:
    """Check that a checkpoint is whole and of this network, before a training goes on from it.

    Raises:
        InputError: as `load_weights`, or if it holds weights alone.
    """
    content = _read(path)
    _fitting_weights(module, content, path)
    if missing := sorted(_GOES_ON - content.keys()):
        raise InputError(f"checkpoint {path} holds no {missing[0]}, so that no training can go on from it")


def _read(path: Path) -> dict[str, Any]:
    if not path.is_file():
        raise InputError(f"checkpoint {path} is missing: train first")
    try:
        content = _whole_content(path)
    except Exception as error:
        raise InputError(f"checkpoint {path} is damaged or foreign: give another, or train again") from error
    if (written := content.get(_FORMAT_KEY)) is None:
        raise InputError(f"{path} is no checkpoint of cfvqa: give one that cfvqa-train has written, or train again")
    if written != FORMAT:
        raise InputError(
            f"checkpoint {path} has format {written}, this version of cfvqa reads {FORMAT}: "
            "use the version that wrote it, or train again"
        )
    return content


def _whole_content(path: Path) -> dict[str, Any]:
    with zipfile.ZipFile(path) as archive:
        if damaged := archive.testzip():  # torch does not look at the checksums
            raise zipfile.BadZipFile(damaged)
    content = torch.load(path, map_location="cpu", weights_only=True)
    if not all(isinstance(weight, torch.Tensor) for weight in content["state_dict"].values()):
        raise TypeError(type(content["state_dict"]))
    return content


def _fitting_weights(module: torch.nn.Module, content: dict[str, Any], path: Path) -> dict[str, torch.Tensor]:
    own, state = module.state_dict(), content["state_dict"]
    wrong = sorted(own.keys() ^ state.keys()) or [name for name in own if own[name].shape != state[name].shape]
    if wrong:
        raise InputError(
            f"checkpoint {path} is of another model ({len(wrong)} of its weights do not fit, the first is "
            f"'{wrong[0]}'): choose the config it was trained with, or train again"
        )
    return state
