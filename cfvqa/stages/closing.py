"""What a user reads when everything has run: what came out, what to open, what to try next."""

import os
import shlex
import shutil
import sys
from collections.abc import Sequence
from pathlib import Path

from omegaconf import DictConfig

from cfvqa.evaluation.charts import Figure, number
from cfvqa.evaluation.metrics import read_metrics
from cfvqa.evaluation.report_figures import headline_of
from cfvqa.settings.schema import WRITE, ranks
from cfvqa.stages.evaluation import evaluation_folder


def closing_lines(config: DictConfig, page: Path, overrides: Sequence[str]) -> list[str]:
    """Return the last lines of a run.

    Args:
        config: of the run.
        page: its report.
        overrides: those of the command line, which the commands to try repeat.
    """
    headline = headline_of(read_metrics(evaluation_folder(config) / "metrics.json"))
    lines = [f"change F1  {_with_interval(headline.figure)}"]
    if headline.best_blind is not None:
        name, figure = headline.best_blind
        lines.append(f"blind      {_with_interval(figure)}  the best without any image: {name}")
    lines.append(f"open       {page}")
    return lines + [f"{'next' if not place else '':<9}  {line}" for place, line in enumerate(_next(config, overrides))]


def _with_interval(figure: Figure) -> str:
    return f"{number(figure.value)}  95 % interval {number(figure.low)} to {number(figure.high)}"


def _next(config: DictConfig, overrides: Sequence[str]) -> list[str]:
    seed, pairs = "seed", "report.seed"
    other_seed, (way, other_way) = config.seed + 1, _other_way(config.evaluation.decoding)
    named = f"name={str(config.name).removesuffix(f'_seed{config.seed}')}_seed{other_seed}"
    tries = (
        ("run", [*_without(overrides, seed, "name"), f"{seed}={other_seed}", named], "the same from another start"),
        ("report", [*_without(overrides, way), f"{way}={other_way}"], "answers written in another way"),
        ("report", [*_without(overrides, pairs), f"{pairs}={config.report.seed + 1}"], "other pairs to look at"),
    )
    return [f"{program(command)} {shlex.join(words)}  # {why}" for command, words, why in tries]


def _other_way(decoding: DictConfig) -> tuple[str, str]:
    """Return a key and another value of it, for answers that are found in another way."""
    if ranks(decoding):
        return "evaluation.decoding.way", WRITE
    return "evaluation.decoding.num_beams", "1" if decoding.num_beams > 1 else "3"


def program(command: str) -> str:
    """Return how a command is called from here: by its name, or with its folder where no shell would find it."""
    name = f"cfvqa-{command}"
    beside = Path(sys.executable).with_name(name)
    return name if shutil.which(name) or not beside.is_file() else os.path.relpath(beside)


def _without(overrides: Sequence[str], *keys: str) -> list[str]:
    return [override for override in overrides if override.partition("=")[0].lstrip("+") not in keys]
