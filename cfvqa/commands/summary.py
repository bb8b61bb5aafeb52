"""cfvqa-summary: every judged run of a folder, and each system over its seeds."""

from cfvqa.commands.application import run
from cfvqa.comparing.summary import summarise


def main() -> None:
    """Start the command."""
    run(summarise, needs=())


if __name__ == "__main__":
    main()
