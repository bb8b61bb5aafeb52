"""cfvqa-generate-questions: from report texts to key information, and to questions over pairs of studies."""

from omegaconf import DictConfig

from cfvqa.commands.application import run
from cfvqa.progress import StageConsole
from cfvqa.stages.generation import generate


def task(config: DictConfig, console: StageConsole) -> None:
    """Generate records and questions."""
    generate(config, console)


def main() -> None:
    """Start the command."""
    run(task, literal=("reports", "studies", "out"), needs=())


if __name__ == "__main__":
    main()
