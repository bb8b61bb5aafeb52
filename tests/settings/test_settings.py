"""Every key of the config, given something wrong: refused at once, in words that name the key and what to give."""

from functools import cache
from pathlib import Path

import pytest
import torch
from hydra import compose, initialize_config_dir

from cfvqa.commands.application import config_folder
from cfvqa.errors import InputError
from cfvqa.settings.building import plain
from cfvqa.settings.checking import check, check_folders
from cfvqa.settings.reader import Widths, build_model, train_tokenizer, used
from cfvqa.settings.training_checks import check_training


@cache
def composed(*overrides):
    with initialize_config_dir(config_folder(), version_base="1.3"):
        return compose("config", overrides=["experiment=phantom_tiny", *overrides])


def check_all(config):
    for test in (check, check_folders, check_training):
        test(config)


def wrong(key, *values, words="give a"):
    """Return rows of the table: each value of a key, and what the message says besides the key."""
    return [([f"{key}={value}"], [key.lstrip("+"), words]) for value in values]


WHOLE, NUMBER, ABOVE = "give a whole number from", "give a number from", "give a number above 0"
TABLE = [
    *wrong("name", "null", "../x", "/tmp/zz", "a/b", "''", ".x", "1.5", "[a]", words="begin with a letter or digit"),
    *wrong("limit", "abc", "1.5", "-1", "0", "true", words="give a whole number from 1 on, or null"),
    *wrong("seed", "abc", "null", "1.5", "-1", "4294967296", words=WHOLE),
    *wrong("task", "dance", "null", words="choose one of anatomy, findings, vqa"),
    *wrong("work", "null", "''", "5", words="give the name of a folder"),
    *wrong("runs", "null", words="give the name of a folder"),
    *wrong("work", "/proc/x", "/etc/hostname", "/etc/hostname/x", words="cannot be made or written"),
    *wrong("runs", "/proc/x", words="cannot be made or written"),
    *wrong("image_size", "0", "abc", "7", "100000", words="give a whole number from 32 to 4096"),
    *wrong("precision", "64", "null", words="choose one of 32, bf16, 16"),
    *wrong("compile", "fast", "null", words="give true or false"),
    *wrong("+phases.finetune.label_fraction", "2", "all", words="give a number from 0.0 to 1.0"),
    *wrong("checkpoint_steps", "0", "abc", words=WHOLE),
    *wrong("resume", "/no/such/file", "null", words="choose auto, never, or the path of a checkpoint"),
    *wrong("output", "xml", words="choose one of text, json"),
    *wrong("parser", "best", "null", words="choose one of improved, published"),
    *wrong("workers", "0", "null", words=WHOLE),
    *wrong("question", "'???'", words="is not set: give question=VALUE"),
    *wrong("detector.training.epochs", "-1", "abc", "0", words=WHOLE),
    *wrong("detector.training.batch_size", "0", words=WHOLE),
    *wrong("detector.training.workers", "-1", words=WHOLE),
    *wrong("detector.training.learning_rate", "abc", "0", "-1", "inf", "nan", words=ABOVE),
    *wrong("detector.training.weight_decay", "-1", words=NUMBER),
    *wrong("detector.training.seed", "-1", words=WHOLE),
    (["detector.training.trainer.precision=no"], ["detector.training.trainer", "Precision 'no' is invalid"]),
    *wrong("detector.network.width", "abc", words="give a whole number"),
    (["detector.network.width=-5"], ["detector.network cannot be made with these settings"]),
    *wrong("detector.network.channels", "abc", words="give a whole number"),
    *wrong("detector.image_size", "64", words="classifier.image_size"),
    *wrong("classifier.training.epochs", "-1", "0", words=WHOLE),
    *wrong("classifier.training.batch_size", "0", words=WHOLE),
    *wrong("classifier.training.workers", "-1", words=WHOLE),
    *wrong("classifier.network.cells", "abc", words="give a whole number"),
    *wrong("phases.finetune.epochs", "-1", "0", words=WHOLE),
    *wrong("phases.pretrain.units_per_batch", "0", words=WHOLE),
    *wrong("phases.finetune.optimizer._target_", "os.system", words="allowed are"),
    *wrong("phases.finetune.optimizer._target_", "torch.optim.NoSuch", words="is not there"),
    *wrong("phases.finetune.schedule._target_", "torch.hub.load", words="allowed are"),
    *wrong("source.reader._target_", "hydra.utils.get_method", words="allowed are"),
    *wrong("logger.tracker", "{_target_: os.system}", words="names 'os.system'; allowed are"),
    *wrong("+objective.own", "{_target_: os.system, command: x}", words="names 'os.system'; allowed are"),
    *wrong("+model.network.x", "[{_target_: os.system, _partial_: true}]", words="x[0]._target_ names 'os.system'"),
    *wrong("+detector.network.trunk.x", "{_target_: builtins.eval}", words="x._target_ names 'builtins.eval'"),
    *wrong("evaluation.blind.model.network._target_", "cfvqa.commands.train.main", words="allowed are"),
    *wrong("phases.finetune.optimizer._target_", "torch.optim.adamw.torch.load", words="_target_ names"),
    *wrong("phases.finetune.optimizer.lr", "abc", "0", words=ABOVE),
    (["phases.finetune.optimizer.betas=[2,3]"], ["phases.finetune.optimizer cannot be made", "beta parameter"]),
    *wrong("+phases.finetune.optimizer.rate", "1", words="is unknown"),
    *wrong("phases.finetune.schedule._target_", "cfvqa.training.schedules.two", words="is not there"),
    *wrong("phases.finetune.monitor", "val/nosuch", "train/loss", "val/fine2", "null", words=""),
    *wrong("+phases.finetune.objectives.nosuch", "1", words="is unknown"),
    *wrong("phases.finetune.objectives.coarse", "abc", "-1", words=NUMBER),
    *wrong("evaluation.blind.phases.finetune.monitor", "val/coarse", words="choose one of val/loss, val/generation"),
    *wrong("objective.coarse.scale", "abc", words="give a number"),
    *wrong("+objective.coarse.nosuch", "1", words="is unknown"),
    *wrong("pairs.workers", "-1", words=WHOLE),
    *wrong("pairs.question_length", "0", words=WHOLE),
    *wrong("pairs.question_length", "500", words="must not be above text.transformer.max_length, which is 128"),
    *wrong("pairs.answer_length", "0", words=WHOLE),
    *wrong("pairs.swap", "7", "-0.1", "abc", words="give a number from 0.0 to 1.0"),
    *wrong("extraction.rows_per_shard", "0", words=WHOLE),
    *wrong("extraction.batch_size", "0", words=WHOLE),
    *wrong("extraction.batch_size", "100", words="must divide extraction.rows_per_shard, which is 512"),
    *wrong("extraction.workers", "-1", words=WHOLE),
    *wrong("extraction.published", "''", "5", "[a]", words="give the name of a folder, or null"),
    *wrong("extraction.published", "'???'", words="is not set: give extraction.published=FOLDER"),
    (["extraction.published=x", "extraction.truth=findings"], ["extraction.truth is findings: it must be none for"]),
    *wrong(
        "evaluation.tasks", "[]", "answers", "[translation]", "[answers,answers]", words="give a list of one or more of"
    ),
    *wrong("evaluation.phase", "distil", words="choose one of pretrain, finetune, or null"),
    (
        ["variant=ekaid", "evaluation.tasks=[retrieval]"],
        ["retrieval needs a contrast, and phase finetune trains with none of coarse, fine, gloria_global"],
    ),
    (
        ["phases.finetune.objectives={coarse:0,fine:0}", "evaluation.tasks=[answers,zero_shot]"],
        ["zero_shot needs a contrast", "name another with evaluation.phase"],
    ),
    *wrong("report.words", "-1", words=WHOLE),
    *wrong("evaluation.split", "train", words="choose one of val, test"),
    *wrong("evaluation.batch_size", "0", words=WHOLE),
    *wrong("evaluation.draws", "0", words=WHOLE),
    *wrong("evaluation.seed", "-1", words=WHOLE),
    *wrong("evaluation.decoding.num_beams", "0", "1.5", words=WHOLE),
    *wrong("evaluation.decoding.max_new_tokens", "0", words=WHOLE),
    *wrong("evaluation.decoding.max_new_tokens", "128", words="must be below text.transformer.max_length"),
    *wrong("evaluation.decoding.repetition_penalty", "0", words=ABOVE),
    *wrong("evaluation.decoding.do_sample", "maybe", words="give true or false"),
    *wrong("+evaluation.decoding.nosuch", "3", words="is unknown"),
    *wrong("evaluation.decoding.way", "guess", "null", words="choose one of generate, rank"),
    *wrong("evaluation.decoding.candidates", "0", "all", words=WHOLE),
    (
        ["evaluation.decoding.way=rank", "evaluation.decoding.num_beams=3"],
        ["evaluation.decoding.num_beams is 3: it must be 1 for evaluation.decoding.way, which is rank"],
    ),
    (
        ["+evaluation.decoding.no_repeat_ngram_size=3"],
        ["evaluation.decoding.no_repeat_ngram_size is 3: it cannot go with evaluation.decoding.grammar, which is True"],
    ),
    (
        ["+evaluation.decoding.min_new_tokens=5"],
        ["evaluation.decoding.min_new_tokens is 5: it cannot go with evaluation.decoding.grammar, which is True"],
    ),
    (
        ["evaluation.decoding.way=rank", "variant=siamese"],
        ["evaluation.decoding.way is rank: Siamese does not write all of its answers", "choose generate"],
    ),
    (
        ["evaluation.decoding.way=rank", "evaluation.decoding.do_sample=true"],
        ["evaluation.decoding.do_sample", "cannot go with evaluation.decoding.way, which is rank"],
    ),
    *wrong("report.side", "100000", "8", words="give a whole number from 32 to 2048"),
    *wrong("report.pairs", "-1", words=WHOLE),
    *wrong("report.seed", "-1", words=WHOLE),
    *wrong("bench.repeats", "0", "1.5", words=WHOLE),
    *wrong("bench.units", "1", words=WHOLE),
    *wrong("source.phantom.seed", "-1", words=WHOLE),
    *wrong("source.phantom.subjects", "abc", "0", words=WHOLE),
    *wrong("source.phantom.size", "8", words=WHOLE),
    *wrong("source.phantom.jobs", "0", words=WHOLE),
    *wrong("source.split_seed", "abc", words="give a whole number"),
    *wrong("source.split", "nonsense", "null", "1", words="choose one of subject, paper, official"),
    (["source=mimic", "source.root=.", "source.split=val"], ["source.split", "choose one of subject, paper, official"]),
    (["source=vindr", "source.root=.", "source.split=paper"], ["source.split", "choose one of official, subject"]),
    (["source=vindr", "source.root=.", "source.box_overlap=much"], ["source.box_overlap", "give a number"]),
    (["source=nih", "source.root=.", "source.question_seed=-1"], ["source.question_seed is '-1'", WHOLE]),
    (["source=vindr", "source.root=.", "source.question_seed=-1"], ["source.question_seed is '-1'", WHOLE]),
    (["source=mimic", "source.root=.", "source.labels=radgraph"], ["source.labels", "choose one of chexpert, negbio"]),
    (["source=mimic", "source.root=.", "source.boxes=bronze"], ["source.boxes", "choose one of silver, gold"]),
    (["source=mimic", "source.root=.", "source.on_missing=skip"], ["source.on_missing", "choose one of error, drop"]),
    (["source=csv", "source.root=.", "source.on_corrupt=skip"], ["source.on_corrupt", "choose one of error, drop"]),
    (["source=mimic", "source.root=.", "source.dicom=5"], ["source.dicom is '5'", "or null"]),
    (["source=nih", "source.root=.", "source.split=paper"], ["source.split", "choose one of subject, official"]),
    (["source@detector_source=phantom", "detector_source.split=x"], ["detector_source.split", "choose one of subject"]),
    *wrong("source.pairing", "sometimes", words="choose one of auto, always"),
    *wrong("source.on_reversed", "ignore", words="choose one of error, swap, drop"),
    *wrong("+source.limit", "3", words="which the reader does not get"),
    *wrong("+source.nosuch", "3", words="is unknown"),
    *wrong("trainer.devices", "0", "abc", "[3]", words="give a number from 1"),
    *wrong("trainer.accelerator", "abacus", words="choose one of auto, cpu"),
    (["trainer.strategy=nosuch"], ["trainer cannot be made", "invalid strategy name"]),
    *wrong("trainer.gradient_clip_val", "abc", words=NUMBER),
    *wrong("trainer.num_nodes", "0", words=WHOLE),
    *wrong("precision", "16", words="needs a GPU"),
    *wrong("detector.training.trainer.precision", "16-mixed", words="needs a GPU"),
    *wrong("+extraction.trainer.precision", "16-mixed", words="needs a GPU"),
    *wrong("group", "a/b", "null", words="begin with a letter or digit"),
    (["trial={study: x}"], ["trial.number is missing"]),
    (
        ["logger=wandb", "logger.tracker._target_=lightning.pytorch.loggers.WandbLogger"],
        ["logger.tracker._target_", "allowed are"],
    ),
    *wrong("+logger.share_samples", "maybe", words="give true or false"),
    (["logger=wandb", "logger.tracker.offline=perhaps"], ["logger.tracker.offline", "give true or false"]),
    (["logger=wandb", "logger.tracker.tags=baseline"], ["logger.tracker.tags", "give a list of texts"]),
    (["logger=wandb", "logger.tracker.tags=[5]"], ["logger.tracker.tags", "give a list of texts"]),
    (["+logger.tracker.nosuch=1", "logger=wandb"], ["key 'logger.tracker.nosuch' is unknown"]),
    (["runs=[a,b]"], ["runs is a list, which only cfvqa-compare takes"]),
    *wrong("+trainer.precision", "16-mixed", words="set by the program itself"),
    (
        ["precision=bf16", "+phases.finetune.optimizer.fused=true"],
        ["precision=bf16 and trainer.gradient_clip_val=1.0", "give phases.finetune.optimizer.fused=false"],
    ),
    *wrong("+trainer.max_epochs", "3", words="set by the program itself"),
    *wrong("+trainer.fast_dev_run", "true", words="set by the program itself"),
    *wrong("+trainer.limit_val_batches", "0", words="set by the program itself"),
    *wrong("+trainer.limit_train_batches", "0", words=ABOVE),
    *wrong("+trainer.check_val_every_n_epoch", "2", words="set by the program itself"),
    *wrong("+trainer.val_check_interval", "0.3", words="set by the program itself"),
    *wrong("+trainer.max_time", "'00:01:00:00'", words="set by the program itself"),
    *wrong("+detector.training.trainer.max_steps", "3", words="set by the program itself"),
    *wrong("+classifier.training.trainer.overfit_batches", "1", words="set by the program itself"),
    *wrong("+extraction.trainer.limit_predict_batches", "1", words="set by the program itself"),
    *wrong("+trainer.enable_checkpointing", "false", words="set by the program itself"),
    (["logger=wandb", "logger.tracker.artifacts=true"], ["logger.tracker", "logger.tracker.offline=false"]),
    *wrong("+trainer.nosuch", "3", words="is unknown"),
    *wrong("text.transformer.width", "130", words="text.transformer.heads is 4: it must divide"),
    *wrong("text.transformer.dropout", "2", words="give a number from 0.0 to 1.0"),
    *wrong("model.network.dropout", "abc", words=NUMBER),
    *wrong("+model.network.text", "abc", words="set by the program itself"),
    (["model=ekaid"], ["phases.pretrain.objectives.coarse needs contrast of a model, which EKAID does not have"]),
    (
        ["model=mccformers_s", "phases=generation_only", "phases.finetune.objectives.matching=1"],
        ["phases.finetune.objectives.matching needs match of a model, which MCCFormers does not have: set it to 0"],
    ),
    (["model=mccformers_d", "model.network.heads=3"], ["model.network", "divisible by num_heads"]),
    (
        ["model=mccformers_d", "pairs.answer_length=129", "text.transformer.max_length=200"],
        ["model.network.max_length, which is 128"],
    ),
    (["model=blip"], ["phases.pretrain.objectives.coarse needs contrast of a model, which BLIP does not have"]),
    (["phases=blip"], ["phases.pretrain.objectives.image_text_contrast needs momentum of a model"]),
    (["variant=blip", "model.network.share=maybe"], ["model.network.share", "give true or false"]),
    (["variant=blip", "model.network.queue=0"], ["model.network.queue is '0': give a whole number from 1 on"]),
    (["model=mccformers_s", "model.network.encoder=both"], ["model.network.encoder", "choose one of joint, crossed"]),
    (["model=ekaid", "+model.network.decoding_contraint=1"], ["key 'model.network.decoding_contraint' is unknown"]),
    (["source=mimic"], ["source.root is not set: give source.root=FOLDER"]),
    (["source=nih"], ["source.root is not set: give source.root=FOLDER"]),
    (["source@detector_source=nih"], ["detector_source.root is not set: give detector_source.root=FOLDER"]),
    (["text=pubmedbert"], ["text.pretrained is not set: give text.pretrained=FOLDER"]),
    (["text=pubmedbert", "text.pretrained=/no/such"], ["/no/such"]),
    (["+nosuch=3"], ["key 'nosuch' is unknown"]),
    (["+sead=3"], ["key 'sead' is unknown; did you mean 'seed'?"]),
    (["+pairs.swaps=1"], ["key 'pairs.swaps' is unknown; did you mean 'pairs.swap'?"]),
    (["+phases.finetune.epoch=1"], ["did you mean 'phases.finetune.epochs'?"]),
    (["~pairs.swap"], ["pairs.swap is missing"]),
    (["~phases.pretrain", "~phases.finetune"], ["phases is empty"]),
    (["phases.pretrain.objectives={coarse:0,fine:0,matching:0,masked_language:0}"], ["objectives are all 0"]),
    (["phases.pretrain.objectives.coarse=0", "phases.pretrain.monitor=val/coarse"], ["choose one of val/loss"]),
    (["pairs=5"], ["pairs is '5': it is a block"]),
]


