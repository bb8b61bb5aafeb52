"""Is a compiled reader faster?"""

from cfvqa.bench.figures import Figure, of_step
from cfvqa.bench.lab import Lab
from cfvqa.bench.rounds import interleave
from cfvqa.training.compiling import compile_parts, has_compiler


def compiled(lab: Lab) -> list[Figure]:
    """Compare the step with that of a compiled reader (compile=true); nothing where there is no compiler."""
    if not has_compiler():
        return []
    batch, phase = lab.inputs.pair_batch().to(lab.device), lab.last_phase
    plain, fused = lab.loss(phase), lab.loss(phase)
    compile_parts(fused.module.model)
    steps = {"plain": lab.step(plain, phase), "compiled": lab.step(fused, phase)}
    first = steps["compiled"].timed(batch)()
    rounds = interleave({name: step.timed(batch) for name, step in steps.items()}, lab.repeats)
    return [
        Figure(
            measured=f"training step, {phase}: as it is, or compile=true (its first step took {first:.0f} s)",
            ours=f"{of_step(rounds.median('plain'))} a step",
            other=f"{of_step(rounds.median('compiled'))} a step",
            ratio=rounds.ratio("compiled", "plain"),
            meaning="times as long",
            limit="what is fused are passes over states; matrix products, most of a step, are the same calls",
        )
    ]
