"""cfvqa-bench: how fast this machine trains and reads, and what limits it."""

from omegaconf import DictConfig

from cfvqa.bench.bench import bench
from cfvqa.commands.application import run
from cfvqa.progress import StageConsole
from cfvqa.settings.training_checks import check_training


def task(config: DictConfig, console: StageConsole) -> None:
    """Measure."""
    bench(config, console)


def main() -> None:
    """Start the command."""
    run(task, literal=("to",), needs=(check_training,))


if __name__ == "__main__":
    main()