@pytest.mark.parametrize(("overrides", "words"), TABLE, ids=[" ".join(overrides) for overrides, _ in TABLE])
def test_defect_36_what_is_wrong_is_refused_at_once(overrides, words):
    with pytest.raises(InputError) as refused:
        check_all(composed(*overrides))
    for word in words:
        assert word in str(refused.value)
    assert "\n" not in str(refused.value)


@pytest.mark.parametrize("figure", ["test/generation", "test/loss"])
def test_defects_21_and_38_no_checkpoint_is_chosen_by_a_figure_of_the_test_subjects(figure):
    with pytest.raises(InputError, match="choose one of val/loss, val/generation"):
        check(composed(f"phases.finetune.monitor={figure}"))


@pytest.mark.parametrize(
    "overrides",
    [
        ["trainer=gpu"],
        ["trainer=gpu", "trainer.devices=8"],
        ["trainer=ddp"],
        ["trainer=multi_node"],
        ["detector.training.trainer.accelerator=gpu", "detector.training.trainer.devices=auto"],
    ],
)
def test_gpus_that_are_not_there(monkeypatch, overrides):
    monkeypatch.setattr("torch.cuda.device_count", lambda: 0)
    with pytest.raises(InputError, match=r"trainer.*this machine has no GPU.* choose trainer=cpu or trainer=ddp_cpu$"):
        check_training(composed(*overrides))


