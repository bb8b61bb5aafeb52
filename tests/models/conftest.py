import pytest
from cases import new_tokenizer


@pytest.fixture(scope="session")
def tokenizer():
    return new_tokenizer()
