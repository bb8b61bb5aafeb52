"""Stages: folders named by what shapes them, marked when whole, made by one process only."""

import hashlib
import json
import os
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, nullcontext, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from filelock import FileLock, Timeout

from cfvqa.files import full_disk_named, write_text
from cfvqa.progress import StageConsole
from cfvqa.stages.distribution import Others
from cfvqa.training.meeting import is_called, is_told_made, tell_made
from cfvqa.training.ranks import rank

SUCCESS = "_SUCCESS"
SPEED = ("workers", "cache_gib")
"""Keys that change how fast something is made, not what."""

_LATE = 90.0  # seconds after which a file system that machines share shows all of them what one has written
_TRY = "try.json"
"""In the folder of a stage that is not whole: when the last try began, and the seconds of those before it."""


@dataclass(frozen=True)
class Stage:
    """One output of the pipeline.

    Attributes:
        name: shown to the user.
        folder: where it lies.
        id: hash of the settings and inputs that shape it.
    """

    name: str
    folder: Path
    id: str

    @property
    def whole(self) -> bool:
        """Whether the stage is there and finished with these settings."""
        return self._written().get("id") == self.id

    def facts(self) -> dict[str, str]:
        """Return what the stage wrote of itself when it finished; nothing of one that has not."""
        return self._written().get("facts", {})

    @property
    def seconds(self) -> float:
        """How long it took to make: all tries together, those that were stopped up to the last file that they wrote."""
        return float(self._written().get("seconds", 0.0))

    def _written(self) -> dict[str, Any]:
        content = _content(self.folder / SUCCESS)
        return content if isinstance(content.get("facts"), dict) and _is_number(content.get("seconds")) else {}


def identify(*parts: Any) -> str:
    """Return 12 hexadecimal digits that change when any part does."""
    text = json.dumps(parts, sort_keys=True, default=str)
    return hashlib.sha256(text.encode()).hexdigest()[:12]


def shaping(block: Any) -> Any:
    """Return a config block without the keys of `SPEED`."""
    if isinstance(block, dict):
        return {key: shaping(value) for key, value in block.items() if key not in SPEED}
    return [shaping(value) for value in block] if isinstance(block, list) else block


def seconds_spent(folder: Path) -> float | None:
    """Return the seconds of all tries to make the stage in a folder, finished or not; None where nothing was begun.

    Of a try that was stopped they reach up to the last file that it wrote.
    """
    written = _content(folder / SUCCESS).get("seconds")
    if written is not None:
        return float(written)
    return _seconds_of_tries(folder) if (folder / _TRY).is_file() else None


Make = Callable[[Path], dict[str, str]]


def ensure(stage: Stage, make: Make, console: StageConsole, *, others: Others | None = None) -> Stage:
    """Make a stage unless it is there and whole; another process that makes it is waited for.

    Args:
        stage: what to make.
        make: writes into the folder, goes on from what a stopped run left there, and returns facts to show.
        console: for the one line that says what happened.
        others: the further processes that make it together with the first one; None where one makes it alone.

    Raises:
        InputError: when the disk is full.
    """
    if stage.whole:
        console.ready(stage.name, str(stage.folder))
        return stage
    if rank() > 0:
        return _join(stage, make, others)
    stage.folder.parent.mkdir(parents=True, exist_ok=True)
    lock = stage.folder.with_name(stage.folder.name + ".lock")
    waits = f"waiting for another process that is making it, and holds {lock}"
    with full_disk_named(stage.folder), locked(lock, lambda: console.announce(stage.name, str(stage.folder), waits)):
        if not stage.whole:
            _make(stage, make, console, others)
    return stage


@contextmanager
def locked(path: Path, busy: Callable[[], None]) -> Iterator[None]:
    """Hold a lock file; where another process holds it, call `busy`, and wait unless that raises an error."""
    lock = FileLock(path)
    try:
        lock.acquire(timeout=0)
    except Timeout:
        busy()
        lock.acquire()
    try:
        yield
    finally:
        lock.release()


def _join(stage: Stage, make: Make, others: Others | None) -> Stage:
    """Take part in making a stage once the first process has begun with it, and wait until it is whole."""
    parent, joined = os.getppid(), False
    while not stage.whole:
        if is_told_made(str(stage.folder)):
            return _shown(stage)
        called = is_called(str(stage.folder))  # asked in every stage: it tells too that the first process has ended
        if called and others is not None and not joined:
            joined = True
            make(stage.folder)
        if os.getppid() != parent:
            raise SystemExit(f"the first process ended before {stage.folder} was whole")
        time.sleep(0.2)
    return stage


def _shown(stage: Stage) -> Stage:
    """Wait for a stage that the first process, perhaps on another machine and at its end by now, has made."""
    last = time.monotonic() + _LATE
    while not stage.whole:
        if time.monotonic() > last:
            raise SystemExit(f"the first process has made {stage.folder}, and this one does not see it")
        time.sleep(1)
    return stage


def _make(stage: Stage, make: Make, console: StageConsole, others: Others | None) -> None:
    console.announce(stage.name, str(stage.folder), "...")
    stage.folder.mkdir(exist_ok=True)
    (stage.folder / SUCCESS).unlink(missing_ok=True)  # of other settings: what follows is not theirs any more
    start = time.monotonic()
    try:
        before = _begin_try(stage.folder)
        with nullcontext() if others is None else others.at_work(stage.folder):
            facts = make(stage.folder)
            seconds = time.monotonic() - start
            _mark(stage, facts, before + seconds)
        tell_made(str(stage.folder))
        (stage.folder / _TRY).unlink()
    finally:
        _remove_empty(stage.folder)
    shown = "  ".join(f"{name} {value}" for name, value in facts.items())
    console.print(f"  done in {seconds:.0f} s  {shown}", highlight=False, soft_wrap=True)


def _mark(stage: Stage, facts: dict[str, str], seconds: float) -> None:
    content = {"id": stage.id, "facts": facts, "seconds": round(seconds, 1)}
    write_text(stage.folder / SUCCESS, json.dumps(content, indent=2) + "\n")


def _begin_try(folder: Path) -> float:
    """Note that a try begins; return the seconds of those before it."""
    before = _seconds_of_tries(folder)
    write_text(folder / _TRY, json.dumps({"before": before, "start": time.time()}) + "\n")
    return before


def _seconds_of_tries(folder: Path) -> float:
    """Return how long was worked on a folder; of a try that was killed nothing tells but the files that it left."""
    last = _content(folder / _TRY)
    if not (_is_number(last.get("before")) and _is_number(last.get("start"))):
        return 0.0
    newest = max(file.stat().st_mtime for file in folder.rglob("*") if file.is_file())
    return last["before"] + max(0.0, newest - last["start"])


def _remove_empty(folder: Path) -> None:
    """Remove a folder in which a try left nothing; what is there is kept, to go on from."""
    with suppress(OSError):
        if [file.name for file in folder.iterdir()] == [_TRY]:
            (folder / _TRY).unlink()
        folder.rmdir()


def _content(file: Path) -> dict[str, Any]:
    """Return what a file notes; nothing where there is none, a power cut has left it empty, or it holds no notes."""
    try:
        content = json.loads(file.read_text())
    except (FileNotFoundError, NotADirectoryError, ValueError, RecursionError):
        return {}
    return content if isinstance(content, dict) else {}


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float)