def test_more_gpus_than_there_are(monkeypatch):
    monkeypatch.setattr("torch.cuda.device_count", lambda: 2)
    with pytest.raises(InputError, match=r"trainer\.devices=8 asks for 8 GPUs, this machine has 2"):
        check_training(composed("trainer=gpu", "trainer.devices=8"))


@pytest.mark.parametrize("variables", [{"SLURM_PROCID": "0", "SLURM_STEP_NUM_TASKS": "8"}, {"WORLD_SIZE": "8"}])
def test_more_processes_than_anything_asks_for(monkeypatch, variables):
    for name, value in ({"LOCAL_RANK": "0", "RANK": "0"} | variables).items():
        monkeypatch.setenv(name, value)
    with pytest.raises(InputError, match=r"8 processes were started, and trainer\.devices .* ask for 2: make"):
        check_training(composed("trainer=ddp_cpu"))
    monkeypatch.setattr("cfvqa.settings.training_checks._try_trainer", lambda block, place: None)
    extraction = ("extraction.trainer.accelerator=cpu", "extraction.trainer.devices=8")
    check_training(composed(*extraction))
    detector = ("detector.training.trainer.accelerator=cpu", "detector.training.trainer.devices=4")
    with pytest.raises(InputError, match=r"8 processes were started, and detector\.training\.trainer\..* for 4:"):
        check_training(composed(*extraction, *detector))


