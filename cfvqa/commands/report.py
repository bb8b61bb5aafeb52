"""cfvqa-report: one self-contained page with the figures, curves and answers of a run."""

from omegaconf import DictConfig

from cfvqa.commands.application import run
from cfvqa.progress import StageConsole
from cfvqa.stages.pipeline import show_sending
from cfvqa.stages.report import report


def task(config: DictConfig, console: StageConsole) -> None:
    """Write the report, and make what it needs before."""
    console.print(f"open: {report(config, console)}", soft_wrap=True)
    show_sending(config, console)


def main() -> None:
    """Start the command."""
    run(task)


if __name__ == "__main__":
    main()
