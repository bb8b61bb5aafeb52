"""Damaged files of the paper's data: each is one message that names the file and the place in it."""

import gzip
from collections.abc import Callable

import pytest
from layouts import MimicTree, dicom_id, write_image

from cfvqa.errors import InputError
from cfvqa.sources.fingerprint import fingerprint
from cfvqa.sources.mimic import MimicSource

FIRST, SECOND = 59_000_011, 59_000_012
GRAPH = f"{dicom_id(SECOND)}_SceneGraph.json"
IMAGE = f"{dicom_id(SECOND)}.jpg"


@pytest.fixture
def tree(tmp_path):
    return MimicTree(tmp_path / "data", subjects=3).write()


def refusal(tree, **settings) -> str:
    """Return the message that refuses a data set, as the stage of the tables meets it; nothing of it has changed."""
    before = sorted(tree.root.rglob("*"))
    with pytest.raises(InputError) as refused:
        prepare(MimicSource(tree.root, **{"split": "official", "on_reversed": "error", **settings}))
    assert sorted(tree.root.rglob("*")) == before
    message = str(refused.value)
    assert "\n" not in message
    message.encode()  # so that it can be printed
    return message


def prepare(source: MimicSource) -> None:
    fingerprint(source.files())
    source.read()


def edit(name: str, change: Callable[[bytes], bytes]) -> Callable[[MimicTree], None]:
    """Return what changes the content of a file, zipped or not."""

    def damage(tree: MimicTree) -> None:
        path = next(tree.root.rglob(name))
        content = path.read_bytes()
        if name.endswith(".gz"):
            path.write_bytes(gzip.compress(change(gzip.decompress(content))))
        else:
            path.write_bytes(change(content))

    return damage


def replace(name: str, old: bytes, new: bytes) -> Callable[[MimicTree], None]:
    def changed(content: bytes) -> bytes:
        assert old in content
        return content.replace(old, new, 1)

    return edit(name, changed)


def cut(name: str, last: int) -> Callable[[MimicTree], None]:
    """Return what takes the last bytes off a file as it lies on disk."""

    def damage(tree: MimicTree) -> None:
        path = next(tree.root.rglob(name))
        path.write_bytes(path.read_bytes()[:-last])

    return damage


def overwrite(name: str, content: bytes) -> Callable[[MimicTree], None]:
    return lambda tree: next(tree.root.rglob(name)).write_bytes(content) and None


def without_ids(text: bytes) -> bytes:
    """Take the study out of the first two rows of a table of studies, which differ otherwise."""
    for study in (FIRST, SECOND):
        assert str(study).encode() in text
        text = text.replace(b",%d," % study, b",,", 1)
    return text


def linked_outside(tree: MimicTree) -> None:
    folder = tree.image_path(SECOND).parent
    folder.rename(tree.root.parent / "outside")
    folder.symlink_to(tree.root.parent / "outside")


def folder_in_place_of_an_image(tree: MimicTree) -> None:
    tree.image_path(SECOND).unlink()
    tree.image_path(SECOND).mkdir()


METADATA, SPLIT = "mimic-cxr-2.0.0-metadata.csv.gz", "mimic-cxr-2.0.0-split.csv.gz"
LABELS = "mimic-cxr-2.0.0-chexpert.csv.gz"
STUDIES, QUESTIONS, RECORDS = "mimic_all.csv", "mimic_pair_questions.csv", "all_diseases.json"

