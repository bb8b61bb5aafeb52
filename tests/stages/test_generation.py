"""What cfvqa-generate-questions makes of a tiny tree of reports."""

import csv
import io
import json
import shutil

import polars as pl
import pytest
from omegaconf import OmegaConf
from report_trees import AP, LATERAL, ReportTree
from rich.console import Console

from cfvqa.errors import InputError
from cfvqa.language.grammar import parse_changes
from cfvqa.language.questions import DIFFERENCE, QUESTION_TYPES
from cfvqa.sources.key_information import read_key_information
from cfvqa.sources.medical_diff_vqa import read_questions
from cfvqa.stages import generation


@pytest.fixture
def tree(tmp_path):
    return ReportTree(tmp_path / "reports")


@pytest.fixture
def make(tree, tmp_path):
    """Generate from the tree; returns what was printed."""

    def made(**keys):
        defaults = {
            "reports": str(tree.root),
            "studies": str(tree.studies),
            "out": str(tmp_path / "made"),
            "limit": None,
        }
        settings = {**defaults, "parser": "improved", "workers": 1, "seed": 1, **keys}
        console = Console(file=io.StringIO(), width=200)
        generation.generate(OmegaConf.create(settings), console)
        return console.file.getvalue()

    made.folder = tmp_path / "made"
    return made


def written(folder):
    return {path.name: path.read_bytes() for path in folder.iterdir()}


def rows_of(make):
    return list(csv.DictReader((make.folder / "mimic_pair_questions.csv").read_text().splitlines()))


def records_of(make):
    return json.loads((make.folder / "all_diseases.json").read_text())


def test_records_have_the_published_form(make):
    output = make()
    text = (make.folder / "all_diseases.json").read_text()
    records = json.loads(text)
    assert text == json.dumps(records, indent=4)
    assert [(record["subject_id"], record["study_id"]) for record in records] == [
        (f"1900000{number}", f"590000{number}{order}") for number in (1, 2, 3) for order in (1, 2, 3)
    ]
    assert records[1]["entity"]["atelectasis"] == {
        "entity_name": "atelectasis",
        "location": None,
        "type": ["linear"],
        "level": None,
        "post_location": "the right lung base",
        "location2": None,
        "type2": None,
        "level2": None,
        "post_location2": None,
    }
    assert records[2]["no_entity"] == ["consolidation"]
    assert "9 reports of 3 subjects" in output
    assert "reports a second on one core" in output


def test_rows_of_a_pair_stand_together_in_the_published_order(make):
    make()
    rows = rows_of(make)
    assert list(rows[0]) == ["study_id", "subject_id", "ref_id", "question_type", "question", "answer"]
    pairs = list(dict.fromkeys((row["study_id"], row["ref_id"]) for row in rows))
    assert [study for study, _ in pairs] == [f"590000{number}{order}" for number in (1, 2, 3) for order in (2, 3)]
    assert all(reference < study and reference[:7] == study[:7] for study, reference in pairs)
    kinds = [kind for pair in pairs for kind in QUESTION_TYPES if any(asks(row, pair, kind) for row in rows)]
    assert kinds == [row["question_type"] for row in rows]
    changes = [parse_changes(row["answer"]) for row in rows if row["question_type"] == "difference"]
    assert len(changes) == 6
    assert all(changes)


def asks(row, pair, kind):
    return (row["study_id"], row["ref_id"]) == pair and row["question_type"] == kind


@pytest.mark.parametrize("parser", ["improved", "published"])
def test_what_is_written_is_read_by_the_reader_of_the_release(make, tree, parser):
    make(parser=parser)
    known = [(str(subject), str(study), f"i{study}") for subject, study, _, _ in tree.rows]
    images = pl.DataFrame(known, schema=["subject_id", "study_id", "image_id"], orient="row")
    questions, skipped = read_questions(make.folder, images, pairing="auto")
    assert len(questions) == len(rows_of(make))
    assert not any(skipped.values())
    changes = questions.filter(pl.col("question_type") == DIFFERENCE)["answer"]
    assert len(changes)
    assert all(parse_changes(answer) is not None and answer.endswith(".") for answer in changes)
    written_changes = [row["answer"] for row in rows_of(make) if row["question_type"] == DIFFERENCE]
    assert all(answer.endswith(". ") == (parser == "published") for answer in written_changes)
    findings, skipped = read_key_information(make.folder, images)
    assert set(findings["finding"]) >= {"pleural effusion", "atelectasis", "pulmonary edema/hazy opacity"}
    assert not skipped


