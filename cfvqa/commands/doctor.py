"""cfvqa-doctor: what of the data set and the machine is there, and how long it all will take; nothing is made."""

import sys
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

from hydra.core.hydra_config import HydraConfig
from omegaconf import DictConfig

from cfvqa.commands.application import run
from cfvqa.commands.arguments import asks_for_jobs, check_open, readable
from cfvqa.commands.composing import first_job
from cfvqa.commands.outcomes import config_folder
from cfvqa.doctor.doctor import doctor
from cfvqa.doctor.packages import Chosen
from cfvqa.progress import StageConsole


@dataclass
class Look:
    """A look at one experiment, or at a sweep: at its first job, as the others differ from it in what is swept.

    Attributes:
        asked: arguments of a sweep; none of one experiment.
        jobs: how many.
    """

    asked: list[str] = field(default_factory=list)
    jobs: int = 1

    def begin(self, arguments: Sequence[str]) -> None:
        """Put the first job of a sweep into the command line: Hydra would begin them all, and make their folder."""
        check_open(arguments)
        overrides = [argument for argument in arguments if not asks_for_jobs(argument)]
        if len(overrides) < len(arguments):
            self.asked = list(arguments)
            sys.argv[1:], self.jobs = first_job(readable(overrides, (), Path(config_folder())))

    def task(self, config: DictConfig, console: StageConsole) -> None:
        """Look at everything, and say what to do next."""
        hydra = HydraConfig.get()
        choices = {name: str(hydra.runtime.choices[f"hydra/{name}"]) for name in ("launcher", "sweeper")}
        jobs = int(hydra.sweeper.trials) if self.asked and choices["sweeper"] == "optuna" else self.jobs
        chosen = Chosen(**choices, launching=hydra.launcher, jobs=jobs)
        doctor(config, console, self.asked or hydra.overrides.task, chosen)


def main() -> None:
    """Start the command; what other commands check first is part of what it says."""
    look = Look()
    run(look.task, needs=(), first=(look.begin,))


if __name__ == "__main__":
    main()