def test_a_batch_that_does_not_go_round_among_the_processes(monkeypatch):
    monkeypatch.setattr("cfvqa.settings.training_checks._try_trainer", lambda block, place: None)
    monkeypatch.setattr("cfvqa.training.ranks.torch.cuda.device_count", lambda: 8)
    monkeypatch.setattr("torch.cuda.is_bf16_supported", lambda including_emulation: True)
    key = "phases.pretrain.units_per_batch"
    with pytest.raises(InputError, match=f"{key} is 8, and 32 processes share it: give 32 at least"):
        check_training(composed("trainer=multi_node", "phases.finetune.units_per_batch=64"))


def test_images_that_do_not_go_round_among_the_processes(monkeypatch):
    monkeypatch.setattr("cfvqa.settings.training_checks._try_trainer", lambda block, place: None)
    place = "classifier.training"
    with pytest.raises(InputError, match=f"{place}.batch_size is 6, and 8 processes share it: give 8 at least"):
        check_training(
            composed(f"{place}.batch_size=6", f"{place}.trainer.devices=8", f"{place}.trainer.accelerator=cpu")
        )


def test_a_precision_that_the_gpu_lacks(monkeypatch):
    monkeypatch.setattr("cfvqa.settings.training_checks._try_trainer", lambda block, place: None)
    monkeypatch.setattr("torch.cuda.is_bf16_supported", lambda including_emulation: False)
    monkeypatch.setattr("torch.cuda.get_device_name", lambda: "an old card")
    with pytest.raises(InputError, match="precision=bf16: an old card has none: give precision=16 or precision=32"):
        check_training(composed("trainer=gpu", "precision=bf16"))
    monkeypatch.setattr("torch.cuda.device_count", lambda: 1)
    check_training(composed("trainer=gpu"))  # the vision models take what it is fast in


