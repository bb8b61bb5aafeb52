"""An image file that cannot be read stops a reader of a data set, or is left out and counted, as is asked for."""

import sys
from dataclasses import replace

import numpy as np
import pytest
from dicoms import write_dicom
from layouts import ADDED, WHAT_CHANGED, MimicTree, VindrTree, write_image, write_nih
from PIL import Image

from cfvqa.errors import InputError
from cfvqa.sources.csv_tables import CsvSource
from cfvqa.sources.image_files import UNREADABLE
from cfvqa.sources.mimic import MimicSource
from cfvqa.sources.nih import NihSource
from cfvqa.sources.vindr import VindrSource


def mimic(root):
    tree = MimicTree(root, subjects=6).write()
    return MimicSource(root, split="official"), tree.image_path(59_000_012), tree.image_path(59_000_021)


def nih(root):
    write_nih(root)
    return NihSource(root), root / "images/00000001_001.png", root / "images/00000002_000.png"


def vindr(root):
    tree = VindrTree(root).write()
    return VindrSource(root), tree.image_path(f"a{1:031x}"), tree.image_path(f"a{2:031x}")


def own(root):
    rows = ["subject_id,main,reference,question,answer"]
    for number in range(30):
        write_image(root / f"{number}-new.png")
        write_image(root / f"{number}-old.png")
        rows.append(f"p{number},{number}-new.png,{number}-old.png,{WHAT_CHANGED},{ADDED.strip()}")
        rows.append(f"p{number},{number}-new.png,,is there edema?,yes")
    (root / "questions.csv").write_text("\n".join(rows) + "\n")
    (root / "findings.csv").write_text("path,finding,presence\n3-new.png,edema,yes\n5-new.png,edema,no\n")
    return CsvSource(root, split_seed=2), root / "3-new.png", root / "4-old.png"


SOURCES = {"mimic": mimic, "nih": nih, "vindr": vindr, "csv": own}


def cut(path):
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])


def flatten(path):
    """Make a file whose header and end are as they should be, and that shows nothing."""
    grey = np.full((48, 60), 7, dtype=np.uint8)
    write_dicom(path, grey) if path.suffix == ".dicom" else Image.fromarray(grey).save(path)


@pytest.mark.parametrize("name", SOURCES)
def test_images_that_cannot_be_read_are_left_out_with_all_that_is_about_them_and_counted(tmp_path, name):
    source, first, second = SOURCES[name](tmp_path)
    whole = source.read()
    cut(first)
    flatten(second)
    tables = replace(source, on_corrupt="drop").read()
    lost = whole.images.join(tables.images, on="image_id", how="anti")
    assert {tables.root / path for path in lost["path"]} == {first, second}
    assert tables.skipped[UNREADABLE] == 2
    assert sorted(tables.left_out[UNREADABLE]) == sorted(lost["path"])
    gone = lost["image_id"].implode()
    for kept in (tables.findings["image_id"], tables.questions["main_image"], tables.questions["reference_image"]):
        assert len(kept)
        assert not kept.is_in(gone).any()


@pytest.mark.parametrize("name", SOURCES)
def test_an_image_that_cannot_be_read_is_named_unless_it_shall_be_left_out(tmp_path, name):
    source, first, _ = SOURCES[name](tmp_path)
    assert replace(source, on_corrupt="drop").read().skipped == source.read().skipped
    cut(first)
    with pytest.raises(InputError, match=rf"{first.name} .*truncated.*source\.on_corrupt=drop"):
        source.read()


def test_questions_of_own_files_that_go_with_an_image_are_counted(tmp_path):
    source, first, second = own(tmp_path)
    cut(first)
    flatten(second)
    tables = replace(source, on_corrupt="drop").read()
    assert tables.skipped == {UNREADABLE: 2, "question about an image that cannot be read": 3}
    assert len(tables.questions) == 57


def test_what_is_missing_or_not_installed_or_leads_outside_is_no_damage(tmp_path, monkeypatch):
    source, _, second = vindr(tmp_path / "data")
    dropping = replace(source, on_corrupt="drop")
    second.rename(tmp_path / "elsewhere.dicom")
    with pytest.raises(InputError, match=rf"{second.name} is missing"):
        dropping.read()
    second.symlink_to(tmp_path / "elsewhere.dicom")
    with pytest.raises(InputError, match="goes through a link that leaves"):
        dropping.read()
    monkeypatch.setitem(sys.modules, "pydicom", None)
    with pytest.raises(InputError, match="which needs an extra"):
        dropping.read()


def test_a_data_set_of_which_no_image_can_be_read_is_refused(tmp_path):
    source, *_ = own(tmp_path)
    for path in tmp_path.glob("*.png"):
        path.write_bytes(b"")
    with pytest.raises(InputError, match=r"none of the 60 image files in .* can be read"):
        replace(source, on_corrupt="drop").read()
