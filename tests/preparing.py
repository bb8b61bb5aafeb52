"""The stage of the tables in this process, as `cfvqa-prepare` makes it, and what a refusal of it leaves behind."""

from dataclasses import asdict
from pathlib import Path
from typing import Any

import pytest
from omegaconf import OmegaConf

from cfvqa.commands.outcomes import report
from cfvqa.errors import InputError
from cfvqa.progress import StageConsole
from cfvqa.stages.tables import tables


def refusal(source: Any, work: Path) -> str:
    """Return the one line that a command ends with, with exit status 2, and nothing written but the lock of a stage."""
    reader = asdict(source) | {"_target_": f"{type(source).__module__}.{type(source).__name__}"}
    block = {"reader": reader | {"root": str(source.root)}, "phantom": None}
    with pytest.raises(InputError) as refused:
        tables(OmegaConf.create({"work": str(work), "source": block}), StageConsole(quiet=True))
    outcome = report(refused.value)
    assert outcome.status == 2
    assert "\n" not in outcome.message
    assert not [path for path in work.rglob("*") if path.name != "tables" and path.suffix != ".lock"]
    return outcome.message
