"""hydra/sweeper=optuna: a search whose study lies in a file, gives up trainings that fall behind, and goes on."""

import sys
from pathlib import Path
from types import ModuleType
from typing import Any

from hydra.core.override_parser.types import Override
from hydra.core.plugins import Plugins
from hydra.plugins.launcher import Launcher
from hydra.plugins.sweeper import Sweeper
from hydra.types import HydraContext, TaskFunction
from omegaconf import DictConfig, OmegaConf

from cfvqa.commands.composing import asked
from cfvqa.commands.launching import NAMESPACE, KeptLauncher
from cfvqa.errors import InputError
from cfvqa.settings.kinds import Whole
from cfvqa.stages.searching import STUDY, Search
from cfvqa.stages.sweeps import Job
from cfvqa.training.ranks import one_of_several


def register() -> None:
    """Make the sweeper and the launcher known to Hydra, which finds plugins of the package `hydra_plugins` alone.

    (As a package of that name it would be imported, with torch, by every program of the environment that uses Hydra.)
    """
    plugins = Plugins.instance()  # has looked through the real package, if there is one
    sys.modules.setdefault("hydra_plugins", ModuleType("hydra_plugins"))
    sys.modules[NAMESPACE] = sys.modules[__name__]
    plugins.register(OptunaSweeper)
    plugins.register(KeptLauncher)


class OptunaSweeper(Sweeper):
    """Search for the overrides with the smallest validation loss, by which the last phase chooses its best.

    A search that was stopped, or is repeated with more trials, goes on: its study is `study.db` in the folder of the
    sweep. Trials that were running when it was stopped are tried again first, and their runs go on where they were.
    (hydra-optuna-sweeper asks for an Optuna of 2022, and gives up no training early.)

    Args:
        trials: that the study shall have over all calls. One that fails is not made up for in this call: the next
            one, given the same number, asks for as many as are missing.
        jobs: trials that the launcher gets at once.
        sampler: block of an `optuna.samplers.BaseSampler`; None is Optuna's own.
        pruner: block of an `optuna.pruners.BasePruner`; None is Optuna's own.
        params: overrides that are searched, as on the command line.
    """

    __module__ = NAMESPACE  # see `register`

    def __init__(
        self, *, trials: int, jobs: int, sampler: Any, pruner: Any, params: dict[str, str] | None = None
    ) -> None:
        self.trials = trials
        self.jobs = jobs
        self.sampler = sampler
        self.pruner = pruner
        self.params = params or {}

    def setup(self, *, hydra_context: HydraContext, task_function: TaskFunction, config: DictConfig) -> None:
        """Take what Hydra gives to every sweeper."""
        self.config = config
        self.hydra_context = hydra_context
        self.launcher: Launcher = Plugins.instance().instantiate_launcher(
            config=config, hydra_context=hydra_context, task_function=task_function
        )

    def sweep(self, arguments: list[str]) -> None:
        """Ask the study for overrides, launch them, and tell it what came out, as often as trials are missing.

        Raises:
            InputError: if nothing is searched, nothing says what is best, or several processes would ask.
        """
        if one_of_several():
            raise InputError(
                "a search is of one process, which starts those of its jobs: leave torchrun or srun out, or send the "
                "jobs to a cluster with hydra/launcher=slurm"
            )
        for name in ("trials", "jobs"):
            Whole(1).check(getattr(self, name), f"hydra.sweeper.{name}")
        latest = asked(self.params, arguments, self.hydra_context.config_loader)
        space = {key: override for key, override in latest.items() if override.is_sweep_override()}
        if not space:
            raise InputError("nothing to search: give KEY=choice(a,b), KEY=range(1,9) or KEY=interval(0.1,0.9)")
        task = latest["task"].value() if "task" in latest else self.config.task
        if "task" in space or task != "vqa":
            raise InputError("a search makes the validation loss of the reader small: leave task out")
        fixed = [f"{key}={one.get_value_element_as_str()}" for key, one in latest.items() if key not in space]
        folder = Path(self.config.hydra.sweep.dir)
        folder.mkdir(parents=True, exist_ok=True)
        OmegaConf.save(self.config, folder / "multirun.yaml")
        self._search(folder / STUDY, space, fixed)

    def _search(self, file: Path, space: dict[str, Override], fixed: list[str]) -> None:
        search = Search(file, space, sampler=self.sampler, pruner=self.pruner)
        search.try_stopped_again()
        left = self.trials - search.done
        for start in range(0, left, self.jobs):
            trials = [search.ask() for _ in range(min(self.jobs, left - start))]
            overrides = [
                [*fixed, *trial.overrides, f"trial={{study:'{file.absolute()}',number:{trial.number}}}"]
                for trial in trials
            ]
            self.validate_batch_is_legal(overrides)
            returns = self.launcher.launch(overrides, initial_job_idx=start)
            for trial, returned in zip(trials, returns, strict=True):
                job: Job = returned.return_value
                search.tell(trial.number, job)
        if not search.done:
            raise InputError("no trial has come to a figure: see the errors of its jobs")
