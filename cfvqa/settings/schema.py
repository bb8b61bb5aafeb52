"""What every key of the config may hold, in the order of `conf/config.yaml`."""

from collections.abc import Mapping
from typing import Any

import lightning as L

from cfvqa.models.text import TextSettings
from cfvqa.phantom import PhantomSettings
from cfvqa.settings.blocks import Block, Each, Maybe
from cfvqa.settings.building import OBJECTIVES, OPTIMIZERS, READERS, SCHEDULES, TRACKERS, VISION
from cfvqa.settings.calls import Arguments, Call, Source
from cfvqa.settings.kinds import (
    Choice,
    Devices,
    Kind,
    Listed,
    Name,
    OrNull,
    Positive,
    Real,
    Some,
    Text,
    Texts,
    Truth,
    Whole,
)
from cfvqa.sources.report_questions import PARSERS

ANSWERS, RETRIEVAL, ZERO_SHOT = "answers", "retrieval", "zero_shot"
"""Tasks by which a reader is judged."""

_COUNT = Whole(1)
_SEED = Whole(0, 2**32 - 1)
_SHARE = Real(0.0, 1.0)
SIDE = Whole(32, 4096)
"""Pixels of a side of an image."""

_FOLDER = Text("give the name of a folder")
_WORKERS = Whole(0)

_SOURCE = Source(
    phantom=Arguments(
        PhantomSettings,
        values={"subjects": _COUNT, "seed": Whole(0), "size": Whole(64, 4096), "jobs": _COUNT},
    ),
    values={"question_seed": Whole(0)},
)

_OF_TRAINERS: dict[str, Kind] = {
    "accelerator": Choice(("auto", "cpu", "gpu", "cuda", "mps", "tpu")),
    "devices": Devices(),
    "num_nodes": _COUNT,
    "accumulate_grad_batches": _COUNT,
    "gradient_clip_val": OrNull(Real(0.0)),
    "limit_train_batches": Positive(),
}
_OF_FITTING = (  # what a stage gives, and what would end it before its last validation, checkpoint or shard
    "barebones",
    "enable_checkpointing",
    "fast_dev_run",
    "limit_val_batches",
    "limit_predict_batches",
    "overfit_batches",
    "val_check_interval",
    "check_val_every_n_epoch",
    "max_epochs",
    "max_steps",
    "max_time",
    "logger",
    "callbacks",
    "plugins",
    "enable_progress_bar",
    "enable_model_summary",
    "num_sanity_val_steps",
    "default_root_dir",
    "log_every_n_steps",
    "use_distributed_sampler",
    "deterministic",
)
_TRAINER = Arguments(L.Trainer, given=_OF_FITTING, values=_OF_TRAINERS)
_READER_TRAINER = Arguments(L.Trainer, given=(*_OF_FITTING, "precision"), values=_OF_TRAINERS)

_VISION_TRAINING = Block(
    {
        "epochs": _COUNT,
        "batch_size": _COUNT,
        "learning_rate": Positive(),
        "weight_decay": Real(0.0),
        "workers": _WORKERS,
        "seed": _SEED,
        "trainer": _TRAINER,
    }
)
_VISION: dict[str, Kind] = {"image_size": SIDE, "network": Call(VISION), "training": _VISION_TRAINING}

_TEXT = Block(
    {
        "pretrained": OrNull(_FOLDER),
        "transformer": Arguments(
            TextSettings,
            values={
                "width": _COUNT,
                "layers": _COUNT,
                "writer_layers": _COUNT,
                "heads": _COUNT,
                "dropout": _SHARE,
                "attention_dropout": _SHARE,
                "max_length": Whole(16),
            },
        ),
    }
)
_MODEL = Block(
    {
        "network": Call(
            READERS,
            given=("text", "vocabulary", "special", "tokenizer", "labels", "region_width", "finding_width"),
            values=dict.fromkeys(("layers", "heads", "inner", "graph_inner", "space", "queue"), _COUNT)
            | dict.fromkeys(("dropout", "graph_dropout"), _SHARE),
        ),
    }
)
_PAIRS = Block({"question_length": Whole(4), "answer_length": Whole(4), "swap": _SHARE, "workers": _WORKERS})
READER = {
    "model": _MODEL,
    "text": _TEXT,
    "pairs": _PAIRS,
    "widths": Block({"region": _COUNT, "finding": _COUNT}),
}
"""What a trained reader is built from; one from elsewhere brings it along."""

