"""What the client has to say, to the log `barograph.sdk`. `logging` is loaded when there is something."""

from __future__ import annotations


def warn(text: str, *values: object) -> None:
    """Write a warning."""
    import logging

    logging.getLogger("barograph.sdk").warning(text, *values)


def fault(text: str) -> None:
    """Write that this code failed, and how: the exception that is handled now."""
    import logging

    logging.getLogger("barograph.sdk").exception(text)
