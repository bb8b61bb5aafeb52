"""What a sweep is asked for: its overrides, and whether a job of it can be composed."""

import math
from collections.abc import Mapping, Sequence
from typing import Any

from hydra.core.config_loader import ConfigLoader
from hydra.core.global_hydra import GlobalHydra
from hydra.core.override_parser.overrides_parser import OverridesParser
from hydra.core.override_parser.types import Override, ValueType
from omegaconf import DictConfig, OmegaConf

from cfvqa.commands.arguments import parsed
from cfvqa.errors import InputError


def asked(params: Mapping[str, Any] | None, arguments: Sequence[str], loader: ConfigLoader) -> dict[str, Override]:
    """Return key -> override of a sweep.

    Args:
        params: block `hydra.sweeper.params`; the command line is behind it.
        arguments: overrides of the command line.
        loader: of the configs.
    """
    given = [*(f"{key}={value}" for key, value in (params or {}).items()), *arguments]
    overrides = OverridesParser.create(config_loader=loader).parse_overrides(given)
    return {override.get_key_element(): override for override in overrides}


def first_job(arguments: Sequence[str]) -> tuple[list[str], int]:
    """Return the overrides of the first job of a sweep, and how many jobs it has: one for each choice of values.

    Args:
        arguments: of the command line; options, and what Hydra cannot read, stay as they are.

    Raises:
        InputError: if there is no job, or a pattern stands for its values.
    """
    overrides = [(argument, parsed(argument)) for argument in arguments]
    for argument, one in overrides:
        if one is not None and one.value_type is ValueType.GLOB_CHOICE_SWEEP:
            raise InputError(f"{argument}: the first of these is not known here: name the values, KEY=A,B")
    first = [argument if one is None else _of_a_job(one.get_key_element(), one) for argument, one in overrides]
    several = [one for _, one in overrides if one is not None and one.is_discrete_sweep()]
    return first, math.prod(len(list(one.sweep_string_iterator())) for one in several)


def compose_a_job(config: DictConfig) -> None:
    """Compose the config of a job of a sweep, as Hydra does when everything is set up for all.

    Args:
        config: of the sweep.

    Raises:
        HydraException: if that cannot be, as where a key is unknown.
        InputError: if there is no job, or a group has no choice.
    """
    job = [_of_a_job(key, override) for key, override in _asked_of(config).items()]
    try:
        GlobalHydra.instance().config_loader().load_sweep_config(config, job)
    except ValueError as error:  # Hydra's own, of a group that is null
        raise InputError(f"the sweep cannot be started: {error}") from error


def swept(config: DictConfig) -> list[str]:
    """Return the keys whose values tell the jobs of a sweep apart.

    Args:
        config: of the sweep.
    """
    return [key for key, override in _asked_of(config).items() if override.is_sweep_override()]


def _asked_of(config: DictConfig) -> dict[str, Override]:
    params = OmegaConf.select(config, "hydra.sweeper.params")
    return asked(params, config.hydra.overrides.task, GlobalHydra.instance().config_loader())


def _of_a_job(key: str, override: Override) -> str:
    if override.is_discrete_sweep():
        for value in override.sweep_string_iterator():
            return f"{key}={value}"
        raise InputError(f"{override.input_line}: there is nothing to sweep over")
    if override.is_interval_sweep():
        return f"{key}={override.value().start}"
    return str(override.input_line)
