"""cfvqa-extract: both vision models over every image."""

from omegaconf import DictConfig

from cfvqa.commands.application import run
from cfvqa.progress import StageConsole
from cfvqa.stages.features import features


def task(config: DictConfig, console: StageConsole) -> None:
    """Extract the features."""
    features(config, console)


def main() -> None:
    """Start the command."""
    run(task)


if __name__ == "__main__":
    main()
