"""Models that read two chest radiographs of one patient and say what has changed."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pathlib import Path

    from cfvqa.sharing.answering import Model


def load(source: Path | str) -> Model:
    """Load a trained model to ask: `cfvqa.load("runs/NAME").ask(main=FILE, reference=FILE, question=TEXT)`.

    Args:
        source: folder of a run, folder that cfvqa-export wrote, or USER/MODEL on the Hugging Face hub.

    Raises:
        InputError: if there is no such model, or it is damaged, not finished, or names foreign classes.
    """
    from cfvqa.sharing.loading import load  # takes seconds, which `import cfvqa` should not

    return load(source)
