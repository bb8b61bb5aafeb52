"""Where the figures come from: they mean nothing without the machine."""

import platform
from pathlib import Path

import torch

from cfvqa.processes import cores


def machine() -> str:
    """Describe processor, cores, threads, GPU and torch in one line."""
    gpu = torch.cuda.get_device_name() if torch.cuda.is_available() else "no GPU"
    threads = torch.get_num_threads()
    kind = "TF32" if torch.cuda.is_available() and torch.get_float32_matmul_precision() != "highest" else "float32"
    return f"{_processor()}, {cores()} cores, {threads} threads, {gpu}, torch {torch.__version__}, {kind}"


def _processor() -> str:
    try:
        lines = Path("/proc/cpuinfo").read_text().splitlines()
    except OSError:  # no Linux
        lines = []
    names = [line.partition(":")[2].strip() for line in lines if line.startswith("model name")]
    return names[0] if names else platform.processor() or platform.machine()
