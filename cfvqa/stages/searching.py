"""A search by Optuna: its study, the trials that it asks for, and the trial that a training is."""

import math
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from hydra.core.override_parser.types import ChoiceSweep, IntervalSweep, Override, RangeSweep

from cfvqa.data.seeding import stable_seed
from cfvqa.errors import InputError
from cfvqa.settings.building import PRUNERS, SAMPLERS, Allowed, build, plain
from cfvqa.stages.sweeps import DONE, PRUNED, Job, loss_of
from cfvqa.training.pruning import Trial
from cfvqa.training.ranks import rank

STUDY = "study.db"
"""Name of the SQLite file of a study, in the folder of its sweep."""

_NAME, _PRUNER = "cfvqa", "pruner"
_SEEDS = 2**32  # that NumPy takes


@dataclass(frozen=True)
class Suggestion:
    """What the study wants to be tried: the number of the trial, and its overrides."""

    number: int
    overrides: list[str]


class Search:
    """A study in a file, asked for trials.

    Args:
        file: SQLite; made if it is not there.
        space: key -> override with a sweep in it.
        sampler, pruner: blocks of Optuna's classes; None takes its own.

    Raises:
        InputError: if Optuna is missing, or an override cannot be searched.
    """

    def __init__(self, file: Path, space: Mapping[str, Override], *, sampler: Any, pruner: Any) -> None:
        optuna = _optuna()
        optuna.logging.set_verbosity(optuna.logging.WARNING)
        self._file = file
        self._states = optuna.trial.TrialState
        self._space = {key: _distribution(key, override) for key, override in space.items()}
        self._study = optuna.create_study(
            study_name=_NAME,
            storage=_storage(file),
            direction="minimize",
            load_if_exists=True,
        )
        if sampler is not None:
            tried = len(self._study.get_trials(deepcopy=False))
            self._study.sampler = _made("sampler", _going_on(plain(sampler), tried), SAMPLERS)
        self._study.set_user_attr(_PRUNER, plain(pruner))  # the jobs ask it

    @property
    def done(self) -> int:
        """How many trials have come to an end of their own: a figure, or given up."""
        return len(self._study.get_trials(deepcopy=False, states=(self._states.COMPLETE, self._states.PRUNED)))

    def try_stopped_again(self) -> None:
        """Put the trials first that were running when the search was stopped."""
        for trial in self._study.get_trials(deepcopy=False, states=(self._states.RUNNING,)):
            self._study.enqueue_trial(trial.params)
            self._study.tell(trial.number, state=self._states.FAIL)

    def ask(self) -> Suggestion:
        """Return the next trial.

        Raises:
            InputError: if the study was begun with other choices.
        """
        try:
            trial = self._study.ask(self._space)
        except ValueError as error:
            raise InputError(
                f"the search in {self._file} was begun with other choices ({error}): give another name=..., or "
                "delete the file"
            ) from error
        return Suggestion(trial.number, [f"{key}={value}" for key, value in trial.params.items()])

    def tell(self, number: int, job: Job) -> None:
        """Say what became of a trial."""
        figure = loss_of(job)
        if job.state == PRUNED:
            self._study.tell(number, state=self._states.PRUNED)
        elif job.state == DONE and figure is not None and math.isfinite(figure):
            self._study.tell(number, figure)
        else:
            self._study.tell(number, state=self._states.FAIL)


def trial_of(place: Any) -> Trial | None:
    """Return the trial that a training is, from the config block `trial`; None in all processes but the first.

    Raises:
        InputError: if there is no such study or trial, or it names a foreign class.
    """
    if rank() > 0:
        return None
    file = Path(place.study)
    if not file.is_file():  # SQLite would make it
        raise InputError(f"trial.study: no file {file}: leave trial out, a search sets it for its jobs")
    _optuna()  # which brings the errors below
    from sqlalchemy.exc import SQLAlchemyError

    try:
        return _trial_in(file, place.number)
    except (SQLAlchemyError, KeyError, IndexError, RuntimeError) as error:
        raise InputError(
            f"trial: {file} holds no trial {place.number} of a search ({error}): leave trial out, a search sets it "
            "for its jobs"
        ) from error


def _trial_in(file: Path, number: int) -> Trial:
    optuna = _optuna()
    where = {"study_name": _NAME, "storage": _storage(file)}
    pruner = optuna.load_study(**where).user_attrs[_PRUNER]
    study = optuna.load_study(**where, pruner=_made(_PRUNER, pruner, PRUNERS))
    return optuna.Trial(study, study.get_trials(deepcopy=False)[number]._trial_id)


def _optuna() -> Any:
    try:
        import optuna  # an extra
    except ImportError as error:
        raise InputError("hydra/sweeper=optuna needs Optuna: pip install 'cfvqa[sweep]'") from error
    return optuna


def _going_on(sampler: dict[str, Any], tried: int) -> dict[str, Any]:
    """Return the block of a sampler with a seed for what comes behind so many trials: it would draw those again."""
    seed = sampler.get("seed")
    return sampler | {"seed": stable_seed(seed, "trials", tried) % _SEEDS} if isinstance(seed, int) else sampler


def _made(name: str, block: Any, allowed: Allowed) -> Any:
    return None if block is None else build(block, f"hydra.sweeper.{name}", allowed)


def _storage(file: Path) -> str:
    return f"sqlite:///{file.absolute()}"


def _distribution(key: str, override: Override) -> Any:
    """Return what Optuna draws from for choice(...), range(...) and interval(...), tagged log where it shall be."""
    distributions, value = _optuna().distributions, override.value()
    if isinstance(value, ChoiceSweep) and not value.shuffle:
        return distributions.CategoricalDistribution(list(override.sweep_string_iterator()))
    if isinstance(value, RangeSweep):
        return distributions.CategoricalDistribution(list(override.sweep_string_iterator()))
    if isinstance(value, IntervalSweep):
        whole = isinstance(value.start, int) and isinstance(value.end, int)
        make = distributions.IntDistribution if whole else distributions.FloatDistribution
        return make(value.start, value.end, log="log" in value.tags)
    raise InputError(f"{key}: give choice(a,b), range(1,9) or interval(0.1,0.9); this cannot be searched")