_PHASES = Each(
    Block(
        {
            "epochs": _COUNT,
            "units_per_batch": _COUNT,
            "monitor": Text("name a validation figure"),
            "objectives": Each(Real(0.0)),
            "optimizer": Call(OPTIMIZERS, given=("params",), values={"lr": Positive(), "weight_decay": Real(0.0)}),
            "schedule": Call(SCHEDULES, given=("optimizer", "steps")),
        },
        optional={"label_fraction": Real(0.0, 1.0)},
    )
)
WRITE, RANK = "generate", "rank"
"""Ways to answer: word by word, or by choosing from a closed list."""

DECODING = Block(
    {"num_beams": _COUNT, "do_sample": Truth(), "repetition_penalty": Positive(), "max_new_tokens": _COUNT},
    optional={
        "way": Choice((WRITE, RANK)),
        "candidates": _COUNT,
        "grammar": Truth(),
        "top_p": _SHARE,
        "top_k": _COUNT,
        "temperature": Positive(),
        "length_penalty": Real(),
        "no_repeat_ngram_size": Whole(0),
        "min_new_tokens": Whole(0),
        "early_stopping": Truth(),
    },
)
"""How answers are found; a trained run from elsewhere brings it along."""


def ranks(decoding: Mapping[str, Any]) -> bool:
    """Whether answers are chosen from a closed list."""
    return decoding.get("way", WRITE) == RANK


def follows_grammar(decoding: Mapping[str, Any]) -> bool:
    """Whether answers to difference questions are kept to their grammar."""
    return bool(decoding.get("grammar", False))


def words_of(decoding: Mapping[str, Any]) -> dict[str, Any]:
    """Return how words are written: what transformers takes."""
    return {name: value for name, value in decoding.items() if name not in ("way", "candidates", "grammar")}


EXPERIMENT = Block(
    {
        "name": Name(),
        "group": Name(),
        "variant": Name(),
        "seed": _SEED,
        "task": Choice(("anatomy", "findings", "vqa")),
        "work": _FOLDER,
        "runs": Texts("give the name of a folder, or a list of runs to compare"),
        "limit": OrNull(_COUNT),
        "resume": Text("choose auto, never, or the path of a checkpoint"),
        "checkpoint_steps": _COUNT,
        "precision": Choice(("32", "bf16", "16")),
        "compile": Truth(),
        "image_size": SIDE,
        "trial": Maybe(Block({"study": Text(), "number": Whole(0)})),
        "predictions": OrNull(Text()),
        "main": OrNull(Text()),
        "reference": OrNull(Text()),
        "question": OrNull(Text()),
        "run": OrNull(Text()),
        "output": Choice(("text", "json")),
        "output_image": OrNull(Text()),
        "to": OrNull(Text()),
        "push": OrNull(Text()),
        "reports": OrNull(_FOLDER),
        "studies": OrNull(Text("give the name of a file")),
        "out": OrNull(_FOLDER),
        "parser": Choice(tuple(PARSERS)),
        "workers": _COUNT,
        "source": _SOURCE,
        "detector": Block({**_VISION, "trained": OrNull(_FOLDER)}),
        "classifier": Block(_VISION),
        "text": _TEXT,
        "model": _MODEL,
        "objective": Each(Call(OBJECTIVES)),
        "phases": _PHASES,
        "trainer": _READER_TRAINER,
        "logger": Block({"tracker": Maybe(Call(TRACKERS))}, optional={"share_samples": Truth()}),
        "pairs": _PAIRS,
        "extraction": Block(
            {
                "batch_size": _COUNT,
                "rows_per_shard": _COUNT,
                "workers": _WORKERS,
                "truth": Choice(("none", "regions", "findings")),
                "published": OrNull(_FOLDER),
                "trainer": _TRAINER,
            },
        ),
        "evaluation": Block(
            {
                "tasks": Some((ANSWERS, RETRIEVAL, ZERO_SHOT)),
                "phase": OrNull(Text("name a phase, or give null")),
                "split": Choice(("val", "test")),
                "batch_size": _COUNT,
                "draws": _COUNT,
                "seed": _SEED,
                "decoding": DECODING,
                "blind": Block({"model": _MODEL, "phases": _PHASES}),
            }
        ),
        "bench": Block(
            {"repeats": _COUNT, "units": Whole(2), "questions": OrNull(Listed())}  # two processes share the units
        ),
        "report": Block({"pairs": Whole(0), "words": Whole(0), "seed": _SEED, "side": Whole(32, 2048)}),
    },
    optional={"detector_source": Maybe(_SOURCE)},
)
"""The whole config."""
