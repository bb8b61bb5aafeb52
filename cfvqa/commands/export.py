"""cfvqa-export: a judged run as a folder to give away: weights, settings, tokenizer, model card."""

from omegaconf import DictConfig

from cfvqa.commands.application import run
from cfvqa.progress import StageConsole
from cfvqa.sharing.exporting import export


def task(config: DictConfig, console: StageConsole) -> None:
    """Export the run."""
    export(config, console)


def main() -> None:
    """Start the command."""
    run(task, literal=("run", "to"), needs=())


if __name__ == "__main__":
    main()
