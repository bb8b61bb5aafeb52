"""The jobs of a sweep: how each is called, what became of it, and the table of all."""

import csv
import hashlib
import json
import re
from collections.abc import Sequence
from dataclasses import asdict, dataclass, field, replace
from operator import itemgetter
from pathlib import Path

from cfvqa.evaluation.metrics import read_metrics
from cfvqa.evaluation.report_figures import dig
from cfvqa.files import damage_named, write_text
from cfvqa.stages.identity import SPEED, seconds_spent
from cfvqa.table_files import write_table

DONE, FAILED, STOPPED, PRUNED = "done", "failed", "stopped", "pruned"
_LOSS = "val/"
"""How the name of the figure begins that a reader is chosen by: of validation subjects, as all that is."""

_JOBS = "jobs"
_LONGEST = 100  # characters of a name, as `kinds.Name` has it
_ORDINARY = re.compile(r"[\w.]+=[\w.-]*[\w.]")  # an override whose name tells all of it
_SHARED = ("experiment", "name", "work", "runs", "group", "trial", "sweep", "logger", "resume", "checkpoint_steps")
_BEHIND = ("evaluation", "report")  # blocks of which a reader learns nothing
_CONTROL = "evaluation.blind."  # but the blind control, which is one
_HEADLINES = {"change F1": "changes.f1", "others exact": "other_types.exact_match", "flip": "flip.consistency"}


@dataclass(frozen=True)
class Job:
    """What became of one job.

    Attributes:
        overrides: of its command line, without those that say nothing of what it does.
        name: of its run.
        state: `DONE`, `FAILED`, `STOPPED` from outside, or `PRUNED` by a search.
        seconds: of all tries to train its reader; of a job that trains none, of the longest call that worked at it.
        error: the message of a failure.
        status: exit status that the command would have ended with alone.
        figures: headline figures by name.
    """

    overrides: list[str]
    name: str
    state: str
    seconds: float
    error: str = ""
    status: int = 0
    figures: dict[str, float] = field(default_factory=dict)


def own_overrides(overrides: Sequence[str]) -> list[str]:
    """Return the overrides of a job that say what it makes; with another tracker, for one, it makes the same."""
    return [text for text in overrides if not is_shared(_key(text))]


def is_shared(key: str) -> bool:
    """Whether an override of this key says nothing of what a job makes: jobs that differ in it alone are the same."""
    parts = key.split(".")
    return parts[0] in _SHARED or parts[-1] in SPEED


def waste_of(keys: Sequence[str]) -> str | None:
    """Return a warning of a sweep over these keys whose jobs would all train the same reader; None of any other."""
    if not keys or any(key.split(".")[0] not in _BEHIND or key.startswith(_CONTROL) for key in keys):
        return None
    return (
        f"no reader learns anything of {', '.join(keys)}, and every job of this sweep trains one, the same: to judge "
        "one reader in several ways, give cfvqa-evaluate for each without a sweep (of one name, the last figures stay)"
    )


def job_name(name: str, overrides: Sequence[str]) -> str:
    """Return the name of the run of a job: that of the sweep, and its own overrides by their keys.

    The same overrides, in whatever order, give the same name, so that a repeated sweep finds its runs; other ones give
    another.
    """
    suffix = "-".join(map(_part, sorted(overrides, key=_key)))
    whole = f"{name}-{suffix}" if suffix else name
    return whole if len(whole) <= _LONGEST else f"{whole[: _LONGEST - 9]}-{_digest([name, *overrides])}"


def record(job: Job, folder: Path, trained: float | None = None) -> None:
    """Keep what became of a job in `folder`, under its overrides: a repeated job replaces its record.

    Args:
        job: with the seconds of this call.
        folder: of the sweep.
        trained: seconds of all tries to train its reader. Where it trains none, the longest call tells: a later one
            may find everything made.
    """
    path = _file_of(job, folder)
    if trained is not None:
        job = replace(job, seconds=round(trained, 1))
    elif path.is_file():
        job = replace(job, seconds=max(job.seconds, _read(path).seconds))
    path.parent.mkdir(parents=True, exist_ok=True)
    write_text(path, json.dumps(asdict(job), indent=2) + "\n")


def forget_failures(folder: Path) -> None:
    """Drop the records of jobs that failed or were stopped: a repeated sweep tries them again, or drops them."""
    for job in read_jobs(folder):
        if job.state in (FAILED, STOPPED):
            _file_of(job, folder).unlink()


def read_jobs(folder: Path) -> list[Job]:
    """Return the jobs that were recorded in `folder`, by their names.

    Raises:
        InputError: if a record is damaged.
    """
    return sorted(map(_read, (folder / _JOBS).glob("*.json")), key=lambda job: job.name)


def write_tables(jobs: Sequence[Job], folder: Path) -> tuple[Path, Path]:
    """Write `jobs.csv` and `jobs.md`: a row a job with its overrides, state, seconds and figures."""
    names = sorted({name for job in jobs for name in job.figures})
    header = ["run", "overrides", "state", "seconds", *names, "error"]
    rows = [
        [job.name, " ".join(job.overrides), job.state, f"{job.seconds:.1f}"]
        + [f"{job.figures[name]:.4f}" if name in job.figures else "" for name in names]
        + [" ".join(job.error.split())]
        for job in jobs
    ]
    return write_table(header, rows, folder, "jobs")


def figures_of(run: Path) -> dict[str, float]:
    """Return the headline figures of a run: of its evaluation, and the best validation loss of its last phase."""
    found: dict[str, float] = {}
    judged = run / "evaluation" / "metrics.json"
    if judged.is_file():
        metrics = read_metrics(judged)
        for title, key in _HEADLINES.items():
            value = dig(metrics, key)
            if isinstance(value, float):
                found[title] = value
    return found | _best_loss(run / "vqa")


def training_seconds(run: Path) -> float | None:
    """Return the seconds of all tries to train the reader of a run; None where it has none."""
    return seconds_spent(run / "vqa")


def loss_of(job: Job) -> float | None:
    """Return the best validation loss of the last phase of a job: what a search makes small."""
    return next((value for name, value in job.figures.items() if name.startswith(_LOSS)), None)


def _key(override: str) -> str:
    return override.lstrip("+~").partition("=")[0]


def _part(override: str) -> str:
    """Return the part of a name that an override gives; with a digest, if other overrides would be written alike."""
    text = override.lstrip("+")
    written = re.sub(r"[^\w.-]+", "-", text).strip("-")
    return written if _ORDINARY.fullmatch(text) else f"{written}-{_digest([text])}"


def _best_loss(training: Path) -> dict[str, float]:
    description = training / "reader.json"
    if not description.is_file():
        return {}
    last, monitor = itemgetter("last_phase", "monitor")(json.loads(description.read_text()))
    with (training / last / "metrics.csv").open(newline="") as file:
        losses = [float(row[monitor]) for row in csv.DictReader(file) if row.get(monitor)]
    return {monitor: min(losses)} if losses else {}


def _read(file: Path) -> Job:
    with damage_named(file, "delete it, and repeat the sweep; what its job has made is kept"):
        return Job(**json.loads(file.read_text()))


def _file_of(job: Job, folder: Path) -> Path:
    return folder / _JOBS / f"{_digest(job.overrides)}.json"


def _digest(overrides: Sequence[str]) -> str:
    return hashlib.sha256("\n".join(sorted(overrides)).encode()).hexdigest()[:8]
