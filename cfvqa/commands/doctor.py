"""cfvqa-doctor: what of the data set and the machine is there, and how long it all will take; nothing is made."""

from hydra.core.hydra_config import HydraConfig
from omegaconf import DictConfig

from cfvqa.commands.application import run
from cfvqa.commands.arguments import check_alone
from cfvqa.doctor.doctor import doctor
from cfvqa.doctor.packages import Chosen
from cfvqa.progress import StageConsole


def task(config: DictConfig, console: StageConsole) -> None:
    """Look at everything, and say what to do next."""
    hydra = HydraConfig.get()
    choices = {name: str(hydra.runtime.choices[f"hydra/{name}"]) for name in ("launcher", "sweeper")}
    doctor(config, console, hydra.overrides.task, Chosen(**choices, launching=hydra.launcher))


def main() -> None:
    """Start the command; what other commands check first is part of what it says."""
    run(task, needs=(), first=(check_alone,))


if __name__ == "__main__":
    main()
