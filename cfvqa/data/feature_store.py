"""Features of images on disk: immutable HDF5 shards and an index, a random row of an array is one read."""

import errno
import os
import resource
from collections import OrderedDict
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import h5py
import numpy as np
import polars as pl
import torch

from cfvqa.data.batches import ImageFeatures
from cfvqa.errors import InputError
from cfvqa.files import DAMAGE, whole

INDEX = "index.parquet"
_DATASETS = {
    "region": ("region_features", np.float16),
    "finding": ("finding_features", np.float16),
    "probability": ("finding_probability", np.float16),
    "severity": ("finding_severity", np.float16),
    "box": ("boxes", np.float32),
    "score": ("box_score", np.float16),
}
_MOST_OPEN = 512  # shards: all of MIMIC-CXR's that questions are asked about


def shard_name(number: int) -> str:
    """Return the file name of a shard."""
    return f"part-{number:05d}.h5"


def write_shard(path: Path, image_ids: list[str], features: ImageFeatures) -> None:
    """Write the features of N images as one shard, whole or not at all.

    Rows are contiguous and uncompressed: one random row is then one read, where a chunk that many rows share may be
    read whole for it (`cfvqa-bench` has both).
    """
    with whole(path) as temporary, h5py.File(temporary, "w") as file:
        file.create_dataset("image_id", data=np.array(image_ids, dtype="S"))
        for field, (name, dtype) in _DATASETS.items():
            file.create_dataset(name, data=getattr(features, field).numpy().astype(dtype))


def as_stored(features: ImageFeatures) -> ImageFeatures:
    """Return features, float32, as a store gives them back: rounded to what it keeps."""
    kept = {field: getattr(features, field).numpy().astype(dtype) for field, (_, dtype) in _DATASETS.items()}
    return ImageFeatures(**{field: torch.from_numpy(values).float() for field, values in kept.items()})


def stored_bytes(features: ImageFeatures) -> int:
    """Return the bytes that a store keeps of features, without identifiers and the index."""
    return sum(getattr(features, field).numel() * np.dtype(dtype).itemsize for field, (_, dtype) in _DATASETS.items())


def shard_ids(path: Path) -> list[str]:
    """Return the image ids of a shard, in row order."""
    with _opened(path) as file:
        return [name.decode() for name in file["image_id"][:]]


@contextmanager
def _opened(path: Path) -> Iterator[h5py.File]:
    """Open a shard as long as it is read.

    Raises:
        InputError: as `_faults_named`.
    """
    with _faults_named(path), h5py.File(path, "r") as file:
        yield file


@contextmanager
def _faults_named(path: Path) -> Iterator[None]:
    """Name a shard that cannot be opened or read; of one that is damaged inside h5py raises whatever it comes upon.

    Raises:
        InputError: if it is missing or damaged; if it cannot be read for another reason, naming that.
    """
    try:
        yield
    except (OSError, *DAMAGE, RuntimeError) as error:
        code = getattr(error, "errno", None)
        if code in (None, errno.ENOENT):  # None: what is there is no HDF5 file, or not all of it
            raise InputError(f"{path} is no whole feature shard ({error}): delete it and extract again") from error
        raise InputError(
            f"{path} cannot be opened ({os.strerror(code)}): it may be whole, keep it; mend the cause, as by "
            "ulimit -n where too many files are open"
        ) from error


def split_into_shards(image_ids: list[str], rows: int) -> dict[int, list[str]]:
    """Return the image ids of every shard by its number."""
    return {number: image_ids[start : start + rows] for number, start in enumerate(range(0, len(image_ids), rows))}


def has_shard(folder: Path, number: int, image_ids: list[str]) -> bool:
    """Whether a shard is there, and of these images."""
    path = folder / shard_name(number)
    return path.is_file() and shard_ids(path) == image_ids


def write_index(folder: Path) -> None:
    """List every row of the shards of `folder` in `index.parquet`."""
    parts = [
        pl.DataFrame({"image_id": ids, "shard": [path.name] * len(ids), "row": np.arange(len(ids), dtype=np.int64)})
        for path in sorted(folder.glob("part-*.h5"))
        if (ids := shard_ids(path))
    ]
    with whole(folder / INDEX) as file:
        pl.concat(parts).write_parquet(file)


