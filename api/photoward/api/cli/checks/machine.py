"""Checks of ``photoward doctor``: the machine, the libraries, the surrogates.

A check changes nothing, reports faults instead of raising, and says what to do.
"""

from __future__ import annotations

import hashlib
import importlib.util
import os
import platform
import sys
from importlib.metadata import version
from pathlib import Path
from typing import TYPE_CHECKING

from photoward.api.cli.checks.result import CheckResult
from photoward.core.catalogue import FORMATS, read_cards
from photoward.core.imaging.sniff import HEIC_IS_READ
from photoward.core.networks import read_networks, read_sets

if TYPE_CHECKING:
    from collections.abc import Iterator

    from photoward.core.settings import Settings

LEAST_MEMORY_GIB = 3.0
"""Memory of API, queue and one worker with its decoders, for images of 50 megapixels."""
OLDEST_PYTHON = (3, 11)
DRIVERS = ("/dev/nvidiactl", "/dev/kfd", "/dev/dxg")
"""Device files of graphics drivers: NVIDIA, AMD, WSL."""
INSTALL_WORKER = "pip install 'photoward[worker]' where pictures are to be protected"


def machine() -> Iterator[CheckResult]:
    """Python, cores, memory, vector instructions."""
    recent = sys.version_info[:2] >= OLDEST_PYTHON
    yield CheckResult(
        "Python", recent, platform.python_version(), "" if recent else "Install Python 3.11."
    )
    yield CheckResult("Cores", ok=True, found=str(len(os.sched_getaffinity(0))))
    gib = os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE") / 2**30
    enough = gib >= LEAST_MEMORY_GIB
    remedy = (
        "" if enough else "Lower PHOTOWARD_IMAGING_MAX_MEGAPIXELS and PHOTOWARD_IMAGING_PROCESSES."
    )
    yield CheckResult("Memory", enough, f"{gib:.1f} GiB", remedy, needed=False)
    yield CheckResult("Processor", ok=True, found=_processor())


def libraries() -> Iterator[CheckResult]:
    """The worker's libraries; a machine that only runs the HTTP API works without them."""
    if importlib.util.find_spec("torch") is None:
        yield CheckResult("PyTorch", ok=False, found="missing", remedy=INSTALL_WORKER, needed=False)
    else:
        yield CheckResult("PyTorch", ok=True, found=f"{version('torch')}, {_device()}")
    if importlib.util.find_spec("PIL") is None:
        yield CheckResult("Pillow", ok=False, found="missing", remedy=INSTALL_WORKER, needed=False)
    else:
        yield _pillow()
    if importlib.util.find_spec("seccompy") is not None:
        yield _confinement()


def surrogates(settings: Settings) -> Iterator[CheckResult]:
    """Each surrogate's weights against the digest on its card."""
    try:
        cards = read_cards(settings.engine_surrogate_dirs)
        networks = read_networks(settings.engine_surrogate_dirs)
        read_sets(networks, settings.engine_surrogate_dirs)
    except (ValueError, OSError) as error:
        yield CheckResult(
            "Surrogates", ok=False, found=str(error), remedy="Mend or remove the card."
        )
        return
    if not cards:
        yield CheckResult("Surrogates", ok=False, found="none", remedy="Reinstall photoward.")
    for folder in settings.engine_surrogate_dirs:
        if not folder.is_dir():
            yield CheckResult(
                "Surrogates",
                ok=False,
                found=f"there is no folder {folder}",
                remedy="Correct PHOTOWARD_ENGINE_SURROGATE_DIRS: folders, separated by commas.",
            )
    for name, (card, weights) in cards.items():
        intact = weights.exists() and _sha256(weights) == card.sha256
        found = f"{card.architecture}, {card.size} px" if intact else f"{weights}: not as its card"
        yield CheckResult(
            f"Surrogate {name}", intact, found, "" if intact else "Fetch or train it again."
        )
    for name, (network, weights) in networks.items():
        intact = weights.exists() and _sha256(weights) == network.sha256
        found = f"{network.builder}, {network.size} px" if intact else f"{weights}: not as its card"
        yield CheckResult(f"Network {name}", intact, found, "" if intact else "Import it again.")


def _device() -> str:
    if any(Path(driver).exists() for driver in DRIVERS):
        import torch  # seconds; only where there may be something to tell

        if torch.cuda.is_available():
            return torch.cuda.get_device_name()
    return "no CUDA device, the processor is used"


def _pillow() -> CheckResult:
    import PIL
    from PIL import features

    codecs = {"jpeg": "jpg", "png": "zlib", "webp": "webp", "avif": "avif"}
    missing = [name for name in FORMATS if not features.check(codecs[name])]
    heic = "reads HEIC, too" if HEIC_IS_READ else "no HEIC: that needs photoward[heif]"
    return CheckResult(
        "Pillow",
        not missing,
        f"{PIL.__version__}, " + (f"cannot do {', '.join(missing)}" if missing else heic),
        "Install Pillow's own wheel: pip install --force-reinstall pillow" if missing else "",
    )


def _confinement() -> CheckResult:
    from photoward.core.imaging.sandbox import confinement

    missing = confinement.lacking()
    return CheckResult(
        "Confinement",
        not missing,
        f"there is no {' and no '.join(missing)}" if missing else "Landlock and seccomp",
        "Run workers on Linux 5.13 or newer with both: a decoder taken over has fewer fences here."
        if missing
        else "",
        needed=False,
    )


def _processor() -> str:
    fast = {"avx2": "AVX2", "avx512f": "AVX-512", "avx512_bf16": "AVX-512 bf16", "amx_bf16": "AMX"}
    try:
        flags = Path("/proc/cpuinfo").read_text().split()
    except OSError:
        return platform.machine()
    return ", ".join([platform.machine(), *(fast[flag] for flag in fast if flag in flags)])


def _sha256(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
