"""cfvqa-train: train the anatomy detector, the finding classifier or the reader (task=...)."""

from omegaconf import DictConfig

from cfvqa.commands.application import run
from cfvqa.progress import StageConsole
from cfvqa.stages.pipeline import train


def task(config: DictConfig, console: StageConsole) -> None:
    """Train what `task` names."""
    train(config, console)


def main() -> None:
    """Start the command."""
    run(task)


if __name__ == "__main__":
    main()
