"""cfvqa-bench: how fast this machine trains and reads, and what limits it."""

from cfvqa.bench.bench import bench
from cfvqa.commands.application import run
from cfvqa.settings.training_checks import check_training


def main() -> None:
    """Start the command."""
    run(bench, literal=("to",), needs=(check_training,))


if __name__ == "__main__":
    main()
