"""The routes, one file a noun: each has a `router`, and is found by being here."""

from __future__ import annotations

import pkgutil
from importlib import import_module

ROUTERS = tuple(import_module(f"{__name__}.{found.name}").router for found in pkgutil.iter_modules(__path__))
