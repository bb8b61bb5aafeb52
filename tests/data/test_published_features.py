"""Features in the layout of EKAID's program: what they become, and what is refused."""

import os

import h5py
import numpy as np
import polars as pl
import pytest
import torch
from published_layout import NODES, PublishedTree

from cfvqa.data.published_features import CLASSES, MISSING, open_published, published_fingerprint
from cfvqa.errors import InputError
from cfvqa.vocabulary.regions import REGIONS

IDS = [f"image-{number}" for number in range(10)]
IMAGES = pl.DataFrame({"image_id": IDS, "width": [2048] * 10, "height": [512] * 10})
SHARED = [name for name in CLASSES if name in REGIONS]


@pytest.fixture
def tree(tmp_path):
    return PublishedTree(tmp_path / "published", IDS)


def read(tree, images=IMAGES):
    """Return what `images` become, and their rows in the file."""
    with open_published(str(tree.root)) as file:
        placed = file.in_order(images)
        return file.read(placed), placed["row"].to_numpy()


def refused(tree, words, images=IMAGES):
    with pytest.raises(InputError, match=words):
        read(tree, images)


@pytest.mark.parametrize("chunks", [True, False])
def test_a_node_becomes_the_region_of_its_name_with_its_features_and_its_box(tree, chunks):
    tree.chunks = chunks
    features, rows = read(tree.write())
    assert rows.tolist() == sorted(tree.row_of[name] for name in IDS)
    values, boxes = tree.arrays["image_features"][rows], tree.arrays["image_bb"][rows]
    for name in SHARED[1:]:
        node, region = CLASSES.index(name), REGIONS.index(name)
        assert np.array_equal(features.region[:, region], values[:, node].astype(np.float16))
        assert np.array_equal(features.finding[:, region], values[:, NODES + node].astype(np.float16))
        assert np.allclose(features.box[:, region], boxes[:, node] * [2, 0.5, 2, 0.5])
    assert features.region.shape == features.finding.shape == (10, 24, tree.width)


def test_regions_that_have_no_box_or_no_node_are_not_found(tree):
    tree.row_of[IDS[0]], other = 1, tree.row_of[IDS[0]]  # the row of which a node was not found
    tree.row_of |= {name: other for name, row in tree.row_of.items() if row == 1 and name != IDS[0]}
    features, rows = read(tree.write())
    expected = np.tile([name in SHARED for name in REGIONS], (10, 1))
    expected[rows.tolist().index(1), REGIONS.index("right lung")] = False
    assert np.array_equal(features.found, expected)
    for values in (features.region, features.finding, features.box):
        assert not values[~features.found].any()
    assert set(MISSING) == {"spine", "mediastinum", "left cardiac silhouette", "right cardiac silhouette"}


def test_what_the_file_does_not_know_is_one_half(tree):
    features, _ = read(tree.write())
    assert (features.probability == 0.5).all()
    assert (features.severity == 0.5).all()
    assert (torch.logit(features.probability) == 0).all()


def test_nodes_in_another_order_go_where_their_class_says(tree):
    here, _ = read(tree.write())
    order = np.random.default_rng(2).permutation(NODES)
    both = np.concatenate([order, NODES + order])
    tree.arrays |= {name: tree.arrays[name][:, both] for name in ("image_features", "image_bb", "bbox_label")}
    there, _ = read(tree.write())
    for name in ("region", "finding", "box", "score"):
        assert torch.equal(getattr(here, name), getattr(there, name))


def test_of_two_nodes_of_one_class_the_first_counts(tree):
    tree.arrays["bbox_label"][:, 3] = 2
    features, rows = read(tree.write())
    values = tree.arrays["image_features"][rows]
    assert np.array_equal(features.region[:, REGIONS.index(CLASSES[2])], values[:, 2].astype(np.float16))
    assert not features.found[:, REGIONS.index(CLASSES[3])].any()


def first_row(tree):
    return min(tree.row_of[name] for name in IDS)


def set_row(tree, name, row):
    tree.row_of[name] = row


def cut(tree, name, index):
    tree.arrays[name] = tree.arrays[name][index]


def damage(tree, name, value):
    tree.arrays[name][first_row(tree)] = value


