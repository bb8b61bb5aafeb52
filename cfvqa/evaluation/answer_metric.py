"""The figures of answers as a torchmetrics metric: for a LightningModule of one's own, on any number of processes."""

from collections.abc import Callable
from dataclasses import asdict, is_dataclass
from io import BytesIO
from typing import Any

import numpy as np
import polars as pl
import torch
from torch import Tensor

from cfvqa.evaluation.metrics import evaluate_predictions
from cfvqa.training.gathered_lists import GatheredLists


class AnswerMetric(GatheredLists):
    """Gather tables of predictions from all processes, and judge them as one.

    None of the figures is a mean over batches: a document frequency of CIDEr, an F1 and an interval are of all answers.
    So what is gathered are the answers; a question that several processes answered, as samplers pad, counts once.

    Figures of scores between pairs, retrieval and zero-shot, are of no table of answers, and have no such metric.

    Args:
        judge: what says the figures of a table of predictions (columns: `predictions.SCHEMA`): `evaluate_predictions`,
            or one of `calibration`, `pointing` and `flip_consistency` with its further arguments bound.
        settings: of torchmetrics, such as `dist_sync_on_step`.
    """

    full_state_update = False
    is_differentiable = False
    higher_is_better = None  # some of the figures are

    def __init__(self, judge: Callable[[pl.DataFrame], Any] = evaluate_predictions, **settings: Any) -> None:
        super().__init__(**settings)
        self.judge = judge
        self.add_state("content", default=[])

    def update(self, predictions: pl.DataFrame) -> None:
        """Add the answers of a batch (see `predictions.predictions_of`)."""
        packed = BytesIO()
        predictions.write_ipc(packed)
        content = torch.from_numpy(np.frombuffer(packed.getbuffer(), dtype=np.uint8).copy())
        self.content.append(content.to(self.device))

    def compute(self) -> Any:
        """Return what the judge says of all answers, sorted by question id; of a data class, its fields by name."""
        answers = pl.concat([_unpack(part) for part in self.content])
        figures = self.judge(answers.unique("question_id", keep="first").sort("question_id"))
        return asdict(figures) if is_dataclass(figures) else figures  # torchmetrics looks into what a metric returns


def _unpack(content: Tensor) -> pl.DataFrame:
    return pl.read_ipc(BytesIO(content.cpu().numpy().tobytes()))
