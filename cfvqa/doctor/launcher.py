"""Whether the launcher of a sweep gives its jobs what their trainer takes."""

import shutil
from collections.abc import Iterator, Mapping
from typing import Any

from cfvqa.doctor.clock import processes_of
from cfvqa.doctor.note import MISSING, OK, WARNING, Note
from cfvqa.doctor.packages import Chosen
from cfvqa.processes import cores

_SLURM = ("slurm", "submitit_slurm")


def launcher_notes(chosen: Chosen, trainer: Mapping[str, Any]) -> list[Note]:
    """Say what a launcher gives to each job, and what of it does not go with the trainer or this machine.

    Args:
        chosen: how a sweep would be run; the launcher of Hydra, one job after the other, has nothing to say.
        trainer: arguments of `lightning.Trainer`.
    """
    if chosen.launcher == "joblib":
        return [_at_once(int(chosen.launching["n_jobs"]), processes_of(trainer))]
    return list(_asked_of_slurm(chosen, trainer)) if chosen.launcher in _SLURM else []


def _at_once(given: int, processes: int) -> Note:
    jobs = given if given > 0 else max(1, cores() + 1 + given)  # joblib counts from all processors down: -1 is all
    text = f"hydra.launcher.n_jobs={given}: {jobs} jobs at once, processes of each: {processes}, cores: {cores()}"
    if jobs * processes <= cores():
        return Note(OK, "launcher", text)
    return Note(WARNING, "launcher", f"{text}; they get in each other's way: give fewer")


def _asked_of_slurm(chosen: Chosen, trainer: Mapping[str, Any]) -> Iterator[Note]:
    given = chosen.launching
    nodes, devices = int(trainer.get("num_nodes", 1)), trainer.get("devices", 1)
    where = given["partition"] or "the default partition"
    text = f"each job gets {given['nodes']} nodes of {where} for {given['timeout_min']} minutes"
    yield Note(OK, "launcher", f"{text}, GPUs of each: {given['gpus_per_node'] or 0}")
    if shutil.which("sbatch") is None:
        yield Note(
            MISSING, "launcher", f"hydra/launcher={chosen.launcher}: no SLURM is on this machine, sbatch is missing"
        )
    if int(given["nodes"]) != nodes:
        yield _apart("nodes", given["nodes"], "num_nodes", nodes)
    if trainer.get("accelerator") in ("gpu", "cuda") and _fewer(given["gpus_per_node"], devices):
        yield _apart("gpus_per_node", given["gpus_per_node"] or 0, "devices", devices)
    tasks = given["tasks_per_node"]
    # On several machines each device needs a task of srun; on one, Lightning starts what a single task lacks.
    if isinstance(devices, int) and tasks != devices and (nodes > 1 or tasks != 1):
        yield _apart("tasks_per_node", tasks, "devices", devices)


def _fewer(gpus: int | None, devices: Any) -> bool:
    wanted = devices if isinstance(devices, int) and devices > 0 else 1
    return (gpus or 0) < wanted


def _apart(name: str, given: Any, key: str, value: Any) -> Note:
    return Note(MISSING, "launcher", f"hydra.launcher.{name}={given} and trainer.{key}={value}: make them agree")