def test_without_a_table_of_studies_there_are_records_alone(make):
    make(studies=None)
    assert list(written(make.folder)) == ["all_diseases.json"]


def test_any_number_of_processes_writes_the_same(make, tmp_path, monkeypatch):
    monkeypatch.setattr(generation, "_AT_ONCE", 1)
    for workers in (1, 2):
        make(workers=workers, out=str(tmp_path / f"made{workers}"))
    assert written(tmp_path / "made1") == written(tmp_path / "made2")


def test_what_is_asked_of_a_study_follows_from_the_seed_and_its_subject_alone(make, tree):
    make()
    alone = rows_of(make)
    tree.add(18_000_001, 58_000_001, 1, "Edema.")
    tree.add(18_000_001, 58_000_002, 2, "Edema.")
    make()
    assert [row for row in rows_of(make) if row["subject_id"] != "18000001"] == alone
    make(seed=2)
    assert [row for row in rows_of(make) if row["subject_id"] != "18000001"] != alone


def test_what_is_left_out_is_counted(make, tree):
    tree.add(19_000_004, 59_000_041, 1, " \n")
    tree.add(19_000_004, 59_000_042, 2, "Edema.", view=LATERAL)
    tree.add(19_000_004, 59_000_043, 1, "Edema.")
    tree.rows.append([19_000_005, 59_000_051, 1, AP])
    tree.tell()
    tree.path(19_000_004, 59_000_044).write_text("Edema.")
    output = make()
    for line in (
        "report without text (its record is empty) 1",
        "report whose study is not in the table of studies (no questions) 1",
        "study of the table without a report 1",
        "study without a frontal view (no questions) 1",
        "study without an earlier frontal one (no questions) 5",
    ):
        assert line in output
    assert {row["subject_id"] for row in rows_of(make)} == {"19000001", "19000002", "19000003"}
    assert len(records_of(make)) == 13


def test_the_published_rules_ask_nothing_about_two_studies(make, tree):
    for study in ("59000013", "59000023", "59000033"):
        next(tree.root.rglob(f"s{study}.txt")).write_text("Enlarged hila.")
    next(tree.root.rglob("s59000031.txt")).unlink()
    output = make(parser="published")
    assert "study whose only earlier one was tried last" in output
    assert "19000003" not in {row["subject_id"] for row in rows_of(make)}
    assert "cardiomegaly" in records_of(make)[2]["entity"]


def test_a_dry_run_reads_the_first_subjects(make):
    output = make(limit=2)
    assert len(records_of(make)) == 6
    assert "without a report" not in output


def test_nothing_is_left_where_something_is_wrong(make, tree):
    tree.path(19_000_003, 59_000_032).write_bytes("Edema.".encode("utf-16"))
    with pytest.raises(InputError, match=r"s59000032\.txt is no text"):
        make()
    assert not make.folder.exists()


def test_a_report_in_latin_1_is_read_and_counted(make, tree):
    tree.path(19_000_003, 59_000_032).write_bytes("Mild \xd6dem, no pneumothorax.".encode("latin-1"))
    assert "report that is no UTF-8 (read as Latin-1) 1" in make()
    assert "pneumothorax" in {record["study_id"]: record for record in records_of(make)}["59000032"]["no_entity"]


@pytest.mark.parametrize("start", [b"", "\ufeff".encode()])
def test_a_report_with_the_ends_of_lines_of_windows(make, tree, start):
    text = " HISTORY: Pneumonia.\r\n\r\n FINDINGS: Mild edema.\r\n"
    tree.path(19_000_003, 59_000_032).write_bytes(start + text.encode())
    make()
    assert list({record["study_id"]: record for record in records_of(make)}["59000032"]["entity"]) == ["edema"]


