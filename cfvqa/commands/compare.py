"""cfvqa-compare: finished runs side by side."""

from cfvqa.commands.application import run
from cfvqa.comparing.comparison import compare


def main() -> None:
    """Start the command."""
    run(compare, literal=("to",), needs=())


if __name__ == "__main__":
    main()
