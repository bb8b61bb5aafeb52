"""cfvqa-run: every stage in order, from the data set to the figures of a judged reader."""

from omegaconf import DictConfig
from rich.console import Console

from cfvqa.commands.application import run
from cfvqa.stages.evaluation import evaluation


def task(config: DictConfig, console: Console) -> None:
    """Run all stages and say what came out."""
    done = evaluation(config, console)
    console.print(f"figures:  {done.folder / 'metrics.json'}")
    console.print(f"answers:  {done.folder / 'predictions.parquet'}")
    console.print(f"next:     cfvqa-run experiment={config.name} model=question_only name={config.name}_blind")


def main() -> None:
    """Start the command."""
    run(task)


if __name__ == "__main__":
    main()
