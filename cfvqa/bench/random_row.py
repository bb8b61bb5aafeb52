"""How long does a random row of features take, beside the same from the file that EKAID's program leaves?"""

from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path

import h5py
import numpy as np

from cfvqa.bench.figures import Figure
from cfvqa.bench.lab import Lab
from cfvqa.bench.rounds import interleave, timed
from cfvqa.data.feature_store import FeatureStore
from cfvqa.data.published_features import CLASSES

_NODES = 2 * len(CLASSES)
_FEATURES = {"image_features": ((_NODES, 1024), np.float32), "image_bb": ((_NODES, 4), np.float32)}
_GRAPHS = {name: ((100, 100), np.int64) for name in ("image_adj_matrix", "semantic_adj_matrix")}
_TOGETHER = 100  # rows in a chunk, as the program sets it
_READS = 64
_OURS = "ours"


@dataclass(frozen=True)
class Published:
    """A way to read a row of the published layout.

    Attributes:
        name: in words.
        tables: shape and type of a row of each data set that is read.
        together: rows in a chunk; None leaves chunks to h5py.
        limit: what keeps it slow, or fast.
    """

    name: str
    tables: dict[str, tuple[tuple[int, ...], type]]
    together: int | None
    limit: str


WAYS = (
    Published(
        "all that its loader reads of an image",
        _FEATURES | _GRAPHS,
        _TOGETHER,
        "most of theirs are two graphs (100 x 100, 64 bits a number), whose chunks of 8 MB are read whole where "
        "they fit the cache (that of HDF5 2), else the row alone; ours are made from boxes and probabilities",
    ),
    Published(
        "features and boxes alone",
        _FEATURES,
        _TOGETHER,
        "a chunk of features (21 MB) fits no cache, so that HDF5 reads the row alone; ours has half the bytes, and "
        "more kinds of them, and is made a tensor of 32 bits",
    ),
    Published(
        "features and boxes alone, in chunks that h5py chooses",
        _FEATURES,
        None,
        "every chunk that a row touches is read whole, and most of it is of other images (of a larger file the more)",
    ),
)


def random_row(lab: Lab) -> list[Figure]:
    """Compare a random row of the shards with one of the published layout, read in several ways."""
    store = FeatureStore(lab.folder, preload_gib=0)
    names = lab.inputs.questions["main_image"].unique(maintain_order=True).to_list()
    order = _spread(len(names))
    with ExitStack() as files:
        ways = {
            way.name: _milliseconds(files.enter_context(_rows(lab.folder / "published.hdf5", way, len(names))), order)
            for way in WAYS
        }
        rounds = interleave({_OURS: _milliseconds(lambda row: store.read([names[row]]), order)} | ways, lab.repeats)
    return [
        Figure(
            measured=f"a random row of features on disk: from shards, or from the file of EKAID's program, {way.name}",
            ours=f"{rounds.median(_OURS):.3f} ms",
            other=f"{rounds.median(way.name):.3f} ms",
            ratio=rounds.ratio(way.name, _OURS),
            meaning="times as long",
            limit=way.limit,
        )
        for way in WAYS
    ]


def _spread(count: int) -> list[int]:
    """Return random rows, each in another chunk than the one before: as good as always so in a file of all images."""
    chunks = np.arange(_READS) % max(1, count // _TOGETHER)
    within = np.random.default_rng(0).integers(0, min(count, _TOGETHER), _READS)
    return (chunks * _TOGETHER + within).tolist()


def _milliseconds(read: Callable[[int], object], order: list[int]) -> Callable[[], float]:
    """Return a measure of the milliseconds that a row takes, read in this order."""

    def read_all() -> None:  # no row is kept: memory for all of them would be part of what is measured
        for row in order:
            read(row)

    seconds = timed(read_all)
    return lambda: seconds() / len(order) * 1e3


@contextmanager
def _rows(path: Path, way: Published, count: int) -> Iterator[Callable[[int], list[np.ndarray]]]:
    """Yield what reads a row of a new file with so many rows; the file goes with its last handle."""
    _write(path, way, count)
    with h5py.File(path, "r") as file:
        path.unlink()
        tables = [file[name] for name in way.tables]
        yield lambda row: [table[row] for table in tables]


def _write(path: Path, way: Published, count: int) -> None:
    draw = np.random.default_rng(0)
    with h5py.File(path, "w") as file:
        for name, (shape, dtype) in way.tables.items():
            chunks = True if way.together is None else (way.together, *shape)
            table = file.create_dataset(name, (count, *shape), dtype, chunks=chunks, maxshape=(None, *shape))
            table[:] = draw.integers(0, 3, (count, *shape))
