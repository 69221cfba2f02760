"""Plug-ins: installed packages that add metrics, rules, sources, receivers and decoders without touching barograph.

A package names its modules under the entry points `barograph.plugins`; to import them is to register what they hold.
`examples/barograph_example` is one.
"""

from __future__ import annotations

import logging
import pkgutil
from collections.abc import Iterable
from importlib import import_module
from importlib.metadata import entry_points
from threading import RLock

GROUP = "barograph.plugins"
_LOCK = RLock()  # others wait until all is loaded; what a plug-in itself asks for while it is loaded does not
_TRIED: list[str] | None = None


def load_all(package: str, path: Iterable[str]) -> None:
    """Import every module of a package, and what plug-ins bring: to import them is to register what they hold."""
    for module in pkgutil.walk_packages(path, f"{package}."):
        import_module(module.name)
    load_plugins()


def load_plugins() -> tuple[str, ...]:
    """Import every installed plug-in, once in a process, and return the names of those tried.

    Every registry calls this before it lists what it has. One that fails is left out with one warning that names it,
    on the logger `barograph.plugins`, which reaches the standard error stream and the log of the service.
    """
    global _TRIED
    with _LOCK:
        if _TRIED is not None:
            return tuple(_TRIED)
        _TRIED = []
        for point in sorted(entry_points(group=GROUP), key=lambda point: (point.name, point.value)):
            _TRIED.append(point.name)
            try:
                point.load()
            except (Exception, SystemExit) as error:  # code of others: whatever it raises, the rest must work
                _warn(point.name, point.value, f"{type(error).__name__}: {error}")
        return tuple(_TRIED)


def _warn(name: str, module: str, reason: str) -> None:
    logging.getLogger(GROUP).warning(
        "The plug-in %r (%s) cannot be used: %s. Mend or uninstall the package that brings it.", name, module, reason
    )
