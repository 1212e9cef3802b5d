"""Name → method; ``core.catalogue.METHODS`` tells the same names to people."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from photoward.core.catalogue import HOSTED
from photoward.models.methods.anchor import Anchor, SEMAnchor
from photoward.models.methods.cuda import CUDA
from photoward.models.methods.descent import Descent
from photoward.models.methods.sem import EM, REM, SEM, SURVIVING
from photoward.models.methods.sem_cuda import SEMOverCUDA

if TYPE_CHECKING:
    from collections.abc import Sequence

    from photoward.models.methods.base import Method
    from photoward.models.surrogates.pretrained import PretrainedNetwork
    from photoward.models.surrogates.surrogate import Surrogate

METHODS: dict[str, type[Method]] = {
    method.name: method for method in (SEMAnchor, Anchor, SEM, CUDA, SEMOverCUDA, EM, REM)
}


def make(
    name: str,
    surrogate: Surrogate,
    preset: str | None = None,
    networks: Sequence[PretrainedNetwork] = (),
) -> Method:
    """The method of this name, with the schedule of the preset.

    Raises:
        KeyError: no such method.
        ValueError: it needs pretrained networks and is given none.
    """
    method = METHODS[name]
    if preset == HOSTED and method is SEM:
        return SEM(surrogate, schedule=SURVIVING)
    if preset == HOSTED and method is SEMOverCUDA:
        return SEMOverCUDA(surrogate, schedule=SURVIVING)
    made = method(surrogate, networks)
    if preset == HOSTED and isinstance(made, Descent):
        made.schedule = replace(made.schedule, jpeg_share=SURVIVING.jpeg_share)
    return made
