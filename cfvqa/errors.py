"""The one exception that a user is meant to read."""


class InputError(Exception):
    """Say what is wrong with the input, where (file, row or key), and what to do about it.

    Commands print the message without a traceback and end with exit status 2.
    """
