"""Nothing of the data leaves through a tracker: canaries are looked for in every byte that W&B would send."""

import gzip
import io
import shutil
import struct
import zipfile

import numpy as np
import polars as pl
import pytest
from PIL import Image

from cfvqa.sources.image_files import read_image
from cfvqa.sources.tables import read_tables
from cfvqa.vocabulary.findings import ANSWER_FINDINGS

pytestmark = pytest.mark.long

BLOCK, HEADER, FILE_HEADER = 32768, 7, 7  # bytes of a W&B log: a LevelDB log behind a header of its own
PICTURES = (b"\x89PNG\r\n", b"\xff\xd8\xff\xe0", b"iVBORw0KGgo", b"/9j/4AAQ")  # PNG and JPEG, and both in base64
PLANTED = {"question": "zanzibarine", "answer": "quuxoplasia", "root": "saint-canary-hospital"}


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
def planted(folder):
    """The phantom that was drawn, with words in its questions and answers, and a name, that stand nowhere else."""
    root = shutil.copytree(next(folder.glob("work/phantom/*/")), folder / PLANTED["root"])
    file = root / "medical-diff-vqa" / "mimic_pair_questions.csv"
    view = pl.col("question_type") == "view"
    table = pl.read_csv(file, infer_schema=False)
    for column in ("question", "answer"):
        planted = pl.col(column) + f" {PLANTED[column]}"
        table = table.with_columns(pl.when(view).then(planted).otherwise(column).alias(column))
    table.write_csv(file)
    return root


def canaries_of(tables):
    """Return what must not leave, by kind: identifiers, questions and answers, rows of pixels."""
    images = tables.images
    questions = pl.concat([tables.questions["question"], tables.questions["answer"]])
    identifiers = [images["image_id"], images["study_id"], images["subject_id"], tables.questions["question_id"]]
    middle = [row for path in images["path"] for row in middle_rows(read_image(tables.root / path))]
    return {
        "identifiers": {str(value).encode() for column in identifiers for value in column if len(str(value)) > 5},
        # The name of a finding alone can be an answer, and is in every table of figures.
        "texts": {text.encode() for text in questions if len(text) > 20 and text not in ANSWER_FINDINGS},
        "pixels": {row.tobytes() for row in middle},
        "planted": {word.encode() for word in PLANTED.values()},
        "pictures": set(PICTURES),
    }


def middle_rows(pixels):
    """Yield a part of a row of an image, float from 0 to 1, as bytes and as floats, in its size and in half of it."""
    for image in (pixels, np.asarray(Image.fromarray(pixels).reduce(2))):
        row = image[len(image) // 2, :48]
        yield np.rint(row * 255).astype(np.uint8)
        yield row.astype(np.float32)


def found(parts, canaries):
    return {kind: sum(any(canary in part for part in parts) for canary in some) for kind, some in canaries.items()}


def test_figures_are_tracked_and_data_only_when_they_are_shared(folder, planted, call_tiny):
    tracked = (
        "name=tracked",
        "logger=wandb",
        "+trainer.limit_train_batches=8",
        "work=tracked",
        f"source.root={planted}",
    )
    status, output = call_tiny("run", *tracked)
    assert status == 0, output
    assert "wandb sync runs/tracked/wandb/offline-run-*" in output
    trained = [next((folder / "tracked" / stage).glob("*/wandb")).parent for stage in ("anatomy", "findings", "blind")]
    parts = everything(folder / "runs" / "tracked", *trained)
    canaries = canaries_of(read_tables(next(folder.glob("tracked/tables/*/"))))
    assert all(len(some) > 20 for kind, some in canaries.items() if kind not in ("planted", "pictures"))
    assert set(found(parts, canaries).values()) == {0}, found(parts, canaries)
    assert not any(str(folder).encode() in part for part in parts)
    whole = b"\n".join(parts)
    for told in (b"val/generation", b"changes.f1", b"pretrain", b"evaluation", b"heads", b"memory_percent"):
        assert told in whole, told

    status, output = call_tiny("evaluate", *tracked, "evaluation.draws=40", "logger.share_samples=true")
    assert status == 0, output
    seen = found(everything(folder / "runs" / "tracked"), canaries)
    assert min(seen["texts"], seen["pixels"], seen["pictures"]) > 0
    assert seen["planted"] == 2  # of the questions that are shared, some are of the view
    assert seen["identifiers"] == 0
