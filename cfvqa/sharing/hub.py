"""The Hugging Face hub: exported folders go there and come from there, and only where they are asked for."""

import re
from pathlib import Path

from rich.console import Console

from cfvqa.errors import InputError

_RUNS = "runs"
"""Folder of runs, unless the config names another: a slip in runs/NAME asks no network."""

_NAME = re.compile(r"\w([\w.-]*\w)?/\w([\w.-]*\w)?", re.ASCII)


def check_push(name: str) -> None:
    """Refuse what can be no name of a model on the hub.

    Raises:
        InputError: naming the key.
    """
    if not _is_name(name):
        raise InputError(f"push={name} is no name of a model on the hub: give USER/MODEL, push=USER/MODEL")


def push(folder: Path, name: str, console: Console) -> None:
    """Send an exported folder to the hub, into a repository that only its owner sees.

    Raises:
        InputError: if the hub cannot be reached or refuses it, with the command that sends the folder again; or if the
            repository was there before, and everybody sees it.
    """
    from huggingface_hub import HfApi  # slow to import
    from huggingface_hub.errors import HTTPError  # also of the transport: no network is no OSError

    console.print(
        "warning: weights trained on MIMIC data may be restricted by its data-use agreement; the repository is made "
        "private, and whether it may be opened is yours to find out",
        soft_wrap=True,
    )
    hub = HfApi()
    try:
        hub.create_repo(name, private=True, exist_ok=True)
        if not hub.repo_info(name).private:  # one that is there stays as it is
            raise InputError(
                f"push={name}: this repository is there already, and public: give another name, or make it private on "
                f"the hub; the export lies in {folder}, whole"
            )
        hub.upload_folder(repo_id=name, folder_path=folder)
    except (HTTPError, OSError, ValueError, RuntimeError) as error:  # the last of what sends large files
        raise InputError(
            f"push={name}: the hub says: {error}; the export lies in {folder}, whole; to send it later: "
            f"hf upload {name} {folder} --private"
        ) from error
    console.print(f"pushed     https://huggingface.co/{name}", soft_wrap=True)


def fetch(name: str) -> Path:
    """Return the folder of a model of the hub, downloaded if it is not on this machine yet.

    Raises:
        InputError: if the name is rather a path, or the hub gives no model of this name.
    """
    if not _is_name(name) or (first := name.partition("/")[0]) == _RUNS or Path(first).exists():
        raise InputError(
            f"no folder {name}, and it is no name of a model on the hub, USER/MODEL: give the folder of a trained run, "
            "runs/NAME, or of an exported one"
        )
    from huggingface_hub import snapshot_download  # slow to import
    from huggingface_hub.errors import HTTPError

    try:
        return Path(snapshot_download(name, allow_patterns=["*.json", "*.safetensors"]))
    except (HTTPError, OSError, ValueError) as error:
        raise InputError(f"no folder {name}, and the hub gives no model of this name: {error}") from error


def _is_name(name: str) -> bool:
    return _NAME.fullmatch(name) is not None and ".." not in name and "--" not in name
