import pytest
from processes import run


@pytest.fixture(scope="session")
def folder(tmp_path_factory):
    """A folder in which the tiny phantom has gone through every stage."""
    path = tmp_path_factory.mktemp("pipeline")
    status, output = run(path, "run")
    assert status == 0, output
    return path
