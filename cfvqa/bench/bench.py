"""What cfvqa-bench does: every question measured in turn, one table."""

import tempfile
import time
from collections.abc import Callable, Sequence
from pathlib import Path

import torch
from omegaconf import DictConfig
from rich.console import Console
from rich.table import Table

from cfvqa.bench.answers import answers
from cfvqa.bench.classifiers import classifiers
from cfvqa.bench.compiled import compiled
from cfvqa.bench.extraction import extraction
from cfvqa.bench.figures import HEADER, Figure
from cfvqa.bench.inputs import open_inputs, write_features
from cfvqa.bench.lab import Lab
from cfvqa.bench.label_texts import label_texts
from cfvqa.bench.loading import loading
from cfvqa.bench.machine import machine
from cfvqa.bench.padding import padding
from cfvqa.bench.precision import precision
from cfvqa.bench.processes import processes
from cfvqa.bench.random_row import random_row
from cfvqa.bench.training_step import training_step
from cfvqa.errors import InputError
from cfvqa.files import make_folder
from cfvqa.stages.trained import device
from cfvqa.table_files import write_table

QUESTIONS: dict[str, Callable[[Lab], list[Figure]]] = {
    "training step": training_step,
    "label texts": label_texts,
    "compiled": compiled,
    "precision": precision,
    "padding": padding,
    "loading": loading,
    "random row": random_row,
    "extraction": extraction,
    "answers": answers,
    "classifiers": classifiers,
    "processes": processes,
}
"""What is measured, by the word that the user sees meanwhile."""


def bench(config: DictConfig, console: Console) -> list[Figure]:
    """Measure and print; with `to`, write `bench.csv` and `bench.md` there too."""
    asked = _asked(config)
    if config.to is not None:
        make_folder(Path(config.to), "to")  # before the minutes are spent
    torch.set_float32_matmul_precision("high")  # as in a training: TF32 where a GPU has it
    with tempfile.TemporaryDirectory(prefix="cfvqa-bench-") as name:
        folder = Path(name)
        write_features(config, folder)
        lab = Lab(config, open_inputs(config, folder), device())
        rows = [["machine", machine(), "", "", ""], ["reader", _reader(lab), "", "", ""]]
        figures = _measure(lab, asked, console)
    rows += [figure.cells() for figure in figures]
    console.print(_table(rows))
    if config.to is not None:
        files = write_table(HEADER, rows, Path(config.to), "bench")
        console.print(f"written    {files[0]}, {files[1]}", soft_wrap=True)
    return figures


def _asked(config: DictConfig) -> list[str]:
    asked = list(QUESTIONS) if config.bench.questions is None else list(config.bench.questions)
    if not asked or not set(asked) <= set(QUESTIONS):
        raise InputError(f"bench.questions={asked}: give some of {', '.join(QUESTIONS)}")
    return asked


def _measure(lab: Lab, asked: Sequence[str], console: Console) -> list[Figure]:
    figures: list[Figure] = []
    for number, word in enumerate(asked, start=1):
        start = time.perf_counter()
        found = QUESTIONS[word](lab)
        seconds = time.perf_counter() - start
        console.print(f"measured   {number}/{len(asked)}  {word}, {seconds:.0f} s", highlight=False)
        for figure in found:  # at once: who stops the command keeps what it has measured
            console.print(f"  {figure.ours}; {figure.other}; {figure.cells()[3]}", highlight=False, soft_wrap=True)
        figures += found
    return figures


def _reader(lab: Lab) -> str:
    count = sum(weight.numel() for weight in lab.reader().parameters() if weight.requires_grad)
    measured = f"medians of {lab.repeats} rounds, a ratio that of its rounds' ratios"
    return f"{lab.config.name}: {count:,} parameters; {measured}"


def _table(rows: list[list[str]]) -> Table:
    table = Table(title="speed, each figure measured in turn with the one beside it", title_justify="left")
    for title in HEADER:
        table.add_column(title, overflow="fold")
    for row in rows:
        table.add_row(*row)
    return table
