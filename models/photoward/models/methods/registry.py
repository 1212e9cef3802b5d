"""Name → method; ``core.catalogue.METHODS`` tells the same names to people."""

from __future__ import annotations

from typing import TYPE_CHECKING

from photoward.models.methods.cuda import CUDA
from photoward.models.methods.em import EM
from photoward.models.methods.rem import REM
from photoward.models.methods.sem import SEM
from photoward.models.methods.sem_cuda import SEMOverCUDA

if TYPE_CHECKING:
    from photoward.models.methods.base import Method

METHODS: dict[str, type[Method]] = {
    method.name: method for method in (SEM, CUDA, SEMOverCUDA, EM, REM)
}
