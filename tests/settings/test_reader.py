import pytest
import torch
from safetensors.torch import load_file, save_file
from tokenizers import Tokenizer, models, pre_tokenizers
from transformers import BertConfig, BertModel, PreTrainedTokenizerFast

from cfvqa.errors import InputError
from cfvqa.settings.reader import Widths, build_model, special_ids, train_tokenizer

WORDS = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", "edema", "lung", "left", "right", "."]
MODEL = {"network": {"_target_": "cfvqa.models.coarse_to_fine.CoarseToFine"}}
LAYER = "encoder.layer.0.attention.self.query.weight"


def write_encoder(folder, *, words=10, layers=2):
    """Write the weights and the tokenizer of a tiny BERT, as its library names them; returns the weights."""
    backend = Tokenizer(models.WordLevel({word: number for number, word in enumerate(WORDS)}, unk_token="[UNK]"))
    backend.pre_tokenizer = pre_tokenizers.Whitespace()
    names = {f"{name}_token": f"[{name.upper()}]" for name in ("pad", "unk", "cls", "sep", "mask")}
    PreTrainedTokenizerFast(tokenizer_object=backend, **names).save_pretrained(folder)
    torch.manual_seed(7)
    size = {"hidden_size": 16, "num_hidden_layers": layers, "num_attention_heads": 2, "intermediate_size": 64}
    bert = BertModel(BertConfig(vocab_size=words, max_position_embeddings=32, **size))
    weights = {f"bert.{name}": torch.randn_like(value) for name, value in bert.state_dict().items()}
    save_file(weights, folder / "model.safetensors")
    return {name.removeprefix("bert."): value for name, value in weights.items()}


def change(folder, edit):
    weights = load_file(folder / "model.safetensors")
    save_file(edit(weights), folder / "model.safetensors")


def reader_of(folder, **sizes):
    transformer = {"width": 16, "layers": 1, "heads": 2, "dropout": 0.0, "max_length": 32} | sizes
    text = {"pretrained": str(folder), "transformer": transformer}
    tokenizer = train_tokenizer(text, [])
    network = build_model(MODEL, text, tokenizer=tokenizer, widths=Widths(region=8, finding=8), seed=0)
    return network.text.reader.state_dict()


@pytest.mark.parametrize("layers", [1, 2, 3])
def test_the_reader_starts_from_every_weight_that_an_encoder_has(tmp_path, layers):
    weights = write_encoder(tmp_path, layers=2)
    own = reader_of(tmp_path, layers=layers)
    words = own.pop("embeddings.word_embeddings.weight")
    assert torch.equal(words[: len(WORDS)], weights["embeddings.word_embeddings.weight"])
    assert len(words) == len(WORDS) + 2  # [DEC] and [ENC] are new
    fresh = [name for name in own if "crossattention" in name or "layer.2." in name]
    for name in own.keys() - set(fresh):
        assert torch.equal(own[name], weights[name]), name
    assert len(own) - len(fresh) == 3 + 16 * min(layers, 2)


def test_a_table_of_words_that_is_rounded_up_is_cut(tmp_path):
    weights = write_encoder(tmp_path, words=16)
    own = reader_of(tmp_path)
    assert torch.equal(own["embeddings.word_embeddings.weight"], weights["embeddings.word_embeddings.weight"][:12])


def test_the_names_of_the_first_releases_are_read(tmp_path):
    weights = write_encoder(tmp_path)
    old = {"LayerNorm.weight": "LayerNorm.gamma", "LayerNorm.bias": "LayerNorm.beta"}
    for new_name, old_name in old.items():
        change(tmp_path, lambda held, n=new_name, o=old_name: {k.replace(n, o): value for k, value in held.items()})
    assert torch.equal(reader_of(tmp_path)["embeddings.LayerNorm.bias"], weights["embeddings.LayerNorm.bias"])


@pytest.mark.parametrize(
    ("sizes", "words"),
    [
        ({"width": 32}, ["embeddings.word_embeddings.weight has shape 10 x 16", "shape 12 x 32 is needed"]),
        ({"max_length": 64}, ["embeddings.position_embeddings.weight has shape 32 x 16", "shape 64 x 16 is needed"]),
    ],
)
def test_an_encoder_of_another_size_is_refused(tmp_path, sizes, words):
    write_encoder(tmp_path)
    refused(tmp_path, [*words, "text.transformer.width"], **sizes)


@pytest.mark.parametrize("missing", [LAYER, "embeddings.LayerNorm.bias", "encoder.layer"])
def test_an_encoder_that_lacks_a_weight_is_refused(tmp_path, missing):
    write_encoder(tmp_path)
    change(tmp_path, lambda held: {name: value for name, value in held.items() if missing not in name})
    first = LAYER if missing == "encoder.layer" else missing
    refused(tmp_path, [f"{first} is not there", "model.safetensors", "is needed", "BERT"])


def test_weights_of_another_vocabulary_are_refused(tmp_path):
    write_encoder(tmp_path, words=9)
    refused(tmp_path, ["word_embeddings.weight has shape 9 x 16", "shape 12 x 16 is needed", "with its tokenizer"])


def test_a_folder_without_weights_is_named(tmp_path):
    write_encoder(tmp_path)
    (tmp_path / "model.safetensors").unlink()
    refused(tmp_path, ["text.pretrained", "model.safetensors is missing", "text=scratch"])


def test_weights_that_cannot_be_read_are_named(tmp_path):
    write_encoder(tmp_path)
    (tmp_path / "model.safetensors").write_bytes(b"short")
    refused(tmp_path, ["text.pretrained", "model.safetensors cannot be read"])


def refused(folder, words, **sizes):
    with pytest.raises(InputError) as refusal:
        reader_of(folder, **sizes)
    for word in words:
        assert word in str(refusal.value)
    assert "\n" not in str(refusal.value)


def test_defect_19_what_an_answer_is_about_is_known_of_a_pretrained_tokenizer(tmp_path):
    write_encoder(tmp_path)
    special = special_ids(train_tokenizer({"pretrained": str(tmp_path)}, []))
    assert [WORDS[number] for number in special.content] == ["edema", "lung", "left", "right"]
