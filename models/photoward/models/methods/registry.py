"""Name → method; ``core.catalogue.METHODS`` tells the same names to people."""

from __future__ import annotations

from typing import TYPE_CHECKING

from photoward.core.catalogue import HOSTED
from photoward.models.methods.cuda import CUDA
from photoward.models.methods.em import EM
from photoward.models.methods.rem import REM
from photoward.models.methods.sem import SEM, SURVIVING
from photoward.models.methods.sem_cuda import SEMOverCUDA

if TYPE_CHECKING:
    from photoward.models.methods.base import Method
    from photoward.models.surrogates.surrogate import Surrogate

METHODS: dict[str, type[Method]] = {
    method.name: method for method in (SEM, CUDA, SEMOverCUDA, EM, REM)
}


def make(name: str, surrogate: Surrogate, preset: str | None = None) -> Method:
    """The method of this name, with the schedule of the preset.

    Raises:
        KeyError: no such method.
    """
    method = METHODS[name]
    if preset == HOSTED and issubclass(method, SEM | SEMOverCUDA):
        return method(surrogate, SURVIVING)
    return method(surrogate)
