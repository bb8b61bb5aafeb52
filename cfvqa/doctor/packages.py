"""Whether the packages are there that only sweeps need; trackers and DICOM files name theirs themselves."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from importlib.util import find_spec
from typing import Any

from cfvqa.doctor.note import MISSING, Note

_LAUNCHERS = {"slurm": "submitit", "submitit_slurm": "submitit", "submitit_local": "submitit", "joblib": "joblib"}


@dataclass(frozen=True)
class Chosen:
    """How a sweep would be run.

    Attributes:
        launcher: choice of hydra/launcher.
        sweeper: choice of hydra/sweeper.
        launching: block hydra.launcher.
        jobs: how many it has; 1 of no sweep.
    """

    launcher: str = "basic"
    sweeper: str = "basic"
    launching: Mapping[str, Any] = field(default_factory=dict)
    jobs: int = 1


def package_notes(chosen: Chosen) -> list[Note]:
    """Say which packages are missing for the choices of a command line."""
    needs = {f"hydra/launcher={chosen.launcher}": _LAUNCHERS.get(chosen.launcher)}
    needs[f"hydra/sweeper={chosen.sweeper}"] = "optuna" if chosen.sweeper == "optuna" else None
    return [
        Note(MISSING, package, f"{choice} needs it: pip install 'cfvqa[sweep]'")
        for choice, package in needs.items()
        if package is not None and find_spec(package) is None
    ]
