"""cfvqa-run: every stage in order, from the data set to the report of a judged reader."""

from hydra.core.hydra_config import HydraConfig
from omegaconf import DictConfig

from cfvqa.commands.application import run
from cfvqa.progress import StageConsole
from cfvqa.stages.closing import closing_lines
from cfvqa.stages.pipeline import show_sending
from cfvqa.stages.report import report


def task(config: DictConfig, console: StageConsole) -> None:
    """Run all stages and say what came out."""
    page = report(config, console)
    for line in closing_lines(config, page, HydraConfig.get().overrides.task):
        console.print(line, highlight=False, markup=False, soft_wrap=True)
    show_sending(config, console)


def main() -> None:
    """Start the command."""
    run(task)


if __name__ == "__main__":
    main()
