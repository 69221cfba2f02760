"""What became of what was logged."""

from __future__ import annotations

from typing import NamedTuple


class Counts(NamedTuple):
    """Rows (events and labels together) of one process since its start, or since it was forked.

    When nothing is under way, `logged = delivered + rejected + dropped + queued + spilled`, but for rows that another
    process left in the folder and this one has taken over: these are in `adopted`, too.
    """

    logged: int  # calls
    delivered: int  # the server has them on its disk
    rejected: int  # the server has told why it does not take them, and keeps them in its quarantine
    queued: int  # in memory
    spilled: int  # in the folder, to be delivered when the server is back
    dropped_queue: int  # older ones that went for newer ones when the queue was full
    dropped_spill: int  # older ones that went for newer ones when the folder was full
    dropped_unsendable: int  # too large for the server, or no JSON could be made of them
    dropped_refused: int  # in a request that the server refused for good
    adopted: int  # left in the folder by a process that ended

    @property
    def dropped(self) -> int:
        """Return how many rows were given up.

        >>> Counts(5, 1, 0, 0, 0, 2, 1, 0, 1, 0).dropped
        4
        """
        return self.dropped_queue + self.dropped_spill + self.dropped_unsendable + self.dropped_refused
