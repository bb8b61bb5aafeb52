"""Memory on the processor: what a training step frees, the next one needs again."""

import ctypes

_TRIM_THRESHOLD, _MMAP_MAX = -1, -4  # numbers of glibc's malloc.h
_NEVER = -1


def keep_freed_memory() -> bool:
    """Let the process keep the memory that it frees, where the C library is glibc; say whether it does.

    By default glibc gives blocks of more than 32 MB back to the system at once. A training step frees and asks for the
    same tensors again and again, and the system must clear their pages every time: a twentieth of a step at the
    published sizes.
    """
    mallopt = getattr(ctypes.CDLL(None), "mallopt", None)
    if mallopt is None:
        return False
    return bool(mallopt(_MMAP_MAX, 0)) and bool(mallopt(_TRIM_THRESHOLD, _NEVER))
