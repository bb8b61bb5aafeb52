"""Whether this machine, and those of a cluster, are what the settings ask for."""

import os
from collections.abc import Iterator
from functools import partial
from typing import Any

import torch
from omegaconf import DictConfig

from cfvqa.bench.machine import machine
from cfvqa.doctor.clock import device_of, processes_of
from cfvqa.doctor.note import MISSING, OK, WARNING, Note, noted, once
from cfvqa.errors import InputError
from cfvqa.processes import cores
from cfvqa.settings.building import plain
from cfvqa.settings.checking import check_folders, select
from cfvqa.settings.training_checks import TRAINERS, TRAINING_CHECKS
from cfvqa.training.precision import EMULATED, is_emulated
from cfvqa.training.ranks import by_slurm, check_machines, uses_gpu

NETWORKS = ("vision networks", "readers")
"""Checks without which nothing can be measured."""


def machine_notes(config: DictConfig) -> list[Note]:
    """Say what this machine is, and what of the settings it cannot do."""
    content = plain(config)
    checks = {name: partial(_passed, check, content) for name, check in TRAINING_CHECKS.items()}
    notes = [noted(name, check) for name, check in checks.items()]
    notes.append(noted("folders", partial(_passed, check_folders, config)))
    refused = once(note for note in notes if note.state == MISSING)
    passed = ", ".join(note.about for note in notes if note.state == OK)
    found = [Note(OK, "machine", machine()), Note(OK, "checked", passed), Note(OK, "devices", _devices(content))]
    return [*found, *refused, *precision_notes(content), *process_notes(content["trainer"]), *batch_notes(content)]


def precision_notes(content: dict[str, Any]) -> list[Note]:
    """Warn of a reader in 16 bits on a processor that only emulates them; a GPU that does is refused."""
    trainer = content["trainer"]
    told = is_emulated(content["precision"], trainer) and not uses_gpu(trainer)
    return [Note(WARNING, "precision", EMULATED)] if told else []


def load_notes() -> list[Note]:
    """Say whether other work keeps the processors busy: what is measured meanwhile takes longer than it would alone."""
    load, count = os.getloadavg()[0], cores()
    if load <= count + 1:  # one is this process
        return []
    text = f"{load:.0f} processes share {count} cores: times are of a busy machine, alone it is faster"
    return [Note(WARNING, "load", text)]


def process_notes(trainer: dict[str, Any]) -> list[Note]:
    """Say whether somebody will start the processes of a trainer, and whether SLURM has been asked for them."""
    nodes, devices = int(trainer.get("num_nodes", 1)), trainer.get("devices", 1)
    notes = []
    try:
        check_machines(trainer)
    except InputError as error:
        notes.append(Note(WARNING, "processes", str(error)))
    if not isinstance(devices, int) or devices < 1:
        return notes
    return notes + list(_slurm_notes(nodes, devices))


def _slurm_notes(nodes: int, devices: int) -> Iterator[Note]:
    """Compare the job that this process runs in with the trainer."""
    if "SLURM_JOB_ID" not in os.environ:
        return
    found = {name: os.environ.get(f"SLURM_{name}", "") for name in ("NNODES", "NTASKS_PER_NODE")}
    yield Note(OK, "SLURM", f"job of {found['NNODES'] or 'unknown'} nodes, {_tasks(found['NTASKS_PER_NODE'])}")
    for name, value, key in (("NNODES", nodes, "trainer.num_nodes"), ("NTASKS_PER_NODE", devices, "trainer.devices")):
        if found[name].isdecimal() and int(found[name]) != value and (by_slurm() or value > 1):
            text = f"SLURM_{name} is {found[name]} and {key} is {value}: make them agree"
            yield Note(MISSING, "SLURM", text)


def _tasks(number: str) -> str:
    return f"{number} tasks on each" if number else "tasks on each not said"


def batch_notes(content: dict[str, Any]) -> list[Note]:
    """Say which batches do not go round evenly among the processes: those with fewer pairs wait for the others."""
    processes = processes_of(content["trainer"])
    units = {f"phases.{phase}.units_per_batch": block["units_per_batch"] for phase, block in content["phases"].items()}
    return [
        Note(WARNING, "batches", f"{key}={count} is no multiple of {processes} processes: some wait for the others")
        for key, count in units.items()
        if count % processes and count >= processes
    ]


def _devices(content: dict[str, Any]) -> str:
    """Return what each training runs on, of what is here."""
    places = {place: _on(select(content, place)) for place in TRAINERS}
    if len(found := set(places.values())) == 1:
        return f"everything on {found.pop()}"
    return "; ".join(f"{place} on {name}" for place, name in places.items())


def _on(trainer: dict[str, Any]) -> str:
    device, count = device_of(trainer), processes_of(trainer)
    name = torch.cuda.get_device_name() if device.type == "cuda" else "the processor"
    return name if count == 1 else f"{count} x {name}"


def _passed(check: Any, content: Any) -> str:
    check(content)
    return "nothing to mend"
