"""Where the figures come from: they mean nothing without the machine."""

import os
import platform
from pathlib import Path

import torch


def machine() -> str:
    """Describe processor, cores, threads, GPU and torch in one line."""
    gpu = torch.cuda.get_device_name() if torch.cuda.is_available() else "no GPU"
    threads = torch.get_num_threads()
    kind = "TF32" if torch.cuda.is_available() and torch.get_float32_matmul_precision() != "highest" else "float32"
    return f"{_processor()}, {cores()} cores, {threads} threads, {gpu}, torch {torch.__version__}, {kind}"


def cores() -> int:
    """Return how many processors this process may use; where the system does not say (macOS), how many there are."""
    allowed = getattr(os, "sched_getaffinity", None)
    return len(allowed(0)) if allowed is not None else os.cpu_count() or 1


def _processor() -> str:
    try:
        lines = Path("/proc/cpuinfo").read_text().splitlines()
    except OSError:  # no Linux
        lines = []
    names = [line.partition(":")[2].strip() for line in lines if line.startswith("model name")]
    return names[0] if names else platform.processor() or platform.machine()
