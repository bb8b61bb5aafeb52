"""cfvqa-predict: two image files and a question in, an answer out."""

from cfvqa.commands.application import run
from cfvqa.sharing.prediction import prediction


def main() -> None:
    """Start the command."""
    run(prediction, literal=("main", "reference", "question", "run", "output_image"), needs=())


if __name__ == "__main__":
    main()
