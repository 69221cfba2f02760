"""Log what a model says from the process that serves it. The standard library alone, Python 3.9 or newer.

::

    client = Client("http://127.0.0.1:8321", model="flights")
    id = client.log(features={"distance": 1400, "carrier": "UA"}, score=0.71)
    client.label(id, 1)  # whenever it is known

A call puts the event into a bounded queue and returns; a thread sends. Nothing raises into the caller, and nothing
waits for the network. The same code is the package `barograph.sdk` and, alone in the wheel `barograph-sdk`,
`barograph_sdk`.
"""

from __future__ import annotations

from .client import Client
from .counts import Counts

__all__ = ["Client", "Counts"]
