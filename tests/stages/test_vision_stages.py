"""What the vision stages refuse before they train."""

import numpy as np
import pytest

from cfvqa.errors import InputError
from cfvqa.stages.vision import check_varied


@pytest.mark.parametrize("finding", [[[1, 0, -1]], [[1, 0, -1], [1, 0, 1], [-1, 0, 1]]])
def test_validation_images_that_choose_no_classifier_are_refused_with_the_split_and_the_limit(finding):
    with pytest.raises(InputError, match=r"split 'val' has no finding.*limit"):
        check_varied(np.array(finding, dtype=np.int8))


def test_one_finding_that_varies_is_enough():
    check_varied(np.array([[1, 0, -1], [0, 0, 1]], dtype=np.int8))
