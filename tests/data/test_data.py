import copy
from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from cfvqa.data.batches import ImageFeatures
from cfvqa.data.feature_store import FeatureStore, as_stored, shard_ids, write_index, write_shard
from cfvqa.data.frames import frame_of, letterbox
from cfvqa.data.image_data import ImageDataSettings
from cfvqa.data.sampling import EpochBatches, OrderedBatches
from cfvqa.data.seeding import stable_seed
from cfvqa.errors import InputError


@given(st.integers(40, 3000), st.integers(40, 3000))
def test_boxes_go_to_the_frame_and_back(width, height):
    frame = frame_of(width, height, 256)
    box = np.array([[3.0, 5.0, width - 1.0, height - 2.0]], dtype=np.float32)
    there = frame.to_frame(box)
    assert there.min() >= -0.5
    assert there.max() <= 256.5
    assert np.allclose(frame.to_original(there), box, atol=width / 500 + height / 500)


def test_a_letterbox_keeps_the_shape_of_what_it_shows():
    image = np.zeros((100, 200), dtype=np.float32)
    image[:, 100:] = 1.0
    frame = letterbox(image, 64)
    assert frame.shape == (64, 64)
    assert frame[:16].max() == 0
    assert frame[32, 50] == 255


def test_loading_processes_keep_no_frames_as_they_end_with_each_epoch():
    assert ImageDataSettings(image_size=64, batch_size=2, workers=0).kept_gib == 2
    assert ImageDataSettings(image_size=64, batch_size=2, workers=1).kept_gib == 0


def features(count):
    g = torch.Generator().manual_seed(count)
    return ImageFeatures(
        region=torch.randn(count, 24, 4, generator=g),
        finding=torch.randn(count, 24, 3, generator=g),
        probability=torch.rand(count, 24, 38, generator=g),
        severity=torch.rand(count, 38, 2, generator=g),
        box=torch.rand(count, 24, 4, generator=g) * 100,
        score=torch.rand(count, 24, generator=g),
    )


def open_files(folder):
    """Return how many files of a folder this process has open (Linux)."""
    links = [link for link in Path("/proc/self/fd").iterdir() if link.is_symlink()]
    return sum(folder in link.readlink().parents for link in links)


@pytest.mark.parametrize("preload_gib", [0, 1])
def test_what_is_stored_is_read_by_id(tmp_path, preload_gib):
    first, second = features(3), features(2)
    write_shard(tmp_path / "part-00000.h5", ["a", "b", "c"], first)
    write_shard(tmp_path / "part-00001.h5", ["d", "e"], second)
    write_index(tmp_path)
    store = FeatureStore(tmp_path, preload_gib=preload_gib)
    read = store.read(["e", "a"])
    assert torch.equal(read.region[0], second.region[1].half().float())
    assert torch.equal(read.box[1], first.box[0])
    assert torch.equal(read.region[1], as_stored(first).region[0])
    assert store.missing(["a", "z"]) == ["z"]
    assert store.widths == (4, 3)
    crossed = copy.copy(store)
    assert all(map(torch.equal, vars(crossed.read(["e", "a"])).values(), vars(read).values()))


def test_no_more_shards_stay_open_than_allowed_and_none_of_a_store_in_memory(tmp_path, monkeypatch):
    monkeypatch.setattr("cfvqa.data.feature_store._MOST_OPEN", 2)
    for number in range(4):
        write_shard(tmp_path / f"part-{number:05d}.h5", [f"i{number}"], features(number + 1)[:1])
    write_index(tmp_path)
    store = FeatureStore(tmp_path, preload_gib=0)
    for order in ("0123", "3210", "1313"):
        ids = [f"i{number}" for number in order]
        assert torch.equal(store.read(ids).box, torch.cat([features(int(number) + 1).box[:1] for number in order]))
        assert open_files(tmp_path) == 2
    assert len(FeatureStore(tmp_path).read(["i0"]).box) == 1
    assert open_files(tmp_path) == 2


def test_handles_of_the_process_that_was_forked_from_are_not_used(tmp_path, monkeypatch):
    write_shard(tmp_path / "part-00000.h5", ["a"], features(1))
    write_index(tmp_path)
    store = FeatureStore(tmp_path, preload_gib=0)
    store.read(["a"])
    parent = store._open["part-00000.h5"].file
    monkeypatch.setattr("os.getpid", lambda: -1)
    store.read(["a"])
    assert store._open["part-00000.h5"].file is not parent


