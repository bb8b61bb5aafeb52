"""What cfvqa-export does: a judged run becomes a folder to give away, and goes to the hub where that is asked for."""

from pathlib import Path
from typing import Any

from omegaconf import DictConfig
from rich.console import Console

from cfvqa.errors import InputError
from cfvqa.evaluation.metrics import read_metrics
from cfvqa.stages.loading import load
from cfvqa.stages.publishing import write_export


def export(config: DictConfig, console: Console) -> Path:
    """Write the run of the config into the folder `to`, and send it to the hub as `push`, if that is set.

    Raises:
        InputError: if the run is not there, not judged yet, or `to` cannot be made; naming the key.
    """
    if not config.run:
        raise InputError("run is not set: give the folder of a trained run, run=runs/NAME")
    if not config.to:
        raise InputError("to is not set: give the folder to write, to=FOLDER")
    run, to = Path(config.run).expanduser(), Path(config.to).expanduser()
    model = load(run)
    write_export(model, _figures_of(run), to)
    console.print(f"exported   {to}", soft_wrap=True)
    console.print(
        f'next       cfvqa.load("{to}").ask(main=FILE, reference=FILE), or cfvqa-predict run={to}', soft_wrap=True
    )
    if config.push is not None:
        _push(to, str(config.push), console)
    return to


def _figures_of(run: Path) -> dict[str, Any]:
    for file in (run / "evaluation" / "metrics.json", run / "metrics.json"):  # of a run, or of an export
        if file.is_file():
            return read_metrics(file)
    raise InputError(f"{run} was not judged, and a model card needs figures: cfvqa-evaluate with its config first")


def _push(folder: Path, name: str, console: Console) -> None:
    """Send an exported folder to the Hugging Face hub, into a repository that only its owner sees."""
    from huggingface_hub import HfApi  # slow to import
    from huggingface_hub.errors import HfHubHTTPError, LocalTokenNotFoundError

    console.print(
        "warning: weights trained on MIMIC data may be restricted by its data-use agreement; the repository is made "
        "private, and whether it may be opened is yours to find out",
        soft_wrap=True,
    )
    hub = HfApi()
    try:
        hub.create_repo(name, private=True, exist_ok=True)
        hub.upload_folder(repo_id=name, folder_path=folder)
    except (HfHubHTTPError, LocalTokenNotFoundError, OSError, ValueError) as error:
        raise InputError(f"push={name}: the hub says: {error}; the folder {folder} is there") from error
    console.print(f"pushed     https://huggingface.co/{name}", soft_wrap=True)
