"""Which phases a reader goes through that starts from a checkpoint."""

import pytest

from cfvqa.stages.vqa import phases_from

BOTH = ["pretrain", "finetune"]


@pytest.mark.parametrize(
    ("checkpoint", "phases"),
    [
        ("runs/a/vqa/pretrain/checkpoints/best.ckpt", BOTH),
        ("runs/a/vqa/finetune/checkpoints/last.ckpt", ["finetune"]),
        ("runs/pretrain/vqa/finetune/checkpoints/last.ckpt", ["finetune"]),  # a run of that name
        ("runs/pretrain/kept.ckpt", ["finetune"]),
    ],
)
def test_a_reader_begins_with_the_phase_that_wrote_the_checkpoint_or_the_last(tmp_path, checkpoint, phases):
    assert phases_from(BOTH, tmp_path / checkpoint) == phases


def test_a_new_reader_goes_through_all_phases():
    assert phases_from(BOTH, None) == BOTH
