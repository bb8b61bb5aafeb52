"""One thin Hydra application a command."""

import sys

from cfvqa.environment import check_ranks
from cfvqa.errors import INPUT_ERROR, InputError

try:  # here, because Lightning reads the environment as it is imported, which every command does first
    check_ranks()
except InputError as error:
    sys.stderr.write(f"error: {error}\n")
    sys.exit(INPUT_ERROR)
