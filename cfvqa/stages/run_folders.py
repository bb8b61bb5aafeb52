"""The folder of a run: whose training it holds, and what happens when settings have changed since."""

import json
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from glob import escape
from pathlib import Path
from typing import Any

from omegaconf import OmegaConf

from cfvqa.errors import InputError
from cfvqa.files import damage_named, write_text
from cfvqa.progress import StageConsole
from cfvqa.stages.identity import SUCCESS, Stage, locked
from cfvqa.training.ranks import rank

_HELD = "settings.json"
_REMEDY = "delete the folder, or choose another name=..."


@contextmanager
def run_lock(stage: Stage, console: StageConsole) -> Iterator[None]:
    """Keep other processes from writing into the run of a stage, `runs/<name>`.

    A process that makes the same is waited for.

    Raises:
        InputError: if another process is making something else under this name.
    """
    if rank() > 0:  # the first process of a training holds it for all
        yield
        return
    run = stage.folder.parent
    run.parent.mkdir(parents=True, exist_ok=True)
    # What the folder holds is of an earlier training, until the one at work has begun: it tells nothing of that.
    holder = run.with_name(f".{run.name}.holder")

    def busy() -> None:
        if _named(holder) not in (None, stage.id):
            raise InputError(
                f"another process is at work in {run} with other settings: choose another name=..., or wait for it"
            )
        console.print(f"another process is at work in {run}; waiting for it")

    with locked(run.with_name(f".{run.name}.lock"), busy):
        write_text(holder, stage.id)
        try:
            yield
        finally:
            holder.unlink(missing_ok=True)


def _named(holder: Path) -> str | None:
    """Return the id of the training at work; None in the moment in which it has not told, and is waited for."""
    try:
        return holder.read_text()
    except FileNotFoundError:
        return None


def take_folder(stage: Stage, settings: dict[str, Any], *, resume: str, console: StageConsole) -> None:
    """Make sure that a training may write into the folder of a run, `runs/<name>/vqa`; call it under `run_lock`.

    The same settings go on. A finished training of other settings is kept under another name, and one that was kept
    before comes back. An unfinished one is gone on with if only the epochs of phases that are not finished differ, and
    none has fewer.

    Args:
        stage: the training.
        settings: what shapes it.
        resume: "auto", "never" (an unfinished training is kept aside, a new one begins) or the path of a checkpoint.
        console: is told where another training is kept.

    Raises:
        InputError: if the folder holds an unfinished training from which these settings cannot go on.
    """
    if stage.whole or rank() > 0:
        return
    held, finished = _read(stage.folder), (stage.folder / SUCCESS).is_file()
    other = held is not None and held["id"] != stage.id
    if held is not None and resume != "never" and not (other and finished):
        if other:
            _check_harmless(stage, held["settings"], settings)
        return
    back = _kept(stage, unfinished=resume != "never")
    if held is not None:
        _set_aside(stage, held["id"], console)
    if back is not None:
        _bring_back(stage, back, console)


def is_made(stage: Stage) -> bool:
    """Whether a training is finished: in its folder, or kept under another name."""
    return stage.whole or any(_trained_in(stage, place).whole for place in _places(stage))


def hold_folder(stage: Stage, settings: dict[str, Any]) -> None:
    """Write whose training the folder holds."""
    write_text(stage.folder / _HELD, json.dumps({"id": stage.id, "settings": settings}, indent=2) + "\n")


def settings_in(folder: Path) -> dict[str, Any]:
    """Return what shapes the training that a folder holds, nested; nothing where it holds none."""
    held = _read(folder)
    return {} if held is None else held["settings"]


def stored_config(file: Path) -> Any:
    """Return what a config says as it is written: nothing of this machine, as `${oc.env:...}`, is filled in."""
    return OmegaConf.to_container(OmegaConf.load(file), resolve=False)


def differences(old: Any, new: Any, place: str = "") -> dict[str, tuple[Any, Any]]:
    """Return dotted key -> (old, new) of every value that two settings do not share; None where a key is absent."""
    if isinstance(old, dict) and isinstance(new, dict):
        found: dict[str, tuple[Any, Any]] = {}
        for key in sorted({*old, *new}):
            found |= differences(old.get(key), new.get(key), f"{place}.{key}" if place else key)
        return found
    return {} if old == new else {place: (old, new)}


def _read(folder: Path) -> dict[str, Any] | None:
    file = folder / _HELD
    if not file.is_file():
        return None
    with damage_named(file, _REMEDY):
        content = json.loads(file.read_text())
        return {"id": str(content["id"]), "settings": dict(content["settings"])}


def _check_harmless(stage: Stage, old: dict[str, Any], new: dict[str, Any]) -> None:
    open_phases = [phase for phase in new["phases"] if not (stage.folder / phase / SUCCESS).is_file()]
    may_grow = {f"phases.{phase}.epochs" for phase in open_phases}
    with damage_named(stage.folder / _HELD, _REMEDY):
        changed = {
            key: (before, after)
            for key, (before, after) in differences(old, new).items()
            if key not in may_grow or before is None or after < before
        }
    if not changed:
        return
    listed = "; ".join(f"{key} was {before}, is {after}" for key, (before, after) in changed.items())
    raise InputError(
        f"{stage.folder} holds an unfinished training of other settings ({listed}): finish it with those, "
        "choose another name=..., or begin anew with resume=never (what is there is kept under another name)"
    )


def _set_aside(stage: Stage, held: str, console: StageConsole) -> None:
    """Move a run out of the way; nothing that was trained is deleted."""
    run = stage.folder.parent
    aside, number = run.with_name(f"{run.name}.{held}"), 1
    while aside.exists():
        number += 1
        aside = run.with_name(f"{run.name}.{held}.{number}")
    run.rename(aside)
    console.print(f"what {run} held is kept as {aside}", soft_wrap=True)


def _places(stage: Stage) -> list[Path]:
    """Return the runs of these settings that are kept under other names."""
    run = stage.folder.parent
    return sorted(run.parent.glob(f"{escape(run.name)}.{stage.id}*"))


def _trained_in(stage: Stage, run: Path) -> Stage:
    return replace(stage, folder=run / stage.folder.name)


def _kept(stage: Stage, *, unfinished: bool) -> Path | None:
    """Return the run of these settings that shall come back: a finished one before, if it may, an unfinished one."""
    places = _places(stage)
    finished = [place for place in places if _trained_in(stage, place).whole]
    return next(iter(finished + (places if unfinished else [])), None)


def _bring_back(stage: Stage, kept: Path, console: StageConsole) -> None:
    """Move a run back that was kept under another name."""
    run = stage.folder.parent
    if run.exists():  # what a training left that failed before it wrote anything
        _set_aside(stage, "empty", console)
    kept.rename(run)
    console.print(f"{kept} is back as {run}", soft_wrap=True)
