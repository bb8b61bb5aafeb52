"""A reader on the bench: the training step that is measured, without a trainer around it."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import torch
from omegaconf import DictConfig
from torch import Tensor, nn

from cfvqa.bench.inputs import Inputs
from cfvqa.bench.rounds import timed
from cfvqa.data.batches import PairBatch
from cfvqa.data.feature_store import FeatureStore
from cfvqa.settings.building import OPTIMIZERS, build, plain
from cfvqa.settings.reader import Widths, build_model, phase_module
from cfvqa.training.memory import keep_freed_memory
from cfvqa.training.vqa_module import VqaModule

_STATISTICS = 64  # images whose features are standardised: they are all alike


class Loss(nn.Module):
    """The loss of a phase as a module of its own, which can be shared among processes."""

    def __init__(self, module: VqaModule) -> None:
        super().__init__()
        self.module = module

    def forward(self, batch: PairBatch) -> Tensor:
        """Return the weighted sum of the objectives."""
        return self.module.training_step(batch, 0)["loss"]


@dataclass(frozen=True)
class Step:
    """A training step: forward, backward, optimizer.

    Attributes:
        loss: a `Loss`, or what shares one among processes.
        optimizer: of its parameters.
    """

    loss: nn.Module
    optimizer: torch.optim.Optimizer

    def take(self, batch: PairBatch) -> None:
        """Train on a batch once."""
        self.optimizer.zero_grad()
        self.loss(batch).backward()
        self.optimizer.step()

    def timed(self, batch: PairBatch) -> Callable[[], float]:
        """Return a measure of the seconds that the step takes on a batch."""
        return timed(lambda: self.take(batch))


@dataclass(frozen=True)
class Lab:
    """What every question is measured with.

    Attributes:
        config: of the command.
        inputs: questions and features.
        device: where the reader is.
    """

    config: DictConfig
    inputs: Inputs
    device: torch.device

    @property
    def repeats(self) -> int:
        """Rounds that count."""
        return int(self.config.bench.repeats)

    @property
    def last_phase(self) -> str:
        """The phase whose step is measured where one is enough."""
        return str(list(self.config.phases)[-1])

    @property
    def folder(self) -> Path:
        """Of the feature store."""
        return self.inputs.folder

    def reader(self) -> nn.Module:
        """Return a new reader on the device, in training mode."""
        store = FeatureStore(self.folder)
        model = build_model(
            plain(self.config.model),
            plain(self.config.text),
            tokenizer=self.inputs.tokenizer,
            widths=Widths(*store.widths),
            seed=self.config.seed,
        )
        model.fit(
            store.read(self.inputs.questions["main_image"].unique(maintain_order=True).head(_STATISTICS).to_list())
        )
        return model.to(self.device)

    def loss(self, phase: str) -> Loss:
        """Return the loss of a phase, of a new reader."""
        blocks = {name: plain(self.config[name]) for name in ("phases", "objective")}
        return Loss(phase_module(blocks, self.reader(), phase))

    def step(self, loss: nn.Module, phase: str) -> Step:
        """Return the training step of a loss and the optimizer of its phase, in a process set up as for a training."""
        keep_freed_memory()
        optimizer = build(self.config.phases[phase].optimizer, f"phases.{phase}.optimizer", OPTIMIZERS)
        return Step(loss, optimizer(loss.parameters()))
