"""Variables of the environment by which processes are told apart."""

import os

from cfvqa.errors import InputError

RANKS = ("RANK", "LOCAL_RANK", "SLURM_PROCID", "JSM_NAMESPACE_RANK")
"""That Lightning reads as it is imported."""


def number_in(name: str) -> int:
    """Return the whole number that a variable holds, which is set.

    Raises:
        InputError: naming the variable, if it holds something else.
    """
    text = os.environ[name]
    if not (text.isascii() and text.isdecimal()):
        raise InputError(
            f"{name} is '{text}' in the environment: give a whole number from 0 on, as torchrun and srun do, or "
            f"unset {name}"
        )
    return int(text)


def check_ranks() -> None:
    """Refuse variables over which the import of Lightning would stumble.

    Raises:
        InputError: as `number_in`.
    """
    for name in RANKS:
        if name in os.environ:
            number_in(name)
