"""The exceptions that are no errors of the program."""


class InputError(Exception):
    """Say what is wrong with the input, where (file, row or key), and what to do about it.

    Commands print the message without a traceback and end with exit status 2.
    """


class Pruned(Exception):  # noqa: N818 - nothing has gone wrong
    """End a training that its search has given up, because others were ahead of it at the same epoch."""
