"""The choices among the releases of MIMIC-CXR: JPEG or DICOM files, CheXpert or NegBio labels, zipped tables or not."""

import gzip

import numpy as np
import polars as pl
import pytest
from dicoms import write_dicom
from layouts import MimicTree, dicom_id

from cfvqa.errors import InputError
from cfvqa.sources.fingerprint import fingerprint
from cfvqa.sources.image_files import read_image
from cfvqa.sources.leakage import leakage
from cfvqa.sources.mimic import MimicSource

FIRST, SECOND = 59_000_011, 59_000_012


@pytest.fixture
def tree(tmp_path):
    return MimicTree(tmp_path / "data", subjects=3).write()


def source(tree, **settings):
    return MimicSource(tree.root, **{"split": "official", "on_reversed": "error", **settings})


def dicom_path(tree, study):
    relative = tree.image_path(study).relative_to(tree.image_root).with_suffix(".dcm")
    return tree.root / "mimic-cxr" / relative


@pytest.fixture
def dicom_tree(tree):
    """MIMIC-CXR with its DICOM files, and MIMIC-CXR-JPG with nothing but its tables."""
    rng = np.random.default_rng(0)
    for row in tree.metadata:
        write_dicom(dicom_path(tree, row["study_id"]), rng.integers(0, 4096, (48, 60), dtype=np.uint16))
        tree.image_path(row["study_id"]).unlink()
    return tree


def test_dicom_files_are_read_with_the_tables_of_the_jpeg_release(dicom_tree):
    tables = source(dicom_tree, dicom="mimic-cxr").read()
    assert tables.root == dicom_tree.root / "mimic-cxr"
    row = tables.images.row(0, named=True)
    assert tables.root / row["path"] == dicom_path(dicom_tree, FIRST)
    assert (row["width"], row["height"]) == (60, 48)
    assert read_image(tables.root / row["path"]).shape == (48, 60)
    assert tables.skipped == {}
    assert leakage(tables).doubled == 0


def test_a_dicom_file_counts_for_what_the_tables_were_made_of(dicom_tree):
    chosen = source(dicom_tree, dicom="mimic-cxr")
    before = fingerprint(chosen.files())
    write_dicom(dicom_path(dicom_tree, SECOND), np.ones((48, 70), dtype=np.uint16))
    assert fingerprint(chosen.files()) != before


def test_a_dicom_file_of_another_size_than_published_is_counted(dicom_tree):
    write_dicom(dicom_path(dicom_tree, SECOND), np.ones((96, 120), dtype=np.uint16))
    tables = source(dicom_tree, dicom="mimic-cxr").read()
    assert tables.skipped == {"image file of another size than published (boxes are scaled)": 1}


@pytest.mark.parametrize(
    ("damage", "words"),
    [
        (lambda path: path.unlink(), "is missing"),
        (lambda path: path.write_bytes(path.read_bytes()[:-100]), "truncated"),
        (lambda path: path.write_bytes(b"no DICOM"), "is no readable DICOM file"),
    ],
)
def test_a_damaged_dicom_file_is_named(dicom_tree, damage, words):
    damage(dicom_path(dicom_tree, SECOND))
    with pytest.raises(InputError, match=rf"{dicom_id(SECOND)}\.dcm.*{words}"):
        source(dicom_tree, dicom="mimic-cxr").read()


def test_negbio_labels_are_read_in_place_of_chexpert(tree):
    tree.records = []
    chexpert = tree.image_root / "mimic-cxr-2.0.0-chexpert.csv.gz"
    text = gzip.decompress(chexpert.read_bytes()).decode().replace(f"{SECOND},1.0", f"{SECOND},0.0")
    (tree.image_root / "mimic-cxr-2.0.0-negbio.csv").write_text(text)

    def presence(labels):
        found = source(tree, labels=labels).read().findings
        whole = (pl.col("image_id") == dicom_id(SECOND)) & (pl.col("finding") == "atelectasis")
        return found.filter(whole)["presence"].item()

    assert presence("chexpert") == "yes"
    assert presence("negbio") == "no"
    chexpert.unlink()
    assert presence("negbio") == "no"


def test_the_labels_that_are_not_chosen_do_not_count_as_the_data_set(tree):
    before = fingerprint(source(tree).files())
    (tree.image_root / "mimic-cxr-2.0.0-negbio.csv").write_text("study_id\n")
    assert fingerprint(source(tree).files()) == before


def test_every_table_may_be_zipped_or_not(tree):
    expected = source(tree).read()
    for path in list(tree.image_root.glob("*.csv.gz")):
        path.with_suffix("").write_bytes(gzip.decompress(path.read_bytes()))
        path.unlink()
    for path in list(tree.question_root.glob("*.csv")):
        path.with_name(f"{path.name}.gz").write_bytes(gzip.compress(path.read_bytes()))
        path.unlink()
    chosen = source(tree)
    assert {path.suffix for path in chosen.files().tables} == {".csv", ".gz", ".json"}
    tables = chosen.read()
    for name in ("images", "findings", "questions"):
        assert getattr(tables, name).equals(getattr(expected, name))


def test_releases_as_wget_leaves_them_are_found_below_their_versions(tree):
    before = source(tree).read()
    for name, version in (("mimic-cxr-jpg", "2.1.0"), ("chest-imagenome", "1.0.0"), ("medical-diff-vqa", "1.0.1")):
        (tree.root / name).rename(tree.root / "moved")
        (tree.root / name).mkdir()
        (tree.root / name / "index.html").touch()
        (tree.root / "moved").rename(tree.root / name / version)
    tables = source(tree).read()
    assert tables.root == tree.root / "mimic-cxr-jpg" / "2.1.0"
    assert tables.images.equals(before.images)
    assert tables.questions.equals(before.questions)
    (tree.root / "mimic-cxr-jpg" / "2.0.0").mkdir()
    with pytest.raises(
        InputError, match=r"releases 2\.0\.0 and 2\.1\.0: choose one, source\.images=mimic-cxr-jpg/2\.1\.0"
    ):
        source(tree).read()
    assert source(tree, images="mimic-cxr-jpg/2.1.0").read().images.equals(before.images)


def test_a_folder_of_a_version_beside_the_files_of_a_release_is_not_looked_into(tree):
    (tree.image_root / "1.0.0").mkdir()
    assert source(tree).read().root == tree.image_root


def test_a_table_that_is_there_zipped_and_not_is_refused(tree):
    (tree.image_root / "mimic-cxr-2.0.0-split.csv").write_text("dicom_id,study_id,subject_id,split\n")
    with pytest.raises(InputError, match=r"has both mimic-cxr-2\.0\.0-split\.csv and mimic-cxr-2\.0\.0-split\.csv\.gz"):
        source(tree).read()


def test_a_scene_graph_behind_a_link_that_leaves_the_release_is_refused(tree, tmp_path):
    graph = tree.graph_root / f"{dicom_id(FIRST)}_SceneGraph.json"
    graph.rename(tmp_path / "elsewhere.json")
    graph.symlink_to(tmp_path / "elsewhere.json")
    with pytest.raises(InputError, match=rf"{graph.name}' goes through a link that leaves"):
        source(tree).read()
