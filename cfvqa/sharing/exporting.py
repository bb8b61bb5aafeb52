"""What cfvqa-export does: a judged run becomes a folder to give away, and goes to the hub where that is asked for."""

from pathlib import Path
from typing import Any

from omegaconf import DictConfig
from rich.console import Console

from cfvqa.errors import InputError
from cfvqa.evaluation.metrics import read_metrics
from cfvqa.sharing.hub import check_push, push
from cfvqa.sharing.loading import load
from cfvqa.sharing.publishing import write_export


def export(config: DictConfig, console: Console) -> Path:
    """Write the run of the config into the folder `to`, and send it to the hub as `push`, if that is set.

    Raises:
        InputError: if the run is not there, not judged yet, `to` cannot be made, or the hub does not take it.
    """
    if not config.run:
        raise InputError("run is not set: give the folder of a trained run, run=runs/NAME")
    if not config.to:
        raise InputError("to is not set: give the folder to write, to=FOLDER")
    if config.push is not None:
        check_push(str(config.push))
    run, to = Path(config.run), Path(config.to)
    model = load(run)
    write_export(model, _figures_of(run), to)
    console.print(f"exported   {to}", soft_wrap=True)
    console.print(
        f'next       cfvqa.load("{to}").ask(main=FILE, reference=FILE), or cfvqa-predict run={to}', soft_wrap=True
    )
    if config.push is not None:
        push(to, str(config.push), console)
    return to


def _figures_of(run: Path) -> dict[str, Any]:
    for file in (run / "evaluation" / "metrics.json", run / "metrics.json"):  # of a run, or of an export
        if file.is_file():
            return read_metrics(file)
    raise InputError(f"{run} was not judged, and a model card needs figures: cfvqa-evaluate with its config first")