SPOILED = {
    "a row behind the end": (lambda t: set_row(t, "elsewhere-1", 13), "elsewhere-1 has row 13, .* rows 0 to 12"),
    "a row before the start": (lambda t: set_row(t, IDS[0], -1), "image-0 has row -1"),
    "a row of two images": (lambda t: set_row(t, IDS[1], t.row_of[IDS[0]]), "image-0 and image-1 have the same row"),
    "an image without a row": (lambda t: t.row_of.pop(IDS[4]), "1 of the 10 images .*, for instance image-4: give"),
    "nodes of another detector": (
        lambda t: cut(t, "image_features", np.s_[:, :48]),
        r"image_features is \(13, 48, 6\)",
    ),
    "features without nodes": (lambda t: cut(t, "image_features", np.s_[:, 0]), r"floats \(M, 52, W\)"),
    "boxes of two numbers": (lambda t: cut(t, "image_bb", np.s_[..., :2]), r"image_bb is \(13, 52, 2\) float32"),
    "fewer boxes": (lambda t: cut(t, "image_bb", np.s_[:12]), "have 13, 12 and 13 rows"),
    "no features at all": (lambda t: cut(t, "image_features", np.s_[:0]), r"image_features is \(0, 52, 6\)"),
    "no classes": (lambda t: t.arrays.pop("bbox_label"), "holds no data set bbox_label: give one that combine_dicts"),
    "classes of another detector": (lambda t: damage(t, "bbox_label", 30), r"row \d+ \(image-\d\) holds classes"),
    "boxes of another frame": (
        lambda t: damage(t, "image_bb", [0, 0, 3000, 9]),
        "holds boxes that are not inside 0 to 1024",
    ),
    "a row that was not written": (lambda t: damage(t, "image_bb", 0), r"row \d+ \(image-\d\) holds no region"),
    "features that are no numbers": (
        lambda t: damage(t, "image_features", np.nan),
        "holds features that are no numbers",
    ),
    "features too large": (lambda t: damage(t, "image_features", 1e6), "or too large"),
}


@pytest.mark.parametrize("spoiled", SPOILED)
def test_files_that_are_not_of_the_layout_are_refused(tree, spoiled):
    spoil, words = SPOILED[spoiled]
    spoil(tree)
    refused(tree.write(), words)


def test_classes_that_are_no_whole_numbers_are_refused(tree):
    tree.arrays["bbox_label"] = tree.arrays["bbox_label"].astype(np.float32)
    refused(tree.write(), r"bbox_label is \(13, 52\) float32; it must be whole numbers \(M, 52\)")


def linked(link):
    def change(path):
        with h5py.File(path, "a") as file:
            del file["image_features"]
            file["image_features"] = link

    return change


def lies_elsewhere(path):
    with h5py.File(path.with_name("other.h5"), "w") as other:
        other["image_features"] = np.zeros((13, 52, 6), np.float32)
    layout = h5py.VirtualLayout((13, 52, 6), np.float32)
    layout[:] = h5py.VirtualSource(path.with_name("other.h5"), "image_features", shape=(13, 52, 6))
    with h5py.File(path, "a") as file:
        del file["image_features"]
        file.create_virtual_dataset("image_features", layout)


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (linked(h5py.SoftLink("/image_features")), "image_features is a link"),
        (linked(h5py.ExternalLink("other.h5", "image_features")), "image_features is a link"),
        (lies_elsewhere, "image_features lies in other files"),
    ],
    ids=["a circle", "another file", "parts of another file"],
)
def test_features_that_lie_elsewhere_are_refused(tree, change, words):
    tree.write()
    change(tree.file)
    refused(tree, words)


@pytest.mark.parametrize("file", ["file", "rows"])
def test_a_file_that_is_missing_is_named_with_the_key(tree, file):
    path = getattr(tree.write(), file)
    path.unlink()
    refused(tree, rf"{path.name} is missing.*extraction\.published")
    with pytest.raises(InputError, match=path.name):
        published_fingerprint(str(tree.root))


def test_a_folder_that_is_missing_is_named_with_the_key(tree):
    refused(tree, r"extraction\.published: no folder")


@pytest.mark.parametrize("share", [0.0, 0.05, 0.9])
def test_a_truncated_file_is_named(tree, share):
    content = tree.write().file.read_bytes()
    tree.file.write_bytes(content[: int(share * len(content))])
    refused(tree, r"cmb_bbox_di_feats\.hdf5 is no whole HDF5 file")


def test_a_file_that_is_damaged_within_is_read_or_named(tree):
    whole, said = tree.write().file.read_bytes(), []
    for place in range(0, 16_000, 41):  # where HDF5 keeps what it knows of the data sets
        tree.file.write_bytes(whole[:place] + bytes([whole[place] ^ 0xFF]) + whole[place + 1 :])
        try:
            read(tree)
        except InputError as error:
            said.append(str(error))
    assert said
    assert all("cmb_bbox_di_feats.hdf5" in message for message in said)


def test_images_of_other_tables_are_refused_with_their_number(tree):
    other = IMAGES.with_columns(image_id=pl.Series([f"other-{number}" for number in range(9)] + [IDS[0]]))
    refused(
        tree.write(),
        "9 of the 10 images of the tables have no row in .*, for instance other-0, other-1, other-2",
        other,
    )


def test_what_tells_files_apart_is_the_content_of_rows_and_size_and_time_of_features(tree):
    seen = {published_fingerprint(str(tree.write().root))}
    os.utime(tree.file, ns=(1, 1))
    seen.add(published_fingerprint(str(tree.root)))
    os.utime(tree.rows, ns=(1, 1))
    assert published_fingerprint(str(tree.root)) in seen
    tree.rows.write_bytes(tree.rows.read_bytes().replace(b"image-1", b"image-x"))
    assert published_fingerprint(str(tree.root)) not in seen
    assert len(seen) == 2


def test_a_folder_that_is_moved_is_the_same(tree):
    before = published_fingerprint(str(tree.write().root))
    assert published_fingerprint(str(tree.root.rename(tree.root.with_name("moved")))) == before
