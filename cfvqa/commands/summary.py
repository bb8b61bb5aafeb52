"""cfvqa-summary: every judged run of a folder, and each system over its seeds."""

from omegaconf import DictConfig

from cfvqa.commands.application import run
from cfvqa.comparing.summary import summarise
from cfvqa.progress import StageConsole


def task(config: DictConfig, console: StageConsole) -> None:
    """Summarise the runs."""
    summarise(config, console)


def main() -> None:
    """Start the command."""
    run(task, needs=())


if __name__ == "__main__":
    main()
