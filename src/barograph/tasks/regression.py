"""A number: by how many minutes will the flight be late?"""

from __future__ import annotations

from barograph.tasks.facts import Facts, distance

FACTS = Facts(noun="a regression", classes=None, loss=distance, measure="mae", rises=True)
