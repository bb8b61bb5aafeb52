"""The two files of features that EKAID's program leaves, tiny, with invented values."""

import pickle
from dataclasses import dataclass, field
from pathlib import Path

import h5py
import numpy as np

NODES = 26
FILE, ROWS = "cmb_bbox_di_feats.hdf5", "dicom2id.pkl"


@dataclass
class PublishedTree:
    """Rows of images, those of the ids given first; every node found, by its class, but the first of the second row.

    Change the arrays or the rows before `write`.
    """

    root: Path
    image_ids: list[str]
    width: int = 6
    more: int = 3  # rows of images that no table names
    chunks: bool = True
    row_of: dict[str, int] = field(init=False)
    arrays: dict[str, np.ndarray] = field(init=False)

    def __post_init__(self) -> None:
        count, rng = len(self.image_ids) + self.more, np.random.default_rng(1)
        names = [*self.image_ids, *(f"elsewhere-{number}" for number in range(self.more))]
        self.row_of = {name: int(row) for name, row in zip(names, rng.permutation(count), strict=True)}
        corner = rng.uniform(0, 500, (count, NODES, 2))
        box = np.concatenate([corner, corner + rng.uniform(10, 500, (count, NODES, 2))], axis=-1)
        label = np.tile(np.arange(NODES), (count, 1))
        box[1, 0] = 0
        features = rng.normal(size=(count, 2 * NODES, self.width))
        features[1, 0] = 0
        self.arrays = {
            "image_features": features.astype(np.float32),
            "image_bb": np.concatenate([box, box], axis=1).astype(np.float32),
            "image_adj_matrix": np.zeros((count, 100, 100), dtype=np.int64),
            "semantic_adj_matrix": np.zeros((count, 100, 100), dtype=np.int64),
            "bbox_label": np.concatenate([label, label + NODES + 1], axis=1),
        }

    @property
    def file(self) -> Path:
        return self.root / FILE

    @property
    def rows(self) -> Path:
        return self.root / ROWS

    def write(self) -> "PublishedTree":
        self.root.mkdir(parents=True, exist_ok=True)
        with h5py.File(self.file, "w") as file:
            for name, values in self.arrays.items():
                chunks = (min(4, len(values)), *values.shape[1:]) if self.chunks and len(values) else None
                file.create_dataset(name, data=values, chunks=chunks)
        self.rows.write_bytes(pickle.dumps(self.row_of))
        return self