def test_a_compiler_that_is_not_there(monkeypatch):
    monkeypatch.setenv("CXX", "/no/such/compiler")
    with pytest.raises(InputError, match=r"compile=true needs a C\+\+ compiler"):
        check_training(composed("compile=true"))


@pytest.mark.parametrize(
    "overrides",
    [
        ["experiment=phantom_demo"],
        ["experiment=nih_sample", "source.root=."],
        ["source=vindr", "source.root=.", "source@detector_source=phantom", "source.box_overlap=0.5"],
        ["experiment=mimic_paper", "source.root=.", "source.dicom=mimic-cxr", "source.labels=negbio"],
        ["experiment=mimic_paper", "source.root=.", "text=pubmedbert", "text.pretrained=folder", "trainer=ddp"],
        ["source=mimic", "source.root=.", "source@detector_source=phantom", "trainer=multi_node", "precision=bf16"],
        ["detector=faster_rcnn_r50_fpn", "classifier=region_crops_resnet101", "logger=wandb", "trainer=ddp"],
        ["variant=gloria", "evaluation.tasks=[retrieval,zero_shot]", "evaluation.phase=pretrain"],
        ["model=question_only", "phases=finetune_only", "name=2024", "limit=3", "seed=0", "pairs.swap=0"],
        ["+trainer.limit_train_batches=0.1", "+phases.finetune.optimizer.eps=1e-6", "trainer.devices=2"],
        ["+objective.coarser={_target_: cfvqa.objectives.contrast.Coarse}", "+phases.pretrain.objectives.coarser=2"],
        ["phases.finetune.optimizer._target_=torch.optim.NAdam", "+phases.finetune.optimizer.momentum_decay=0.004"],
        ["evaluation.decoding.way=rank", "evaluation.decoding.candidates=5", "variant=ekaid"],
        ["evaluation.decoding.do_sample=true", "+evaluation.decoding.top_p=0.9", "evaluation.split=val"],
    ],
)
def test_what_is_right_passes(overrides):
    check(composed(*overrides))


