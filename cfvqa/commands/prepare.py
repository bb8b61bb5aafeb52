"""cfvqa-prepare: read a data set (or draw the phantom) into tables."""

from omegaconf import DictConfig

from cfvqa.commands.application import run
from cfvqa.progress import StageConsole
from cfvqa.settings.checking import check_folders
from cfvqa.stages.tables import CARD, tables


def task(config: DictConfig, console: StageConsole) -> None:
    """Make the tables, and say where their card lies."""
    made = tables(config, console)
    console.print(f"card       {made.folder / CARD}", highlight=False, soft_wrap=True)


def main() -> None:
    """Start the command."""
    run(task, needs=(check_folders,))  # tables are made where the GPUs need not be


if __name__ == "__main__":
    main()
