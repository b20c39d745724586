"""What is a picture's fault ends as a refusal, also where a library says it by an exception of its own."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from imagemarket.imaging.errors import ImageNotProcessable
from imagemarket.imaging.sandbox import raised
from imagemarket.platform.errors import MarketError
from imagemarket.platform.telemetry import logger


def not_processable(step: str) -> ImageNotProcessable:
    """The refusal of a picture that the step fails on."""
    return ImageNotProcessable(
        f"The picture cannot be processed: the step {step} fails on it. That is a bug of ours, and it was"
        " reported. Saved anew, as a JPEG or PNG, the picture may pass."
    )


@contextmanager
def picture_work(step: str) -> Iterator[None]:
    """Around what libraries do with one picture's pixels, and nothing else.

    What they raise is no outage: it would come again with each try. It is written to the log as the bug that it is,
    and ends the image with a refusal that other bytes can mend (`ImageNotProcessable`). What a library says is left
    out, since it may quote the file, which knows where it was taken.
    """
    try:
        yield
    except MarketError:
        raise
    except Exception as error:  # noqa: BLE001 - of a library, in any way
        logger.error("a library failed on the picture", step=str(step), raised=raised(error))
        refusal = not_processable(step)
    else:
        return
    raise refusal
