"""An optimizer of thumbor: what it makes is protected before it is stored and sent.

thumbor answers 500 and stores nothing when an optimizer raises; so no picture leaves unprotected.
"""

from __future__ import annotations

from functools import cache

from thumbor.config import Config
from thumbor.engines import BaseEngine
from thumbor.optimizers import BaseOptimizer
from thumbor.utils import logger

from photoward_client import Client, UnavailableError

GROUP = "Photoward"
Config.define("PHOTOWARD_URL", "http://127.0.0.1:8080", "Address of the service.", GROUP)
Config.define("PHOTOWARD_KEY", "", "API key, if the service asks for one.", GROUP)
Config.define("PHOTOWARD_OPTIONS", {}, "Options of the API, such as preset and label.", GROUP)
Config.define("PHOTOWARD_TIMEOUT", 30, "Seconds that a picture may take.", GROUP)


class Optimizer(BaseOptimizer):
    """``OPTIMIZERS = ["photoward_thumbor"]``: the last one, as those after it would change pixels.

    Give thumbor threads (``ENGINE_THREADPOOL_SIZE``), or it protects one picture after the other.
    """

    def run_optimizer(self, image_extension: str, buffer: bytes) -> bytes:
        """The protected picture; drawings (SVG) as they are.

        Raises:
            PhotowardError: why it is not protected; thumbor answers 500.
        """
        kind = BaseEngine.get_mimetype(buffer)
        if kind == "image/svg+xml":
            return buffer
        config = self.context.config
        _warn_once(int(config.ENGINE_THREADPOOL_SIZE or 0))
        client = Client(
            config.PHOTOWARD_URL, config.PHOTOWARD_KEY, timeout_s=float(config.PHOTOWARD_TIMEOUT)
        )
        answer = client.protect(buffer, **config.PHOTOWARD_OPTIONS)
        found = BaseEngine.get_mimetype(answer.content)
        if found != kind:
            raise UnavailableError(f"{image_extension} came back as {found}.")
        logger.debug("photoward: %d bytes became %d", len(buffer), len(answer.content))
        return answer.content


@cache
def _warn_once(threads: int) -> None:
    if threads < 1:
        words = "photoward: ENGINE_THREADPOOL_SIZE is 0, so one picture is made after the other"
        logger.warning(words)
