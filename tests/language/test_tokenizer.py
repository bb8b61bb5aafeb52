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


def test_the_code_of_a_tokenizer_never_runs_and_nobody_is_asked(tmp_path, monkeypatch):
    touched, named = tmp_path / "touched", {"AutoTokenizer": ["own.Own", "own.Own"]}
    (tmp_path / "tokenizer_config.json").write_text(json.dumps({"tokenizer_class": "Own", "auto_map": named}))
    (tmp_path / "config.json").write_text(json.dumps({"model_type": "own", "auto_map": named}))
    (tmp_path / "own.py").write_text(f"open({str(touched)!r}, 'w').close()\nclass Own: pass\n")
    asked = []
    monkeypatch.setattr("builtins.input", lambda *words: asked.append(words) or "y")
    with pytest.raises(InputError, match=r"text\.pretrained.*code of its own"):
        PretrainedTokenizer(str(tmp_path))
    assert not asked
    assert not touched.exists()


def test_a_tokenizer_of_another_family_is_refused(tmp_path):
    save_bert_tokenizer(tmp_path, without=["[MASK]"])
    with pytest.raises(InputError, match=r"\[MASK\]"):
        PretrainedTokenizer(str(tmp_path))
