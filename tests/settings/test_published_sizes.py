"""The sizes and schedules that each system was published with, and the keys of the config that hold them."""

from functools import cache
from pathlib import Path

import pytest
from hydra import compose, initialize_config_dir
from omegaconf import OmegaConf

from cfvqa.commands.application import config_folder
from cfvqa.settings.checking import check

CONF = Path(config_folder())
PAGE = Path(__file__).parents[2] / "docs" / "pages" / "how-to" / "published-data.md"


@cache
def composed(*overrides):
    with initialize_config_dir(str(CONF), version_base="1.3"):
        return compose("config", overrides=["experiment=mimic_paper", "source.root=.", *overrides])


def of_both_phases(part, figure, key, value):
    return [(part, f"{phase}, {figure}", f"phases.{phase}.{key}", value) for phase in ("pretrain", "finetune")]


# Part, figure, key, value; parts: 1 vision, 2 texts, 3 to 5 the method, 6 MCCFormers, 10 EKAID, 11 GLoRIA, 12 BLIP.
VISION = [
    ("1", "images of 1024 x 1024", "image_size", 1024),
    ("1", "shortest edge of the detector", "detector.network.shortest_edge", 800),
    ("1", "proposals", "detector.network.proposals", 1000),
    ("1", "images a step", "detector.training.batch_size", 32),
    ("1", "learning rate of the detector", "detector.training.learning_rate", 2e-4),
    ("1", "trunk of the classifier", "classifier.network.network", "resnet101"),
    ("1", "f and e", "classifier.network.width", 1024),
    ("1", "side of a crop", "classifier.network.crop", 224),
    ("1", "learning rate of the classifier", "classifier.training.learning_rate", 1e-6),
    ("1", "L2 of the classifier", "classifier.training.weight_decay", 1e-5),
    ("1", "epochs of the classifier", "classifier.training.epochs", 10),
]
TEXT = [
    ("2", "tokens of a question", "pairs.question_length", 30),
    ("2", "tokens of an answer", "pairs.answer_length", 90),
    ("3", "hidden", "text.transformer.width", 768),
    ("3", "layers of the question encoder", "text.transformer.layers", 1),
    ("3", "layers of the decoder", "text.transformer.writer_layers", 1),
    ("3", "heads", "text.transformer.heads", 6),
    ("3", "dropout of states", "text.transformer.dropout", 0.1),
    ("3", "dropout of attention", "text.transformer.attention_dropout", 0.1),
    ("3", "positions", "text.transformer.max_length", 512),
]
METHOD = [
    ("3", "inside the graph", "model.network.graph_inner", 1024),
    ("3", "dropout of the graph", "model.network.graph_dropout", 0.5),
    ("3", "one S for both images", "model.network.encoders", "shared"),
    ("6", "heads of S", "model.network.heads", 4),
    ("6", "layers of S", "model.network.layers", 2),
    ("6", "FFN of S", "model.network.inner", 2048),
    ("6", "dropout of S", "model.network.dropout", 0.1),
    ("2", "each of several keywords is masked", "objective.masked_language.several", 0.6),
    ("2", "any word is masked without keywords", "objective.masked_language.none", 0.3),
    ("4", "coarse, scale", "objective.coarse.scale", 10),
    ("4", "fine, over the places", "objective.fine.sharpness", 4),
    ("4", "fine, over the words", "objective.fine.emphasis", 5),
    ("4", "fine, all of the batch", "objective.fine.limit", 128),
    ("4", "matching, all of the batch", "objective.matching.limit", 128),
    ("4", "smoothing", "objective.generation.smoothing", 0),
]
SCHEDULE = [
    *of_both_phases("4", "optimizer", "optimizer._target_", "torch.optim.Adam"),
    *of_both_phases("4", "learning rate", "optimizer.lr", 6e-6),
    *of_both_phases("4", "L2", "optimizer.weight_decay", 1e-5),
    *of_both_phases("4", "what the rate falls to", "schedule.factor", 0.1),
    *of_both_phases("4", "batch", "units_per_batch", 128),
    *of_both_phases("4", "coarse, weight", "objectives.coarse", 1),
    *of_both_phases("4", "fine, weight", "objectives.fine", 1),
    *of_both_phases("4", "matching, weight", "objectives.matching", 1),
    ("4", "masked language, weight", "phases.pretrain.objectives.masked_language", 1),
    ("4", "language, weight", "phases.finetune.objectives.generation", 1),
    ("4", "epochs before finetuning", "phases.pretrain.epochs", 35),
    ("4", "epochs of finetuning", "phases.finetune.epochs", 92),
    ("4", "no clipping", "trainer.gradient_clip_val", None),
    ("4", "fp32", "precision", 32),
]
DECODING = [
    ("5", "beam", "evaluation.decoding.num_beams", 3),
    ("5", "least length", "evaluation.decoding.min_new_tokens", 1),
    ("5", "length", "evaluation.decoding.max_new_tokens", 90),
    ("5", "repetition penalty", "evaluation.decoding.repetition_penalty", 1.2),
]
MCCFORMERS = [
    ("6", "projection", "model.network.width", 512),
    ("6", "FFN", "model.network.inner", 2048),
    ("6", "heads", "model.network.heads", 4),
    ("6", "layers", "model.network.layers", 2),
    ("6", "dropout", "model.network.dropout", 0.1),
    ("6", "heads of the captioner", "model.network.caption_heads", 4),
    ("6", "layers of the captioner", "model.network.caption_layers", 2),
]
EKAID = [
    ("10", "width d", "model.network.width", 1024),
    ("10", "heads", "model.network.heads", 4),
    ("10", "word embedding", "model.network.word_width", 300),
    ("10", "LSTM", "model.network.state_width", 512),
    ("10", "inside the judgement of change", "model.network.inner", 128),
    ("10", "dropout", "model.network.dropout", 0.5),
    ("10", "weight of the sum of attentions", "phases.finetune.objectives.sparse_attention", 2.5e-3),
]
GLORIA = [
    ("11", "local and global", "text.transformer.width", 768),
    ("11", "global, scale", "objective.gloria_global.scale", 10),
    ("11", "local, scale: 10 times 5", "objective.gloria_local.scale", 50),
    ("11", "local, over the locations", "objective.gloria_local.sharpness", 4),
    ("11", "local, over the words", "objective.gloria_local.emphasis", 5),
    ("11", "local, all of the batch", "objective.gloria_local.limit", 128),
    ("11", "global, weight", "phases.pretrain.objectives.gloria_global", 1),
    ("11", "local, weight", "phases.pretrain.objectives.gloria_local", 1),
]
BLIP = [
    ("12", "space of the contrast", "model.network.space", 256),
    ("12", "queue", "model.network.queue", 57_600),
    ("12", "dropout", "model.network.dropout", 0.1),
    ("12", "momentum", "objective.image_text_contrast.momentum", 0.995),
    ("12", "alpha", "objective.image_text_contrast.alpha", 0.4),
    ("12", "alpha is reached in 2 epochs of 4,380 steps", "objective.image_text_contrast.warmup", 8760),
    ("12", "matching, all of the batch", "objective.hard_matching.limit", 128),
    ("12", "smoothing", "objective.language.smoothing", 0.1),
    *[("12", "weight", f"phases.pretrain.objectives.{name}", 1) for name in ("image_text_contrast", "hard_matching")],
]
FIGURES = {
    "full": [*VISION, *TEXT, *METHOD, *SCHEDULE, *DECODING],
    "mccformers_s": [*VISION, *MCCFORMERS, *DECODING],
    "ekaid": [*VISION, *EKAID, *DECODING],
    "gloria": [*VISION, *TEXT, *GLORIA, *DECODING],
    "blip": [*VISION, *TEXT, *BLIP, *DECODING],
}


