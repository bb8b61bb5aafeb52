"""cfvqa-train: train the anatomy detector, the finding classifier or the reader (task=...)."""

from cfvqa.commands.application import run
from cfvqa.stages.pipeline import train


def main() -> None:
    """Start the command."""
    run(train)


if __name__ == "__main__":
    main()