DAMAGES = {
    "metadata without a column": (replace(METADATA, b"Rows", b"Height"), [METADATA, "column 'Rows' is missing"]),
    "labels without a column": (replace(LABELS, b"Edema", b"Oedema"), [LABELS, "column 'Edema' is missing"]),
    "studies without a column": (replace(STUDIES, b"study_order", b"order"), [STUDIES, "'study_order' is missing"]),
    "studies with a column twice": (replace(STUDIES, b"view", b"study_id"), [STUDIES, "'study_id' occurs twice"]),
    "metadata cut short": (cut(METADATA, 60), [METADATA, "unexpected end of file"]),
    "split without its last bytes": (cut(SPLIT, 4), [SPLIT, "cannot be read as CSV"]),
    "labels without a byte": (overwrite(LABELS, b""), [LABELS, "empty CSV"]),
    "labels without a row": (edit(LABELS, lambda text: text.split(b"\n")[0] + b"\n"), [LABELS, "has no rows"]),
    "questions in another encoding": (
        replace(QUESTIONS, b"hernia", b"h\xe9rnia"),
        [f"{QUESTIONS}, row 2: it is no UTF-8"],
    ),
    "a question that ends early": (
        replace(QUESTIONS, b"is there edema?,yes,", b"is there edema?"),
        [f"{QUESTIONS}, row 3: it ends after 5 of 7 fields"],
    ),
    "a last question that ends early": (cut(QUESTIONS, 70), [f"{QUESTIONS}, row 10: it ends after 6 of 7"]),
    "an answer without its quotes": (
        replace(QUESTIONS, b'"edema, hernia"', b"edema, hernia"),
        [f"{QUESTIONS}, row 2: it has 8 fields, the first row 7"],
    ),
    "a split that there is not": (replace(SPLIT, b"validate", b"valid"), [f"{SPLIT}, row", "split is 'valid'"]),
    "an order that is a word": (
        replace(STUDIES, b",1.0\n", b",first\n"),
        [f"{STUDIES}, row 2: study_order is 'first'"],
    ),
    "an order that is blank": (replace(STUDIES, b",1.0\n", b",\n"), [f"{STUDIES}, row 2: study_order is"]),
    "an image of two rows": (
        edit(METADATA, lambda text: text + text.split(b"\n")[2] + b"\n"),
        [METADATA, f"rows 3 and 8: dicom_id '{dicom_id(SECOND)}' twice"],
    ),
    "an image path that climbs": (
        replace(METADATA, dicom_id(SECOND).encode(), b"../../outside"),
        [f"{METADATA}, row 3: dicom_id is '../../outside'"],
    ),
    "an image path from the top": (
        replace(METADATA, dicom_id(SECOND).encode(), b"/etc/outside"),
        [f"{METADATA}, row 3: dicom_id is '/etc/outside'"],
    ),
    "a scene graph of another image": (
        replace(GRAPH, dicom_id(SECOND).encode(), dicom_id(FIRST).encode()),
        [GRAPH, f"image_id is '{dicom_id(FIRST)}'", "restore the file"],
    ),
    "a scene graph of another patient": (
        replace(GRAPH, b'"patient_id": 19000001', b'"patient_id": 19000002'),
        [GRAPH, "patient_id is 19000002", "'19000001'", "restore the file"],
    ),
    "a scene graph of another study": (
        replace(GRAPH, b'"study_id": 59000012', b'"study_id": 59000011'),
        [GRAPH, "study_id is 59000011", "'59000012'", "restore the file"],
    ),
    "studies without an id": (
        edit(STUDIES, without_ids),
        [f"{STUDIES}: study_id blank has rows that contradict each other"],
    ),
    "a record of another patient": (
        replace(RECORDS, b'"subject_id": "19000001"', b'"subject_id": "19000002"'),
        [RECORDS, f"subject_id of study '{FIRST}' is '19000002'", "'19000001'"],
    ),
    "a study folder that is a link": (linked_outside, [IMAGE, "goes through a link that leaves the data folder"]),
    "a study of another subject": (
        replace(STUDIES, b"19000001", b"19000002"),
        [STUDIES, f"study '{FIRST}'", "'19000001'", "'19000002'"],
    ),
    "a question about another subject": (
        replace(QUESTIONS, b"59000012,19000001", b"59000012,19000002"),
        ["question 'q0000000' of subject", dicom_id(SECOND), "it is about images of another subject"],
    ),
    "a JPEG without a header": (overwrite(IMAGE, b"no image" * 90), [IMAGE, "cannot be read"]),
    "a JPEG without a byte": (overwrite(IMAGE, b""), [IMAGE, "cannot be read"]),
    "a JPEG without its end": (cut(IMAGE, 200), [IMAGE, "truncated"]),
    "a JPEG that is a folder": (folder_in_place_of_an_image, [IMAGE, "is missing"]),
    "a scene graph that is no text": (replace(GRAPH, b"left", b"l\xffft"), [GRAPH, "is no readable JSON"]),
    "a scene graph that ends early": (cut(GRAPH, 9), [GRAPH, "is no readable JSON"]),
    "a scene graph with half a character": (
        replace(GRAPH, b"anatomicalfinding|yes|lung opacity", rb"\ud800"),
        [GRAPH, r"attribute '\ud800' is not of the form"],
    ),
    "key information that is no text": (replace(RECORDS, b"edema", b"\xff"), [RECORDS, "is no readable JSON"]),
    "key information of a wrong type": (
        replace(RECORDS, b'"entity": []', b'"entity": "edema"'),
        [f"{RECORDS}, record 0: entity does not give details"],
    ),
}


@pytest.mark.parametrize(("damage", "words"), DAMAGES.values(), ids=DAMAGES)
def test_a_damaged_file_is_refused_in_one_line_that_names_it(tree, damage, words):
    damage(tree)
    message = refusal(tree)
    for word in words:
        assert word in message


def test_a_folder_that_cannot_be_used_names_its_key(tree):
    graphs = (tree.root / "chest-imagenome").rename(tree.root / "graphs")
    assert "source.graphs: no folder" in refusal(tree)
    graphs.rename(tree.root / "chest-imagenome")
    assert "source.dicom: no folder" in refusal(tree, dicom="mimic-cxr")
    assert "negbio.csv(.gz) is missing: it belongs to the data set; check source.images" in refusal(
        tree, labels="negbio"
    )
    write_image(tree.image_path(SECOND), 20, 20)
    assert f"{IMAGE} has 20 x 20 pixels" in refusal(tree)
