"""The stage of features that are imported: shards as of an extraction, and no vision model."""

from pathlib import Path

import pytest
from hydra import compose, initialize_config_dir
from layouts import MimicTree
from published_layout import PublishedTree

from cfvqa.commands.application import config_folder
from cfvqa.data.feature_store import FeatureStore
from cfvqa.errors import InputError
from cfvqa.progress import StageConsole
from cfvqa.stages import importing
from cfvqa.stages.features import features

QUIET = StageConsole(quiet=True)


@pytest.fixture
def published(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    images = [row["dicom_id"] for row in MimicTree(tmp_path / "mimic").write().metadata]
    return PublishedTree(tmp_path / "published", images).write()


@pytest.fixture
def config(published):
    overrides = (
        "source=mimic",
        "source.root=mimic",
        "source.split=official",
        "extraction.rows_per_shard=10",
        "extraction.batch_size=10",
    )
    with initialize_config_dir(config_folder(), version_base="1.3"):
        return compose("config", overrides=[*overrides, f"extraction.published={published.root}"])


def test_every_image_of_the_tables_is_imported_and_nothing_is_trained(published, config):
    stage = features(config, QUIET)
    store = FeatureStore(stage.folder)
    assert store.missing(published.image_ids) == []
    assert store.widths == (published.width, published.width)
    assert stage.facts()["images"] == "24"
    assert stage.facts()["regions"].startswith("20 of 24 (without spine")
    assert sorted(path.name for path in Path("work").iterdir() if path.is_dir()) == ["features", "tables"]
    for image in published.image_ids:  # node 1 is the right upper lung zone, whatever shard the image is in
        node = published.arrays["image_features"][published.row_of[image], 1]
        assert store.read([image]).region[0, 1].tolist() == node.astype("float16").tolist()


def test_a_stopped_import_goes_on_behind_its_finished_shards(published, config, monkeypatch):
    write, written = importing.write_shard, []

    def stopping(path, *shard):
        if len(written) == 2:
            raise KeyboardInterrupt
        written.append(path)
        write(path, *shard)

    monkeypatch.setattr(importing, "write_shard", stopping)
    with pytest.raises(KeyboardInterrupt):
        features(config, QUIET)
    monkeypatch.setattr(importing, "write_shard", write)
    before = [path.stat().st_mtime_ns for path in written]
    stage = features(config, QUIET)
    assert [path.stat().st_mtime_ns for path in written] == before
    assert FeatureStore(stage.folder).missing(published.image_ids) == []
    assert len(list(stage.folder.glob("part-*.h5"))) == 3


def test_files_that_changed_are_imported_again_and_the_same_are_not(published, config):
    first, again = features(config, QUIET), features(config, QUIET)
    published.arrays["image_features"] += 1
    published.write()
    assert first.id == again.id != features(config, QUIET).id


def test_files_of_other_images_leave_no_shard(published, config):
    published.row_of.pop(published.image_ids[0])
    published.write()
    with pytest.raises(InputError, match="1 of the 24 images of the tables have no row"):
        features(config, QUIET)
    assert not list(Path("work").glob("features/*/*"))
