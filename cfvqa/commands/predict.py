"""cfvqa-predict: two image files and a question in, an answer out."""

from omegaconf import DictConfig
from rich.console import Console

from cfvqa.commands.application import run
from cfvqa.stages.prediction import prediction


def task(config: DictConfig, console: Console) -> None:
    """Answer the question."""
    prediction(config, console)


def main() -> None:
    """Start the command."""
    run(task, literal=("main", "reference", "question", "run", "output_image"))


if __name__ == "__main__":
    main()
