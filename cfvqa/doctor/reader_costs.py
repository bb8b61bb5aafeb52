"""What a reader costs, phase by phase: steps on random features of the widths that will be extracted."""

import tempfile
from dataclasses import dataclass
from math import ceil
from pathlib import Path

import polars as pl
import torch
from omegaconf import DictConfig, OmegaConf

from cfvqa.bench.inputs import open_inputs, write_features
from cfvqa.bench.lab import Lab
from cfvqa.doctor.amounts import Amounts
from cfvqa.doctor.clock import device_of, measuring, processes_of, seconds_each
from cfvqa.doctor.cost import Cost, checkpoint_bytes, epochs_of
from cfvqa.settings.building import plain

_ON_PROCESSOR = 8  # pairs at once


def reader_costs(config: DictConfig, amounts: Amounts) -> list[Cost]:
    """Return what each phase of the reader costs, and what each of the blind control does.

    Raises:
        InputError: if a batch does not fit into the memory of the GPU.
    """
    blind = config.copy()
    blind.model, blind.phases = config.evaluation.blind.model, config.evaluation.blind.phases
    return [*_costs(config, amounts, ""), *_costs(blind, amounts, "blind ")]


def _costs(config: DictConfig, amounts: Amounts, prefix: str) -> list[Cost]:
    return [_cost(config, phase, amounts, f"{prefix}{phase}") for phase in config.phases]


def _cost(config: DictConfig, phase: str, amounts: Amounts, about: str) -> Cost:
    settings, trainer = config.phases[phase], plain(config.trainer)
    device, batch = device_of(trainer), settings.units_per_batch
    share = ceil(batch / processes_of(trainer))
    together = share if device.type == "cuda" else min(share, _ON_PROCESSOR)
    measured = _measured(config, phase, device, together)
    steps = [ceil(count / batch) for count in (amounts.pairs, amounts.singles)]
    epoch = sum(count * seconds for count, seconds in zip(steps, measured.seconds, strict=True)) * share / together
    how = f"{epochs_of(settings.epochs)} of {sum(steps):,} steps, {epoch / max(1, sum(steps)):.2g} s each"
    return Cost(about, settings.epochs * epoch, how, measured.bytes)


@dataclass(frozen=True)
class _Measured:
    """What was measured of a phase: the seconds of a step over pairs, and over single images; and its checkpoints."""

    seconds: tuple[float, float]
    bytes: int


def _measured(config: DictConfig, phase: str, device: torch.device, units: int) -> _Measured:
    """Take steps over so many pairs, and so many single images, each with its questions."""
    config = OmegaConf.merge(config, {"bench": {"units": units}})
    with tempfile.TemporaryDirectory(prefix="cfvqa-doctor-") as name:
        write_features(config, Path(name), batches=1)
        lab = Lab(config, open_inputs(config, Path(name), batches=1), device)
        loss = lab.loss(phase)
        step = lab.step(loss, phase)
        batches = [
            lab.inputs.batch(rows_of(lab.inputs.questions, paired=paired)).to(device) for paired in (True, False)
        ]
        with measuring(device, str(config.precision), f"phases.{phase}.units_per_batch", units):
            pairs, singles = (seconds_each(lambda batch=batch: step.take(batch)) for batch in batches)
    return _Measured((pairs, singles), checkpoint_bytes(loss.module.model))


def rows_of(questions: pl.DataFrame, *, paired: bool) -> list[int]:
    """Return the rows of the questions about pairs, or of those about single images."""
    return (questions["reference_image"].is_not_null() == paired).arg_true().to_list()
