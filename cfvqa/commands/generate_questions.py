"""cfvqa-generate-questions: from report texts to key information, and to questions over pairs of studies."""

from cfvqa.commands.application import run
from cfvqa.stages.generation import generate


def main() -> None:
    """Start the command."""
    run(generate, literal=("reports", "studies", "out"), needs=())


if __name__ == "__main__":
    main()
