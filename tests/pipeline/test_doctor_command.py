"""The command: it looks at everything, makes nothing, and its status says whether a run can begin."""

import pytest
from calling import refused
from layouts import MimicTree
from published_layout import PublishedTree

TINY = ("experiment=phantom_tiny", "image_size=64", "text.transformer.width=32")
SMALL = (*TINY, "source.phantom.size=64")


@pytest.mark.slow
def test_a_look_before_a_run_makes_nothing_and_names_the_next_command(call):
    status, output = call("doctor", *SMALL)
    assert status == 0, output
    for word in ("machine", "phantom", "sample", "detector", "finetune", "disk of"):
        assert word in output
    assert output.splitlines()[-1].endswith(f"run {' '.join(SMALL)}")
    assert not list(call.folder.iterdir())


@pytest.mark.slow
def test_of_imported_features_the_reader_alone_is_measured(call, tmp_path_factory):
    folder = tmp_path_factory.mktemp("elsewhere")
    tree = MimicTree(folder / "data").write()
    published = PublishedTree(folder / "given", [row["dicom_id"] for row in tree.metadata])
    published.write()
    given = (f"source.root={folder / 'data'}", f"extraction.published={folder / 'given'}")
    asked = ("--multirun", *TINY, "source=mimic", "source.split=official", *given, "seed=1,2,3")
    status, output = call("doctor", *asked)
    assert status == 0, output
    assert "3 jobs" in output
    assert output.splitlines()[-1].endswith(f"run {' '.join(asked)}")
    assert not list(call.folder.iterdir())
    for word in ("features", "finetune", "27 rows, 6 numbers a node"):
        assert word in output
    assert not any(word in output for word in ("detector", "classifier"))
    del published.row_of[tree.metadata[0]["dicom_id"]]
    published.write()
    refused(call, ["1 of the 24 images of the tables have no row"], "doctor", *asked)


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ("extraction.published=nowhere", "extraction.published: no folder nowhere"),
        ("detector.trained=nowhere", "detector.trained: nowhere holds no finished anatomy stage"),
    ],
)
def test_what_is_to_be_taken_from_elsewhere_is_looked_for(call, monkeypatch, tmp_path_factory, given, said):
    monkeypatch.setenv("COLUMNS", "200")
    root = MimicTree(tmp_path_factory.mktemp("elsewhere") / "data").write().root
    refused(call, [said, "in the way"], "doctor", *TINY, "source=mimic", f"source.root={root}", given)


@pytest.mark.parametrize(
    ("launcher", "words"),
    [
        (("joblib", "hydra.launcher.n_jobs=999"), ("n_jobs=999: 999 jobs at once", "1 thing stands in the way")),
        (("slurm", "hydra.launcher.nodes=3"), ("gets 3 nodes", "hydra.launcher.nodes=3 and trainer.num_nodes=1")),
    ],
)
def test_what_stands_in_the_way_of_a_run_and_of_a_sweep_is_named_and_the_status_says_so(
    call, monkeypatch, launcher, words
):
    monkeypatch.setenv("COLUMNS", "200")
    chosen, *given = launcher
    nowhere = ("source=nih", "source.root=nowhere")
    words = ("source.root: no folder nowhere", *words)
    refused(call, words, "doctor", *SMALL, *nowhere, f"hydra/launcher={chosen}", *given)


def test_a_search_is_looked_at_as_one_of_its_jobs(call):
    lr = "phases.finetune.optimizer.lr=tag(log,interval(1e-4,1e-2))"
    nowhere = ("source=nih", "source.root=nowhere", "hydra/sweeper=optuna", "hydra.sweeper.trials=3")
    status, output = call("doctor", "--multirun", *SMALL, *nowhere, lr)
    assert status == 2
    assert "1 thing stands in the way" in output


@pytest.mark.parametrize(
    "arguments",
    [
        ("sweep=ablation",),
        ("--multirun", "name=a,b"),
        ("--multirun", "seed=choice()"),
        ("--multirun", "variant=glob(*)"),
    ],
)
def test_a_sweep_that_cannot_be_looked_at_is_refused_in_one_message(call, arguments):
    refused(call, (arguments[-1],), "doctor", *SMALL, *arguments)
