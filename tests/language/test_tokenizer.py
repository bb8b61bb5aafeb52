import numpy as np

from cfvqa.language.tokenizer import AnswerTokenizer

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


def test_unknown_words_are_marked_and_the_order_of_texts_does_not_matter():
    first = AnswerTokenizer.train(["b a", "a"])
    second = AnswerTokenizer.train(["a", "b a"])
    assert first.to_json() == second.to_json()
    assert first.decode(first.encode(["a zebra"], max_length=9)[0]) == ["a [UNK]"]


def test_json_round_trip():
    tokenizer = AnswerTokenizer.train([TEXT])
    again = AnswerTokenizer.from_json(tokenizer.to_json())
    assert len(again) == len(tokenizer)
    assert np.array_equal(again.encode([TEXT], max_length=40)[0], tokenizer.encode([TEXT], max_length=40)[0])
