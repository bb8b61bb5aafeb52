import os
import shutil

import pytest
from layouts import MimicTree, dicom_id, write_nih

from cfvqa.errors import InputError
from cfvqa.sources.fingerprint import fingerprint
from cfvqa.sources.mimic import MimicSource
from cfvqa.sources.nih import NihSource

FIRST, SECOND = 59_000_011, 59_000_012


@pytest.fixture
def tree(tmp_path):
    return MimicTree(tmp_path / "data").write()


def digest(tree):
    return fingerprint(MimicSource(tree.root).files())


def touch(path):
    os.utime(path, ns=(1, path.stat().st_mtime_ns + 1))


@pytest.mark.parametrize("name", ["mimic_all.csv", "mimic_pair_questions.csv", "all_diseases.json"])
def test_the_content_of_a_table_counts_not_its_time(tree, name):
    table = tree.question_root / name
    before, state = digest(tree), table.stat()
    touch(table)
    assert digest(tree) == before
    table.write_bytes(table.read_bytes().replace(b"1", b"2", 1))
    os.utime(table, ns=(state.st_atime_ns, state.st_mtime_ns))
    assert digest(tree) != before


def test_the_time_of_an_image_and_of_a_scene_graph_counts(tree):
    digests = {digest(tree)}
    for path in (tree.image_path(SECOND), tree.graph_root / f"{dicom_id(SECOND)}_SceneGraph.json"):
        touch(path)
        digests.add(digest(tree))
    tree.image_path(SECOND).unlink()
    assert len(digests | {digest(tree)}) == 4


def test_other_files_beside_the_images_do_not_count(tree):
    before = digest(tree)
    (tree.image_path(SECOND).parent / "s59000012.txt").write_text("a report")
    assert digest(tree) == before


def test_a_data_set_that_is_moved_or_copied_with_its_times_is_the_same(tree):
    before = digest(tree)
    copy = tree.root.with_name("copy")
    shutil.copytree(tree.root, copy)
    assert fingerprint(MimicSource(copy).files()) == before


def test_nih_lists_and_images_count(tmp_path):
    root = write_nih(tmp_path / "nih", subjects=2)
    digests = {fingerprint(NihSource(root).files())}
    (root / "test_list.txt").write_text("00000001_000.png")
    digests.add(fingerprint(NihSource(root).files()))
    touch(root / "images" / "00000001_000.png")
    digests.add(fingerprint(NihSource(root).files()))
    assert len(digests) == 3


def test_a_missing_folder_of_images_and_a_dangling_link_are_left_to_the_reading(tree):
    path = tree.image_path(SECOND)
    path.unlink()
    path.symlink_to(tree.root / "nowhere.jpg")
    digest(tree)
    shutil.rmtree(tree.image_root / "files")
    digest(tree)


def test_what_cannot_be_read_is_named(tree, monkeypatch):
    def refuse(folder):
        raise PermissionError(13, "Permission denied", folder)

    monkeypatch.setattr(os, "scandir", refuse)
    with pytest.raises(InputError, match=r"mimic-cxr-jpg/files cannot be read \(Permission denied\)"):
        digest(tree)


def test_the_number_of_files_is_told(tree, monkeypatch):
    monkeypatch.setattr("cfvqa.sources.fingerprint._COUNTED_AT_ONCE", 20)
    seen = []
    fingerprint(MimicSource(tree.root).files(), seen.append)
    assert seen == [20, 40]  # of 24 images and 24 scene graphs
