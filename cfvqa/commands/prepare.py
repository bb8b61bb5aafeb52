"""cfvqa-prepare: read a data set (or draw the phantom) into tables."""

from omegaconf import DictConfig
from rich.console import Console

from cfvqa.commands.application import run
from cfvqa.stages.tables import tables


def task(config: DictConfig, console: Console) -> None:
    """Make the tables."""
    tables(config, console)


def main() -> None:
    """Start the command."""
    run(task)


if __name__ == "__main__":
    main()
