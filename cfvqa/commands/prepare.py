"""cfvqa-prepare: read a data set (or draw the phantom) into tables."""

from omegaconf import DictConfig

from cfvqa.commands.application import run
from cfvqa.stages.progress import StageConsole
from cfvqa.stages.tables import tables


def task(config: DictConfig, console: StageConsole) -> None:
    """Make the tables."""
    tables(config, console)


def main() -> None:
    """Start the command."""
    run(task)


if __name__ == "__main__":
    main()