def names(group):
    return sorted(file.stem for file in Path(config_folder(), group).glob("*.yaml"))


VARIANTS = [[f"variant={name}"] for name in names("variant")]


@pytest.mark.parametrize("overrides", [[], ["trainer=ddp_cpu"], *VARIANTS])
def test_what_can_be_made_passes_and_leaves_nothing(tmp_path, monkeypatch, overrides):
    monkeypatch.chdir(tmp_path)
    check_all(composed(*overrides))
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("experiment", ["mimic_paper", "nih_sample"])  # the others set nothing that a variant does
def test_every_variant_goes_with_every_experiment(experiment):
    for name in names("variant"):
        given = [f"variant={name}", f"experiment={experiment}"]
        alone = composed(given[0])
        config = composed(*given, "source.root=.")
        check(config)
        assert config.variant == name
        assert config.model.network._target_ == alone.model.network._target_
        for phase in {**alone.phases, **config.phases}:  # the experiment says how long, not what is learned
            assert used(plain(config.phases[phase])).keys() == used(plain(alone.phases[phase])).keys()


def test_the_published_schedule_trains_a_variant_without_pretraining_in_one_phase():
    config = composed("variant=no_pretraining", "experiment=mimic_paper", "source.root=.")
    assert list(config.phases) == ["finetune"]
    finetune = config.phases.finetune
    assert (finetune.optimizer._target_, finetune.optimizer.lr) == ("torch.optim.Adam", 6e-6)
    assert "betas" not in finetune.optimizer  # of the demo
    assert finetune.epochs == 127
    given = composed("variant=no_pretraining", "experiment=mimic_paper", "source.root=.", "phases.finetune.epochs=2")
    assert given.phases.finetune.epochs == 2


