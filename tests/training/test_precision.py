"""What is left open is settled by what the device has instructions for."""

import pytest

from cfvqa.training.precision import computes_bf16, settled


@pytest.mark.parametrize(
    ("capability", "precision"), [("AVX512", "bf16-mixed"), ("AVX2", "32-true"), ("DEFAULT", "32-true")]
)
def test_a_processor_trains_in_16_bits_where_it_has_instructions_for_them(monkeypatch, capability, precision):
    monkeypatch.setattr("torch.backends.cpu.get_cpu_capability", lambda: capability)
    trainer = {"accelerator": "cpu", "devices": 1, "precision": "auto"}
    assert settled(trainer) == trainer | {"precision": precision}


@pytest.mark.parametrize(("native", "precision"), [(True, "bf16-mixed"), (False, "32-true")])
def test_a_gpu_that_only_emulates_16_bits_trains_in_32(monkeypatch, native, precision):
    monkeypatch.setattr("torch.cuda.device_count", lambda: 1)
    monkeypatch.setattr("torch.cuda.is_bf16_supported", lambda including_emulation: native or including_emulation)
    assert settled({"accelerator": "auto", "precision": "auto"})["precision"] == precision
    assert computes_bf16({"accelerator": "gpu"}) is native


@pytest.mark.parametrize("trainer", [{}, {"precision": "bf16-mixed"}, {"precision": "32-true", "devices": 2}])
def test_what_is_said_stays(trainer):
    assert settled(trainer) == trainer
