import json

import numpy as np
import pytest
from tokenizers import Tokenizer, decoders, models, normalizers, pre_tokenizers
from transformers import PreTrainedTokenizerFast

from cfvqa.errors import InputError
from cfvqa.language.tokenizer import SPECIALS, AnswerTokenizer, PretrainedTokenizer

TEXT = "the main image has additional findings of edema, and plate-like atelectasis than the reference image."


def test_decoding_what_was_encoded_gives_the_text():
    tokenizer = AnswerTokenizer.train([TEXT, "PA view", "yes"])
    ids, mask = tokenizer.encode([TEXT, "PA view"], max_length=60, first="[DEC]")
    assert tokenizer.decode(ids) == [TEXT, "pa view"]
    assert mask.sum(1).tolist() == [19, 4]
    assert (ids[:, 0] == tokenizer.id_of("[DEC]")).all()


def test_a_long_text_is_cut_before_its_end_token():
    tokenizer = AnswerTokenizer.train([TEXT])
    ids, _ = tokenizer.encode([TEXT], max_length=6)
    assert ids.shape == (1, 6)
    assert ids[0, -1] == tokenizer.id_of("[SEP]")


def test_unknown_words_are_marked_and_the_order_of_texts_does_not_matter(tmp_path):
    first = AnswerTokenizer.train(["b a", "a"])
    second = AnswerTokenizer.train(["a", "b a"])
    first.save(tmp_path / "first")
    second.save(tmp_path / "second")
    assert (tmp_path / "first/tokenizer.json").read_bytes() == (tmp_path / "second/tokenizer.json").read_bytes()
    assert first.decode(first.encode(["a zebra"], max_length=9)[0]) == ["a [UNK]"]


def test_what_was_saved_is_loaded_again(tmp_path):
    tokenizer = AnswerTokenizer.train([TEXT])
    tokenizer.save(tmp_path)
    again = AnswerTokenizer.load(tmp_path)
    assert len(again) == len(tokenizer)
    assert np.array_equal(again.encode([TEXT], max_length=40)[0], tokenizer.encode([TEXT], max_length=40)[0])


def test_special_tokens_have_the_same_ids_in_every_tokenizer():
    tokenizer = AnswerTokenizer.train(["yes"])
    assert [tokenizer.id_of(token) for token in SPECIALS] == list(range(7))
    assert tokenizer.id_of("[PAD]") == 0
    assert len(tokenizer) == 8


def test_decoding_stops_at_the_first_end_token():
    tokenizer = AnswerTokenizer.train(["yes no"])
    ids, _ = tokenizer.encode(["yes"], max_length=9)
    assert tokenizer.decode(np.concatenate([ids, ids], axis=1)) == ["yes"]
    assert tokenizer.decode(ids[:, :-1]) == ["yes"]


def test_nothing_to_encode_gives_no_rows():
    ids, mask = AnswerTokenizer.train(["yes"]).encode([], max_length=9)
    assert ids.shape == mask.shape == (0, 0)


def save_bert_tokenizer(folder, *, without=()):
    words = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", "additional", "findings", "of", "edema", "and"]
    words += ["plate", "-", "like", "at", "##electasis", ".", ","]
    vocabulary = {word: number for number, word in enumerate(word for word in words if word not in without)}
    backend = Tokenizer(models.WordPiece(vocabulary, unk_token="[UNK]"))
    backend.normalizer = normalizers.BertNormalizer(lowercase=True)
    backend.pre_tokenizer = pre_tokenizers.BertPreTokenizer()
    backend.decoder = decoders.WordPiece()
    names = {"pad_token": "[PAD]", "unk_token": "[UNK]", "cls_token": "[CLS]", "sep_token": "[SEP]"}
    PreTrainedTokenizerFast(tokenizer_object=backend, **names).save_pretrained(folder)


def test_a_pretrained_tokenizer_gives_the_text_back(tmp_path):
    save_bert_tokenizer(tmp_path)
    tokenizer = PretrainedTokenizer(str(tmp_path))
    text = "additional findings of edema, and plate-like atelectasis."
    ids, mask = tokenizer.encode([text, "Edema"], max_length=60, first="[DEC]")
    assert tokenizer.decode(ids) == [text, "edema"]
    assert (ids[:, 0] == tokenizer.id_of("[DEC]")).all()
    assert mask.sum(1).tolist() == [14, 3]
    assert len({tokenizer.id_of(token) for token in SPECIALS}) == 7
    assert len(tokenizer) == 19
    cut, _ = tokenizer.encode([text], max_length=5)
    assert cut[0].tolist()[-1] == tokenizer.id_of("[SEP]")


def test_a_folder_without_a_tokenizer_is_named(tmp_path):
    with pytest.raises(InputError, match=r"text\.pretrained.*nothing_here.*text=scratch"):
        PretrainedTokenizer(str(tmp_path / "nothing_here"))


OWN = {"tokenizer_class": "Own", "auto_map": {"AutoTokenizer": ["own.Own", "own.Own"]}}
INNER = "question_encoder_tokenizer"  # in which RAG has a tokenizer of its own, and asks whether its code may run


@pytest.mark.parametrize(
    "files",
    [
        {"tokenizer_config.json": OWN, "config.json": OWN | {"model_type": "own"}},
        {
            "tokenizer_config.json": {"tokenizer_class": "RagTokenizer"},
            "config.json": {"model_type": "rag", "question_encoder": {"model_type": "resnet"}, "generator": OWN},
            f"{INNER}/tokenizer_config.json": OWN,
        },
    ],
)
def test_the_code_of_a_tokenizer_never_runs_and_nobody_is_asked(tmp_path, monkeypatch, files):
    touched, folder = tmp_path / "touched", tmp_path / "folder"
    (folder / INNER).mkdir(parents=True)
    save_bert_tokenizer(folder)
    for name, content in files.items():
        (folder / name).write_text(json.dumps(content))
    (folder / "own.py").write_text(f"open({str(touched)!r}, 'w').close()\nclass Own: pass\n")
    asked = []
    monkeypatch.setattr("builtins.input", lambda *words: asked.append(words) or "y")
    assert len(PretrainedTokenizer(str(folder))) == 19
    assert not asked
    assert not touched.exists()


@pytest.mark.parametrize("content", ["{", "[]", '{"model": {"type": "WordPiece"}}'])
def test_a_pretrained_tokenizer_that_is_damaged_is_named(tmp_path, content):
    (tmp_path / "tokenizer.json").write_text(content)
    with pytest.raises(InputError, match=r"text\.pretrained: the tokenizer at .* cannot be read"):
        PretrainedTokenizer(str(tmp_path))


def test_a_list_of_words_alone_makes_the_same_tokenizer(tmp_path):
    save_bert_tokenizer(tmp_path / "whole")
    whole = PretrainedTokenizer(str(tmp_path / "whole"))
    words = json.loads((tmp_path / "whole" / "tokenizer.json").read_text())["model"]["vocab"]
    (tmp_path / "words").mkdir()
    (tmp_path / "words" / "vocab.txt").write_text("\n".join(words))
    asked = {"texts": ["Additional findings of atelectasis, unheard of"], "max_length": 30}
    assert PretrainedTokenizer(str(tmp_path / "words")).encode(**asked)[0].tolist() == whole.encode(**asked)[0].tolist()


def test_a_tokenizer_of_another_family_is_refused(tmp_path):
    save_bert_tokenizer(tmp_path, without=["[MASK]"])
    with pytest.raises(InputError, match=r"\[MASK\]"):
        PretrainedTokenizer(str(tmp_path))
