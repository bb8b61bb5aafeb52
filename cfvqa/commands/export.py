"""cfvqa-export: a judged run as a folder to give away: weights, settings, tokenizer, model card."""

from cfvqa.commands.application import run
from cfvqa.sharing.exporting import export


def main() -> None:
    """Start the command."""
    run(export, literal=("run", "to"), needs=())


if __name__ == "__main__":
    main()
