"""cfvqa-evaluate: answers, text scores and change scores of a run, or of a file of answers."""

from omegaconf import DictConfig

from cfvqa.commands.application import run
from cfvqa.progress import StageConsole
from cfvqa.stages.evaluation import evaluate_file, evaluation
from cfvqa.stages.pipeline import show_sending


def task(config: DictConfig, console: StageConsole) -> None:
    """Evaluate the run, or the file that `predictions` names."""
    if config.predictions is not None:
        console.print(f"figures: {evaluate_file(config, console)}", soft_wrap=True)
    else:
        console.print(f"figures: {evaluation(config, console).folder / 'metrics.json'}", soft_wrap=True)
        show_sending(config, console)


def main() -> None:
    """Start the command."""
    run(task, literal=("predictions",))


if __name__ == "__main__":
    main()