def _read_index(file: Path) -> pl.DataFrame:
    try:
        return pl.read_parquet(file).select("image_id", "shard", "row")
    except (OSError, pl.exceptions.PolarsError) as error:
        raise InputError(f"{file} is damaged ({error}): delete the folder and extract again") from error


@dataclass(frozen=True)
class _Shard:
    """An open shard with its data sets: looking one up by its name takes longer than reading a row of it."""

    file: h5py.File
    tables: dict[str, h5py.Dataset]


def _most_open() -> int:
    """Return how many shards a process keeps open at once: other files are open too."""
    allowed, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
    return _MOST_OPEN if allowed == resource.RLIM_INFINITY else min(_MOST_OPEN, allowed // 2)


class FeatureStore:
    """Read features by image id.

    Args:
        folder: what the extraction stage wrote.
        preload_gib: stores up to this size are read into memory at once; larger ones row by row.
    """

    def __init__(self, folder: Path, *, preload_gib: float = 4.0) -> None:
        index_file = folder / INDEX
        if not index_file.exists():
            raise InputError(f"no features in {folder} ({INDEX} is missing): run cfvqa-extract first")
        index = _read_index(index_file)
        self.folder = folder
        self._place = {i: (s, r) for i, s, r in index.iter_rows()}
        self._open: OrderedDict[str, _Shard] = OrderedDict()
        self._process = os.getpid()
        size = sum(path.stat().st_size for path in folder.glob("part-*.h5"))
        self._memory = self._load(index) if size <= preload_gib * 2**30 else None

    def __contains__(self, image_id: str) -> bool:
        return image_id in self._place

    @property
    def widths(self) -> tuple[int, int]:
        """Widths of region features and of finding features."""
        shard, _ = next(iter(self._place.values()))
        with _opened(self.folder / shard) as file:
            return file["region_features"].shape[-1], file["finding_features"].shape[-1]

    def missing(self, image_ids: list[str]) -> list[str]:
        """Return the ids that the store does not hold."""
        return [image_id for image_id in image_ids if image_id not in self._place]

    def read(self, image_ids: list[str]) -> ImageFeatures:
        """Return the features of `image_ids`, (N, ...) float32."""
        if self._memory is not None:
            features, row_of = self._memory
            rows = torch.tensor([row_of[i] for i in image_ids])
            picked = features[rows]
            return ImageFeatures(**{f: getattr(picked, f).float() for f in _DATASETS})
        images = [self._row(*self._place[i]) for i in image_ids]
        columns = zip(_DATASETS, zip(*images, strict=True), strict=True)
        return ImageFeatures(**{field: torch.from_numpy(np.stack(rows)).float() for field, rows in columns})

    def _row(self, shard: str, row: int) -> list[np.ndarray]:
        """Return what is kept of an image, in the order of `_DATASETS`."""
        with _faults_named(self.folder / shard):
            tables = self._shard(shard).tables
            return [tables[name][row] for name, _ in _DATASETS.values()]

    def _load(self, index: pl.DataFrame) -> tuple[ImageFeatures, dict[str, int]]:
        shards = index["shard"].unique(maintain_order=True).to_list()
        columns = zip(_DATASETS, zip(*map(self._all_rows, shards), strict=True), strict=True)
        features = ImageFeatures(**{field: torch.from_numpy(np.concatenate(parts)) for field, parts in columns})
        return features, {i: n for n, i in enumerate(index["image_id"])}

    def _all_rows(self, shard: str) -> list[np.ndarray]:
        """Return what a shard keeps, in the order of `_DATASETS`."""
        with _opened(self.folder / shard) as file:
            return [file[name][:] for name, _ in _DATASETS.values()]

    def _shard(self, shard: str) -> _Shard:
        """Return an open shard; those that were not asked for longest are closed where too many are open."""
        if self._process != os.getpid():  # handles of the process that this one was forked from
            self._open, self._process = OrderedDict(), os.getpid()
        if shard not in self._open:
            if len(self._open) >= _most_open():
                self._open.popitem(last=False)[1].file.close()
            file = h5py.File(self.folder / shard, "r")
            self._open[shard] = _Shard(file, {name: file[name] for name, _ in _DATASETS.values()})
        self._open.move_to_end(shard)
        return self._open[shard]

    def __getstate__(self) -> dict[str, object]:
        # Open HDF5 handles do not cross into worker processes: each opens its own.
        return {**self.__dict__, "_open": OrderedDict()}
