"""What the commands share: how one starts, and ends with errors that a user can read."""

import os
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from functools import partial
from pathlib import Path

import hydra
from hydra.core.hydra_config import HydraConfig
from hydra.types import RunMode
from omegaconf import DictConfig

from cfvqa.commands import searching
from cfvqa.commands.arguments import readable
from cfvqa.commands.messages import INTERRUPTED, WRONG_INPUT
from cfvqa.commands.outcomes import Outcome, config_folder, report
from cfvqa.commands.sweeping import run_job
from cfvqa.errors import InputError, Pruned
from cfvqa.progress import StageConsole
from cfvqa.settings.checking import check, check_folders
from cfvqa.settings.training_checks import check_training
from cfvqa.stages.sweeps import PRUNED, Job
from cfvqa.training.keeping import PREEMPTED, preemptible
from cfvqa.training.meeting import failures_told, open_calls
from cfvqa.training.ranks import rank

Task = Callable[[DictConfig, StageConsole], object]
Check = Callable[[DictConfig], None]
CommandLineCheck = Callable[[Sequence[str]], None]

_STOPPED = "stopped: the same command goes on where it was\n"


def run(
    task: Task,
    literal: tuple[str, ...] = (),
    needs: tuple[Check, ...] = (check_folders, check_training),
    first: tuple[CommandLineCheck, ...] = (),
) -> None:
    """Run a task as a Hydra application: once, or for every job of a sweep.

    Wrong input ends with one message and exit status 2, also where Hydra itself finds it. A job that fails does not
    stop the others of its sweep, which ends with a table; the status is 2 if all that failed had wrong input. A command
    that SIGTERM or SIGUSR1 asks to stop ends with status 75, wherever it is.

    Args:
        task: what the command does; what it returns is for those who call it in Python.
        literal: keys whose values on the command line are names of files or free text, taken as they stand.
        needs: checks of the machine, behind those of the config.
        first: checks of the command line, before Hydra reads it.
    """
    os.environ["HYDRA_FULL_ERROR"] = "1"  # Hydra raises its errors instead of printing some lines of its own

    def application(config: DictConfig) -> Job | None:
        attempt = partial(_attempt, task, (check, *needs))
        if HydraConfig.get().mode == RunMode.MULTIRUN:
            return run_job(config, attempt)
        if status := attempt(config).status:
            sys.exit(status)
        return None

    searching.register()
    with _ending():
        for check_it in first:
            check_it(sys.argv[1:])
        sys.argv[1:] = readable(sys.argv[1:], literal, Path(config_folder()))
        hydra.main(version_base="1.3", config_path=config_folder(), config_name="config")(application)()


@contextmanager
def _ending() -> Iterator[None]:
    """End a command as a user and a shell understand it: with one message, and a status."""
    try:
        with preemptible():
            yield
    except KeyboardInterrupt:
        sys.stderr.write(_STOPPED)
        sys.exit(INTERRUPTED)
    except SystemExit as end:
        if end.code == PREEMPTED and rank() == 0:
            sys.stderr.write(_STOPPED)
        raise
    except WRONG_INPUT as error:
        sys.exit(report(error).status)
    except RuntimeError as error:  # of submitit, which looks for srun when it is asked for SLURM
        if "srun" not in str(error):
            raise
        sys.exit(report(InputError(f"hydra/launcher=slurm: no SLURM is on this machine ({error})")).status)
    except (OSError, ValueError) as error:  # Hydra's own, of the folder of a sweep or of a group that is null
        sys.exit(report(InputError(f"the command cannot be started: {error}")).status)


def _attempt(task: Task, checks: tuple[Check, ...], config: DictConfig) -> Outcome:
    try:
        for check_it in checks:
            check_it(config)
        open_calls(str(config.name))
        with failures_told():
            task(config, StageConsole(quiet=rank() > 0))
    except Pruned as end:
        return Outcome(message=str(end), state=PRUNED)
    except Exception as error:
        return report(error)
    return Outcome()
