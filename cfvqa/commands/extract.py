"""cfvqa-extract: both vision models over every image."""

from cfvqa.commands.application import run
from cfvqa.stages.features import features


def main() -> None:
    """Start the command."""
    run(features)


if __name__ == "__main__":
    main()
