"""What cfvqa-doctor does: every question in turn, then a verdict."""

import shlex
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack
from pathlib import Path

import torch
from omegaconf import DictConfig
from rich.console import Console

from cfvqa.doctor.amounts import amounts_of, label_notes
from cfvqa.doctor.cost import Cost
from cfvqa.doctor.data_set import DataSet, file_notes, opened
from cfvqa.doctor.disk import Need, disk_notes
from cfvqa.doctor.given import GIVEN, given_notes, import_cost
from cfvqa.doctor.launcher import launcher_notes
from cfvqa.doctor.machine import NETWORKS, load_notes, machine_notes
from cfvqa.doctor.note import MISSING, OK, WARNING, Note, once
from cfvqa.doctor.packages import Chosen, package_notes
from cfvqa.doctor.page import Page
from cfvqa.doctor.reader_costs import reader_costs
from cfvqa.doctor.sample import Sample, look
from cfvqa.doctor.vision_costs import classifier_cost, detector_cost, extraction_cost
from cfvqa.doctor.words import duration
from cfvqa.errors import InputError
from cfvqa.stages.closing import program
from cfvqa.stages.importing import imports
from cfvqa.training.ranks import rank

_SOURCE, _BOXES = "source", "detector_source"


def doctor(config: DictConfig, console: Console, overrides: Sequence[str], chosen: Chosen) -> None:
    """Say what is there and what is missing, how long it takes and how much it writes; nothing is made.

    Args:
        config: of the experiment.
        console: for a table a section.
        overrides: of the command line, which the next command repeats.
        chosen: how a sweep of it would be run.

    Raises:
        InputError: if something stands in the way.
    """
    if rank() > 0:  # of several processes that srun or torchrun has started, one looks
        return
    torch.set_float32_matmul_precision("high")  # as in a training: TF32 where a GPU has it
    page = Page(console)
    page.show("machine", [*machine_notes(config), *package_notes(chosen), *launcher_notes(chosen, config.trainer)])
    with ExitStack() as stack:
        samples: dict[str, Sample] = {}
        drawn: list[Need] = []
        for place in _places(config):
            data = stack.enter_context(opened(config, place))
            page.show(place, _look(data, config, samples))
            drawn += _drawing(data, config)
        if given := given_notes(config):
            page.show("taken from elsewhere", given)
        costs = _costs(config, samples, page)
    if costs:
        if chosen.jobs > 1:
            page.show("sweep", [_of_jobs(chosen.jobs, costs, set(config.phases))])
        page.show("disk", disk_notes([*drawn, *_needs(config, samples, costs, chosen.jobs)]))
    _close(page, config, overrides)


def _places(config: DictConfig) -> list[str]:
    """Return the data sets of an experiment."""
    other = config.get(_BOXES) is not None and _learns_regions(config)
    return [_SOURCE, _BOXES] if other else [_SOURCE]


def _learns_regions(config: DictConfig) -> bool:
    """Whether a detector is trained: it was not before, and features are not somebody else's."""
    return config.detector.trained is None and not imports(config)


def _look(data: DataSet, config: DictConfig, samples: dict[str, Sample]) -> list[Note]:
    """Look at a data set; put its sample, if there is one, among the samples."""
    found, sample = look(data, config.detector.image_size)
    if sample is not None:
        samples[data.place] = sample
    return once([*file_notes(data), *found])


