"""cfvqa-predict: two image files and a question in, an answer out."""

from omegaconf import DictConfig

from cfvqa.commands.application import run
from cfvqa.progress import StageConsole
from cfvqa.sharing.prediction import prediction


def task(config: DictConfig, console: StageConsole) -> None:
    """Answer the question."""
    prediction(config, console)


def main() -> None:
    """Start the command."""
    run(task, literal=("main", "reference", "question", "run", "output_image"), needs=())


if __name__ == "__main__":
    main()
