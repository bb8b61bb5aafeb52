"""The curves of a training as `metrics.csv`: one row an epoch and split, whole again after a resume."""

import csv
from argparse import Namespace
from pathlib import Path
from typing import Any

from lightning.pytorch.loggers.logger import Logger
from lightning.pytorch.utilities.rank_zero import rank_zero_only

from cfvqa.files import whole

Row = dict[str, str]


class CurveLogger(Logger):
    """Write logged figures to `folder/metrics.csv`.

    Lightning's own CSV logger deletes what a stopped run wrote. Here a resumed run goes on behind the rows that
    it finds, and writes those anew that came after its checkpoint.

    Args:
        folder: of the training.
    """

    def __init__(self, folder: Path) -> None:
        super().__init__()
        self.path = folder / "metrics.csv"
        self._found = self._read()
        self._rows: list[Row] = []

    @property
    def name(self) -> str:
        """Return the name that Lightning asks for."""
        return "curves"

    @property
    def version(self) -> str:
        """Return the version that Lightning asks for: there is one file."""
        return ""

    @rank_zero_only
    def log_hyperparams(self, params: dict[str, Any] | Namespace, *args: Any, **kwargs: Any) -> None:
        """Settings are in the run's `config.yaml`."""

    @rank_zero_only
    def log_metrics(self, metrics: dict[str, float], step: int | None = None) -> None:
        """Keep the figures of an optimizer step as a row."""
        shown = {name: repr(float(value)) for name, value in metrics.items() if name != "epoch"}
        row = {"epoch": str(int(metrics.get("epoch", 0))), "step": str(step)} | shown
        if not self._rows:
            self._found = [old for old in self._found if int(old["step"]) < int(step or 0)]
        self._rows.append(row)

    @rank_zero_only
    def save(self) -> None:
        """Write the file anew."""
        rows = [*self._found, *self._rows]
        names = sorted({name for row in rows for name in row} - {"epoch", "step"})
        self.path.parent.mkdir(parents=True, exist_ok=True)
        with whole(self.path) as temporary, temporary.open("w", newline="") as file:
            writer = csv.DictWriter(file, ["epoch", "step", *names], restval="", lineterminator="\n")
            writer.writeheader()
            writer.writerows(rows)

    @rank_zero_only
    def finalize(self, status: str) -> None:
        """Write what is left."""
        if self._rows:
            self.save()

    def _read(self) -> list[Row]:
        if not self.path.is_file():
            return []
        with self.path.open(newline="") as file:
            return [{name: value for name, value in row.items() if value} for row in csv.DictReader(file)]
