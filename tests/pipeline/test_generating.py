"""cfvqa-generate-questions as a user calls it: what it writes, and its refusals."""

import json

import pytest
from calling import refused
from report_trees import ReportTree


@pytest.fixture
def tree(tmp_path):
    return ReportTree(tmp_path / "reports")


def command(tree, *overrides):
    return "generate_questions", f"reports={tree.root}", f"studies={tree.studies}", "out=made", *overrides


def test_records_and_questions_are_written(call, tree):
    status, output = call(*command(tree, "seed=3", "workers=2"))
    assert status == 0, output
    assert "9 reports of 3 subjects" in output
    assert len(json.loads((call.folder / "made" / "all_diseases.json").read_text())) == 9
    assert (call.folder / "made" / "mimic_pair_questions.csv").read_text().count(",difference,") == 6


def test_reports_that_are_not_there(call, tree):
    refused(call, ["no folder", "nowhere", "reports=FOLDER"], *command(tree, "reports=nowhere"))


def test_a_report_that_is_no_text(call, tree):
    tree.path(19_000_003, 59_000_032).write_bytes("Edema.".encode("utf-16"))
    refused(call, ["s59000032.txt", "is no text", "restore the file"], *command(tree))


def test_a_study_of_two_subjects(call, tree):
    tree.path(19_000_002, 59_000_011).write_text("Edema.")
    refused(call, ["study 59000011", "subject 19000001", "subject 19000002"], *command(tree))


def test_a_table_of_studies_that_is_not_there(call, tree):
    refused(call, ["studies: no file", "nowhere.csv"], *command(tree, "studies=nowhere.csv"))


def test_a_table_of_studies_without_views(call, tree):
    tree.tell(header=("subject_id", "study_id", "study_order", "position"))
    refused(call, ["mimic_all.csv", "column 'view' is missing"], *command(tree))


def test_an_order_that_is_no_number(call, tree):
    tree.rows[1][2] = "second"
    tree.tell()
    refused(call, ["mimic_all.csv, row 3", "study_order is 'second'"], *command(tree))


def test_a_parser_that_there_is_not(call, tree):
    refused(call, ["parser is 'best'", "improved, published"], *command(tree, "parser=best"))
