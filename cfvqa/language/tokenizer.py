"""Texts to token ids and back: a tokenizer trained on the answers at hand, or a pretrained one."""

import re
from collections import Counter
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any, Protocol

import numpy as np
from tokenizers import Regex, models, normalizers, pre_tokenizers
from tokenizers import Tokenizer as Backend

from cfvqa.errors import InputError

PAD, UNK, CLS, SEP, MASK, DEC, ENC = "[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", "[DEC]", "[ENC]"
_FILE = "tokenizer.json"
SPECIALS = (PAD, UNK, CLS, SEP, MASK, DEC, ENC)


class Tokenizer(Protocol):
    """What models and data sets ask of a tokenizer."""

    def __len__(self) -> int: ...

    def id_of(self, token: str) -> int:
        """Return the id of a special token."""

    def encode(self, texts: Sequence[str], *, max_length: int, first: str = CLS) -> tuple[np.ndarray, np.ndarray]:
        """Return ids (N, T) int64 and mask (N, T) bool."""

    def decode(self, ids: np.ndarray) -> list[str]:
        """Return the texts of ids (N, T)."""

    def save(self, folder: Path) -> None:
        """Write what it is loaded from into a folder."""


def _pad(rows: list[list[int]], pad: int) -> tuple[np.ndarray, np.ndarray]:
    length = max((len(row) for row in rows), default=0)
    ids = np.full((len(rows), length), pad, dtype=np.int64)
    for number, row in enumerate(rows):
        ids[number, : len(row)] = row
    lengths = np.array([len(row) for row in rows], dtype=np.int64)
    return ids, np.arange(length) < lengths[:, None]


def _glue(text: str) -> str:
    """Close the blanks that splitting opened: before punctuation, and around a hyphen or slash in a word."""
    return re.sub(r" ?([-/]) ?", r"\1", re.sub(r" ([.,?])", r"\1", text))


class AnswerTokenizer:
    """Whole words of the training texts; needs no download.

    Lower case; words are what stands between blanks, with `. , ?` as words of their own.
    """

    def __init__(self, backend: Backend) -> None:
        self._backend = backend
        self._words = [backend.id_to_token(number) for number in range(backend.get_vocab_size())]

    @classmethod
    def train(cls, texts: Iterable[str]) -> "AnswerTokenizer":
        """Collect the words of `texts`, most frequent first, ties in alphabetical order."""
        splitter = _backend({token: number for number, token in enumerate(SPECIALS)})
        counts: Counter[str] = Counter()
        for text in texts:
            normal = splitter.normalizer.normalize_str(text)
            counts.update(word for word, _ in splitter.pre_tokenizer.pre_tokenize_str(normal))
        words = [word for word, _ in sorted(counts.items(), key=lambda item: (-item[1], item[0]))]
        return cls(_backend({token: number for number, token in enumerate((*SPECIALS, *words))}))

    @classmethod
    def load(cls, folder: Path) -> "AnswerTokenizer":
        """Read what `save` wrote.

        Raises:
            InputError: if the file is missing or damaged.
        """
        file = folder / _FILE
        if not file.is_file():
            raise InputError(f"{file} is missing: delete the folder and make it again")
        try:
            return cls(Backend.from_str(file.read_text()))
        except Exception as error:  # the tokenizers library raises this very class
            raise InputError(f"{file} is damaged ({error}): delete the folder and make it again") from error

    def save(self, folder: Path) -> None:
        """Write `tokenizer.json` into a folder, made if need be."""
        folder.mkdir(parents=True, exist_ok=True)
        (folder / _FILE).write_text(self._backend.to_str())

    def __len__(self) -> int:
        return len(self._words)

    def id_of(self, token: str) -> int:
        """Return the id of a special token."""
        return SPECIALS.index(token)

    def encode(self, texts: Sequence[str], *, max_length: int, first: str = CLS) -> tuple[np.ndarray, np.ndarray]:
        """Return ids (N, T) int64, `first` ... [SEP], padded to the longest text, and their mask (N, T) bool.

        A text of more than `max_length` tokens is cut before its [SEP].
        """
        start, end = self.id_of(first), self.id_of(SEP)
        encoded = self._backend.encode_batch(list(texts), add_special_tokens=False)
        return _pad([[start, *item.ids[: max_length - 2], end] for item in encoded], self.id_of(PAD))

    def decode(self, ids: np.ndarray) -> list[str]:
        """Return the texts of ids (N, T), each up to its first [SEP], without special tokens."""
        return [self._decode_row(row) for row in np.asarray(ids).tolist()]

    def _decode_row(self, row: list[int]) -> str:
        end = self.id_of(SEP)
        if end in row:
            row = row[: row.index(end)]
        words = [self._words[number] for number in row if number >= len(SPECIALS) or number == self.id_of(UNK)]
        return _glue(" ".join(words))


