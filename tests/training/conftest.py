import pytest
from killing import write_data


@pytest.fixture(scope="module")
def base(tmp_path_factory):
    folder = tmp_path_factory.mktemp("resume")
    write_data(folder)
    return folder
