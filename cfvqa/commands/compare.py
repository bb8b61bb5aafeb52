"""cfvqa-compare: finished runs side by side."""

from omegaconf import DictConfig

from cfvqa.commands.application import run
from cfvqa.comparing.comparison import compare
from cfvqa.progress import StageConsole


def task(config: DictConfig, console: StageConsole) -> None:
    """Compare the runs."""
    compare(config, console)


def main() -> None:
    """Start the command."""
    run(task, literal=("to",), needs=())


if __name__ == "__main__":
    main()