def _backend(vocabulary: dict[str, int]) -> Backend:
    backend = Backend(models.WordLevel(vocabulary, unk_token=UNK))
    backend.normalizer = normalizers.Lowercase()
    backend.pre_tokenizer = pre_tokenizers.Sequence(
        [pre_tokenizers.WhitespaceSplit(), pre_tokenizers.Split(Regex("[.,?]"), behavior="isolated")]
    )
    return backend


class PretrainedTokenizer:
    """A tokenizer of a model of the BERT family (PubMedBERT, ...) with [DEC] and [ENC] added.

    The folder may be a stranger's: which class reads it, its configs do not choose, as that could run code of theirs.

    Args:
        path: of the folder, with `tokenizer.json` or `vocab.txt`.

    Raises:
        InputError: if there is no tokenizer, it cannot be read, or it lacks one of the special tokens of BERT.
    """

    def __init__(self, path: str) -> None:
        from transformers import BertTokenizer, PreTrainedTokenizerFast  # slow to import, and needed here alone

        kinds = {_FILE: PreTrainedTokenizerFast, "vocab.txt": BertTokenizer}
        found = [kind for name, kind in kinds.items() if (Path(path) / name).is_file()]
        if not found:
            raise InputError(
                f"text.pretrained: no tokenizer at '{path}' ({' or '.join(kinds)} is missing): download a model of the "
                "BERT family first and give its folder, or choose text=scratch"
            )
        try:
            self._backend: Any = found[0].from_pretrained(path, local_files_only=True)
        except Exception as error:  # the tokenizers library raises this very class
            raise InputError(
                f"text.pretrained: the tokenizer at '{path}' cannot be read ({error}): restore it"
            ) from error
        known = self._backend.get_vocab()
        if missing := [token for token in SPECIALS[:5] if token not in known]:
            raise InputError(
                f"text.pretrained: the tokenizer at '{path}' has no {missing[0]}; give a model of the BERT family, "
                "or choose text=scratch"
            )
        self._backend.add_special_tokens({"additional_special_tokens": [DEC, ENC]})

    def save(self, folder: Path) -> None:
        """Write the files of the tokenizer, not those of its model."""
        self._backend.save_pretrained(folder)

    def __len__(self) -> int:
        return len(self._backend)

    def id_of(self, token: str) -> int:
        """Return the id of a special token."""
        return int(self._backend.convert_tokens_to_ids(token))

    def encode(self, texts: Sequence[str], *, max_length: int, first: str = CLS) -> tuple[np.ndarray, np.ndarray]:
        """Return ids (N, T) int64, `first` ... [SEP], padded, and their mask (N, T) bool."""
        start, end = self.id_of(first), self.id_of(SEP)
        encoded = self._backend(list(texts), add_special_tokens=False)["input_ids"]
        return _pad([[start, *row[: max_length - 2], end] for row in encoded], self.id_of(PAD))

    def decode(self, ids: np.ndarray) -> list[str]:
        """Return the texts of ids (N, T), each up to its first [SEP], without special tokens."""
        end = self.id_of(SEP)
        rows = [row[: row.index(end)] if end in row else row for row in np.asarray(ids).tolist()]
        return [_glue(self._backend.decode(row, skip_special_tokens=True)) for row in rows]