def test_a_shard_that_cannot_be_opened_now_is_not_called_damaged(tmp_path, monkeypatch):
    write_shard(tmp_path / "part-00000.h5", ["a"], features(1))
    write_index(tmp_path)
    store = FeatureStore(tmp_path, preload_gib=0)

    def refuse(path, mode):
        raise OSError(24, "Too many open files")

    monkeypatch.setattr("h5py.File", refuse)
    with pytest.raises(InputError, match=r"part-00000\.h5 cannot be opened \(Too many open files\): it may be whole"):
        store.read(["a"])


def test_a_truncated_shard_is_named(tmp_path):
    path = tmp_path / "part-00000.h5"
    write_shard(path, ["a", "b", "c"], features(3))
    path.write_bytes(path.read_bytes()[:1000])
    with pytest.raises(InputError, match=r"part-00000\.h5"):
        shard_ids(path)


@pytest.mark.parametrize("preload_gib", [0, 1])
def test_a_shard_that_is_damaged_within_is_read_or_named(tmp_path, preload_gib):
    path = tmp_path / "part-00000.h5"
    write_shard(path, ["a", "b", "c"], features(3))
    write_index(tmp_path)
    whole, said = path.read_bytes(), []
    for place in range(0, len(whole), max(1, len(whole) // 300)):
        path.write_bytes(whole[:place] + bytes([whole[place] ^ 0xFF]) + whole[place + 1 :])
        try:
            FeatureStore(tmp_path, preload_gib=preload_gib).read(["a", "c"])
        except InputError as error:
            said.append(str(error))
    assert said
    assert all("part-00000.h5" in message for message in said)


def test_features_that_are_not_there_name_the_command(tmp_path):
    with pytest.raises(InputError, match="cfvqa-extract"):
        FeatureStore(tmp_path)


def test_an_epoch_goes_on_behind_what_was_skipped():
    batches = EpochBatches([[n] for n in range(10)], groups_per_batch=3, seed=1)
    batches.set_epoch(4)
    whole = list(batches)
    batches.skip = 2
    assert list(batches) == whole[2:]
    assert list(batches) == whole
    batches.set_epoch(5)
    assert list(batches) != whole
    assert sorted(n for batch in whole for n in batch) == list(range(10))


def test_a_batch_holds_groups_of_one_kind_and_every_sample_comes_once():
    kinds = [n % 3 == 0 for n in range(20)]
    batches = EpochBatches([[2 * n, 2 * n + 1] for n in range(20)], groups_per_batch=4, seed=1, kinds=kinds)
    batches.set_epoch(2)
    whole = list(batches)
    assert len(whole) == len(batches) == 2 + 4
    assert all(len({kinds[sample // 2] for sample in batch}) == 1 for batch in whole)
    assert sorted(sample for batch in whole for sample in batch) == list(range(40))


def test_the_samples_of_a_group_stand_in_another_order_in_another_epoch_whoever_reads_them():
    groups = [list(range(10 * n, 10 * n + 10)) for n in range(4)]

    def first_of_groups(epoch, world):
        parts = [EpochBatches(groups, groups_per_batch=4, seed=1, rank=rank, world=world) for rank in range(world)]
        for part in parts:
            part.set_epoch(epoch)
        samples = [sample for part in parts for batch in part for sample in batch]
        return [samples[place] for place in range(0, 40, 10)]

    assert first_of_groups(3, world=1) == first_of_groups(3, world=2)
    assert len({sample % 10 for epoch in range(6) for sample in first_of_groups(epoch, world=1)}) > 5


def test_seeds_are_the_same_everywhere():
    assert stable_seed(1, "step", 2, 3) == stable_seed(1, "step", 2, 3)
    assert stable_seed(1, "step", 2, 3) != stable_seed(1, "step", 23)
    assert 0 <= stable_seed(1) < 2**63


@pytest.mark.parametrize("count", [23, 100])
def test_up_to_eight_processes_have_the_batches_of_one(count):
    alone = OrderedBatches(count, size=24).batches
    for world in (2, 3, 8):
        shared = [OrderedBatches(count, size=24, rank=rank, world=world).batches for rank in range(world)]
        assert all(shared)
        assert sorted(batch for part in shared for batch in part) == alone


@pytest.mark.parametrize("world", [2, 9, 32])
def test_no_process_is_without_a_batch_however_many_samples_there_are(world):
    for count in range(world, 400):
        shared = [OrderedBatches(count, size=24, rank=rank, world=world).batches for rank in range(world)]
        assert all(shared)
        assert sorted(sample for part in shared for batch in part for sample in batch) == list(range(count))