@pytest.mark.parametrize("variant", FIGURES)
def test_every_published_figure_of_a_system_has_a_key_that_holds_it(variant):
    config = composed(f"variant={variant}")
    held = {row: OmegaConf.select(config, row[2], default="no such key") for row in FIGURES[variant]}
    assert not [f"part {row[0]}, {row[1]}: {row[2]} is {value}" for row, value in held.items() if value != row[3]]


def test_the_rate_falls_to_a_tenth_every_15_epochs():
    for phase in composed().phases.values():
        assert round(phase.schedule.every * phase.epochs, 1) == 15


def own_schedules():
    """The overrides of the page, by their variant."""
    block = PAGE.read_text().partition("```text\nvariant=ekaid")[2].partition("```")[0]
    lines = f"variant=ekaid{block}".replace("\n    ", " ").splitlines()
    return {line.split()[0].partition("=")[2]: line.split() for line in lines}


OWN = {
    "ekaid": {"finetune": (64, 5, "Adam", 1e-4, 0, 1)},
    "mccformers_s": {"finetune": (128, 40, "Adam", 1e-4, 0, 1)},
    "gloria": {"pretrain": (48, 50, "Adam", 5e-5, 1e-6, 1)},
    "blip": {"pretrain": (75, 20, "AdamW", 3e-4, 0.05, 0.9), "finetune": (256, 10, "AdamW", 2e-5, 0.05, 1)},
}
"""Batch, epochs, optimizer, learning rate, decay and what the rate falls to, of part 6, 10, 11, 12."""


def test_the_overrides_of_the_page_train_each_system_by_its_own_schedule():
    assert own_schedules().keys() == OWN.keys()
    for variant, overrides in own_schedules().items():
        config = composed(*overrides)
        check(config)
        for name, figures in OWN[variant].items():
            phase, optimizer = config.phases[name], config.phases[name].optimizer
            made_by = optimizer._target_.rpartition(".")[2]
            rates = (optimizer.lr, optimizer.weight_decay, phase.schedule.factor)
            assert (phase.units_per_batch, phase.epochs, made_by, *rates) == figures
    blip = composed(*own_schedules()["blip"]).phases.pretrain
    assert blip.schedule.every * blip.epochs == 1