@pytest.mark.parametrize("name", ["ekaid", "mccformers_d", "blip", "gloria", "siamese", "question_only"])
def test_the_published_size_of_a_variant_can_be_made(name):
    content = plain(composed(f"variant={name}", "experiment=mimic_paper", "source.root=."))
    tokenizer = train_tokenizer(content["text"], [])
    with torch.device("meta"):  # whatever its size
        build_model(content["model"], content["text"], tokenizer=tokenizer, widths=Widths(1024, 1024), seed=0)


def test_the_published_variant_makes_every_choice_as_published():
    config = composed("variant=published")
    assert config.pairs.swap == 0
    assert (config.evaluation.decoding.num_beams, config.evaluation.decoding.repetition_penalty) == (3, 1.2)
    assert (config.model.network.memory, config.model.network.edges, config.model.network.share) == (
        "question",
        "cut",
        True,
    )
    assert (config.objective.fine.scale, config.objective.masked_language.instead) == (50, "mixed")


def test_the_published_experiment_builds_the_published_sizes():
    config = composed("experiment=mimic_paper", "source.root=.")
    check_training(config)
    block = plain(config.text)
    tokenizer = train_tokenizer(block, [])
    model = build_model(plain(config.model), block, tokenizer=tokenizer, widths=Widths(1024, 1024), seed=0)
    words = len(tokenizer) * 768 + len(tokenizer)  # the embedding, and the bias of the output
    assert sum(parameter.numel() for parameter in model.parameters()) - words == 41_757_444