def _costs(config: DictConfig, samples: dict[str, Sample], page: Page) -> list[Cost]:
    """Measure every part, and say what it costs; nothing where there is no sample of a data set."""
    lacking = {note.about for note in page.notes if note.state == MISSING}
    if lacking & {*NETWORKS, *GIVEN} or set(samples) != set(_places(config)):
        why = "the networks cannot be made" if lacking & {*NETWORKS} else "there is nothing to measure with"
        page.show("time and disk", [Note(WARNING, "estimate", f"none: {why}")])
        return []
    boxes, source = samples.get(_BOXES, samples[_SOURCE]), samples[_SOURCE]
    learned = boxes.tables if _learns_regions(config) else None, None if imports(config) else source.tables
    if labels := label_notes(*learned, all_read=source.times <= 1):
        page.show("labels", labels)
    if any(note.state == MISSING for note in labels):
        return []
    costs, notes = [], []
    for lacks, measure in _parts(config, boxes, source):
        try:
            costs += measure()
        except InputError as error:
            notes.append(Note(MISSING, lacks, str(error)))
    notes += load_notes()
    notes += [Note(OK, cost.about, f"{duration(cost.seconds)}: {cost.how}") for cost in costs]
    whole = duration(sum(cost.seconds for cost in costs))
    notes.append(Note(OK, "together", f"{whole}, without validation, evaluation and what processes tell each other"))
    page.show("time, estimated: steps and images measured here, counts from the sample", notes)
    return costs


def _parts(config: DictConfig, boxes: Sample, source: Sample) -> Iterator[tuple[str, Callable[[], list[Cost]]]]:
    """Yield what measures each part, in their order, and the name of what it lacks where it cannot."""
    if _learns_regions(config):
        yield "memory", lambda: [detector_cost(config, boxes)]
    if imports(config):
        yield "rows", lambda: [import_cost(config, source)]
    else:
        yield "memory", lambda: [classifier_cost(config, source)]
        yield "memory", lambda: [extraction_cost(config, source)]
    yield "memory", lambda: reader_costs(config, amounts_of(source))


def _drawing(data: DataSet, config: DictConfig) -> list[Need]:
    return [] if data.drawing is None else [Need("work", Path(config.work), "phantom", data.drawing.bytes)]


def _of_jobs(jobs: int, costs: Sequence[Cost], phases: set[str]) -> Note:
    """Say what all jobs of a sweep take, if each has a reader of its own and all share the rest."""
    whole = sum(cost.seconds * (jobs if cost.about in phases else 1) for cost in costs)
    said = f"{duration(whole)} one after the other, if all share what stands before their readers"
    return Note(OK, f"{jobs} jobs", said)


def _needs(config: DictConfig, samples: dict[str, Sample], costs: Sequence[Cost], jobs: int) -> list[Need]:
    """Return what is written, to `work` first: all but what the phases of the reader keep, of each of the jobs."""
    work, runs = Path(config.work), Path(str(config.runs))
    phases = set(config.phases)
    tables = Need("work", work, "tables", sum(amounts_of(sample).bytes for sample in samples.values()))
    shared = [Need("work", work, cost.about, cost.bytes) for cost in costs if cost.about not in phases]
    own = [Need("runs", runs, cost.about, cost.bytes * jobs) for cost in costs if cost.about in phases]
    return [tables, *shared, *own]


def _close(page: Page, config: DictConfig, overrides: Sequence[str]) -> None:
    """Print the verdict with the next command.

    Raises:
        InputError: if something stands in the way.
    """
    missing = page.count(MISSING)
    if missing:
        word = "thing stands" if missing == 1 else "things stand"
        raise InputError(f"{missing} {word} in the way, named 'missing' above: mend it, then give this command again")
    words = f"ready      nothing stands in the way; next: {next_command(config, overrides)}"
    page.console.print(words, highlight=False, markup=False, soft_wrap=True)


def next_command(config: DictConfig, overrides: Sequence[str]) -> str:
    """Return the command that makes everything, started by srun where its trainer wants several machines."""
    command = shlex.join([program("run"), *overrides])
    nodes, devices = int(config.trainer.get("num_nodes", 1)), config.trainer.get("devices", 1)
    if nodes == 1:
        return command
    tasks = f" --ntasks-per-node={devices}" if isinstance(devices, int) else ""
    return f"srun --nodes={nodes}{tasks} {command}"