def test_a_subject_that_lies_in_two_folders(make, tree):
    folder = tree.path(19_000_003, 59_000_032).parent
    shutil.copytree(folder, tree.root / "files" / "p20" / folder.name)
    with pytest.raises(InputError, match=r"files/p19/p19000003 and .*files/p20/p19000003 are of one subject"):
        make()


def test_a_table_of_other_studies_leads_to_no_question(make, tree):
    tree.rows = [[subject, study + 500, order, view] for subject, study, order, view in tree.rows]
    tree.tell()
    words = r"leads to no question about the 9 reports; report whose study is not in the table .* 9: give the table"
    with pytest.raises(InputError, match=words):
        make()
    assert not make.folder.exists()


def test_a_dry_run_of_a_subject_with_one_study_has_no_question(make, tree):
    tree.rows = [tree.rows[0]]
    for path in tree.path(19_000_001, 59_000_012).parent.iterdir():
        if "59000011" not in path.name:
            path.unlink()
    tree.tell()
    assert "study without an earlier frontal one (no questions) 1" in make(limit=1)
    assert len(records_of(make)) == 1


def test_a_study_that_the_table_gives_to_another_subject(make, tree):
    tree.rows[0][0] = 19_000_002
    tree.tell()
    with pytest.raises(InputError, match="study 59000011 is of subject 19000002, but its report lies in the folder"):
        make()


def test_a_link_within_the_folder_of_reports_is_followed(make, tree):
    inside = tree.path(19_000_003, 59_000_032)
    inside.rename(tree.root / "files" / "kept.txt")
    inside.symlink_to(tree.root / "files" / "kept.txt")
    make()
    assert len(records_of(make)) == 9


@pytest.mark.parametrize("report", [True, False], ids=["a report", "a folder"])
def test_a_link_that_leaves_the_folder_of_reports(make, tree, tmp_path, report):
    inside = tree.path(19_000_003, 59_000_032)
    inside = inside if report else inside.parent
    outside = inside.rename(tmp_path / "outside")
    inside.symlink_to(outside)
    with pytest.raises(InputError, match="leaves the data folder"):
        make()
    assert not make.folder.exists()


def test_a_study_that_the_table_names_twice(make, tree):
    tree.rows.append([19_000_001, 59_000_011, 3, AP])
    tree.tell()
    words = "study_id '59000011' has rows that contradict each other, study_order is '1' and '3'"
    with pytest.raises(InputError, match=words):
        make()


def test_an_id_that_is_no_number(make, tree):
    tree.rows[1][1] = "../59000012"
    tree.tell()
    with pytest.raises(InputError, match=r"mimic_all\.csv, row 3: study_id is '\.\./59000012'"):
        make()


def test_folders_without_reports(make, tree, tmp_path):
    (tmp_path / "empty").mkdir()
    with pytest.raises(InputError, match=r"no folder .*empty/files/p\*/p\*"):
        make(reports=str(tmp_path / "empty"))
    for path in tree.root.rglob("s*.txt"):
        path.unlink()
    with pytest.raises(InputError, match="in any of the 3 folders of subjects"):
        make()


def test_an_output_folder_that_is_not_set_or_cannot_be_made(make, tree):
    with pytest.raises(InputError, match=r"out is not set: .*out=FOLDER"):
        make(out=None)
    with pytest.raises(InputError, match=r"out: folder .* cannot be made"):
        make(out=str(tree.studies / "made"))


@pytest.mark.parametrize("name", ["all_diseases.json", "mimic_pair_questions.csv"])
def test_a_folder_where_a_file_is_to_stand_is_named_before_anything_is_written(make, name):
    (make.folder / name).mkdir(parents=True)
    with pytest.raises(InputError, match=rf"out: .*{name} is a folder, a file is to stand there"):
        make()
    assert [path.name for path in make.folder.iterdir()] == [name]


def test_questions_of_other_records_are_not_left_beside_new_ones(make):
    make()
    before = written(make.folder)
    with pytest.raises(InputError, match=r"holds mimic_pair_questions\.csv of other records"):
        make(studies=None)
    assert written(make.folder) == before
