"""Nothing of the data leaves through a tracker: canaries are looked for in every byte that W&B would send."""

import gzip
import io
import struct
import zipfile

import numpy as np
import polars as pl
import pytest
from PIL import Image
from processes import run

from cfvqa.sources.image_files import read_image
from cfvqa.sources.tables import read_tables
from cfvqa.vocabulary.findings import ANSWER_FINDINGS

pytestmark = pytest.mark.long

BLOCK, HEADER, FILE_HEADER = 32768, 7, 7  # bytes of a W&B log: a LevelDB log behind a header of its own


def records(content):
    """Yield the records of a W&B log, put together from the blocks over which they are spread."""
    place, record = FILE_HEADER, b""
    while place + HEADER <= len(content):
        room = BLOCK - place % BLOCK
        if room < HEADER:
            place += room
            continue
        _, length, kind = struct.unpack("<IHB", content[place : place + HEADER])
        record += content[place + HEADER : place + HEADER + length]
        place += HEADER + length
        if kind in (1, 4):  # whole, or the last part
            yield record
            record = b""


def unpacked(content):
    """Yield content, and what is packed in it."""
    yield content
    if content[:2] == b"\x1f\x8b":
        yield from unpacked(gzip.decompress(content))
    elif content[:4] == b"PK\x03\x04":
        with zipfile.ZipFile(io.BytesIO(content)) as archive:
            for name in archive.namelist():
                yield from unpacked(archive.read(name))
    elif content[:4] == b"\x89PNG":
        yield np.asarray(Image.open(io.BytesIO(content)).convert("L")).tobytes()


def everything(*folders):
    """Return all that lies under W&B folders, names of files and unpacked parts too."""
    parts = []
    found_there = [(folder, path) for folder in folders for path in folder.rglob("wandb/**/*")]
    for place, path in found_there:
        parts.append(str(path.relative_to(place)).encode())
        if path.is_file():
            content = path.read_bytes()
            parts += unpacked(content)
            if path.suffix == ".wandb":
                parts += records(content)
    return parts


@pytest.fixture(scope="module")
def canaries(folder):
    """What must not leave, by kind: identifiers, questions and answers, rows of pixels."""
    tables = read_tables(next(folder.glob("work/tables/*/")))
    images = tables.images
    paths = [tables.root / path for path in images["path"]]
    questions = pl.concat([tables.questions["question"], tables.questions["answer"]])
    middle = [np.rint(read_image(path) * 255).astype(np.uint8)[64] for path in paths]
    identifiers = [images["image_id"], images["study_id"], images["subject_id"], tables.questions["question_id"]]
    return {
        "identifiers": {str(value).encode() for column in identifiers for value in column if len(str(value)) > 5},
        # The name of a finding alone can be an answer, and is in every table of figures.
        "texts": {text.encode() for text in questions if len(text) > 20 and text not in ANSWER_FINDINGS},
        "pixels": {row[:48].tobytes() for row in middle},
    }


def found(parts, canaries):
    return {kind: sum(any(canary in part for part in parts) for canary in some) for kind, some in canaries.items()}


def test_figures_are_tracked_and_data_only_when_they_are_shared(folder, canaries, call_tiny):
    tracked = ("name=tracked", "logger=wandb", "phases=finetune_only", "+trainer.limit_train_batches=8", "work=tracked")
    status, output = run(folder, "run", *tracked)
    assert status == 0, output
    assert "wandb sync runs/tracked/wandb/offline-run-*" in output
    trained = [next((folder / "tracked" / stage).glob("*/wandb")).parent for stage in ("anatomy", "findings", "blind")]
    parts = everything(folder / "runs" / "tracked", *trained)
    assert all(len(some) > 20 for some in canaries.values())
    assert found(parts, canaries) == {"identifiers": 0, "texts": 0, "pixels": 0}
    assert not any(str(folder).encode() in part for part in parts)
    whole = b"\n".join(parts)
    for told in (b"val/generation", b"changes.f1", b"finetune", b"evaluation", b"heads", b"memory_percent"):
        assert told in whole, told

    status, output = call_tiny("evaluate", *tracked, "evaluation.draws=40", "logger.share_samples=true")
    assert status == 0, output
    seen = found(everything(folder / "runs" / "tracked"), canaries)
    assert seen["texts"] > 0
    assert seen["pixels"] > 0
    assert seen["identifiers"] == 0
