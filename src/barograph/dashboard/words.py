"""How the pages say states, spans and times: one word for one thing, the same on every page."""

from __future__ import annotations

from barograph.alerts.condition import Judgement, Lifecycle
from barograph.chunks import parse_chunk_rule

# The look of a state. What is not known is never shown as if it were well.
LOOKS = {
    Judgement.WELL: "well",
    Judgement.ATTENTION: "attention",
    Judgement.IN_TROUBLE: "trouble",
    Judgement.NOT_KNOWN: "unknown",
    Judgement.CANNOT_BE_EVALUATED: "trouble",
}


def look(lifecycle: Lifecycle, judgement: Judgement) -> str:
    """Return the class of a state's look: well, attention, trouble, unknown, or held by a person."""
    return "held" if lifecycle in (Lifecycle.PAUSED, Lifecycle.RETIRED) else LOOKS[judgement]


def state_word(lifecycle: Lifecycle, judgement: Judgement) -> str:
    """Return the state in a word or two.

    >>> state_word(Lifecycle.LIVE, Judgement.IN_TROUBLE), state_word(Lifecycle.PAUSED, Judgement.NOT_KNOWN)
    ('in trouble', 'paused')
    """
    if lifecycle in (Lifecycle.PAUSED, Lifecycle.RETIRED, Lifecycle.NEW) and judgement is Judgement.NOT_KNOWN:
        return lifecycle.value
    return judgement.value


def chunk_noun(chunk: str) -> str:
    """Return what one chunk by a rule is called.

    >>> chunk_noun("1w"), chunk_noun("12h")
    ('week', '12-hour span')
    """
    return parse_chunk_rule(chunk).noun


def lasting(seconds: float) -> str:
    """Return how long something lasts, in its two largest units at most.

    >>> lasting(40), lasting(7_260), lasting(3 * 86_400 + 7_200), lasting(40 * 86_400)
    ('less than a minute', '2 h 1 min', '3 d 2 h', '40 d')
    """
    seconds = max(seconds, 0.0)
    days = int(seconds // 86_400)
    if days >= 730:
        return f"{days // 365} years"
    if days >= 10:
        return f"{days} d"
    hours, minutes = int(seconds % 86_400 // 3_600), int(seconds % 3_600 // 60)
    if days:
        return f"{days} d {hours} h" if hours else f"{days} d"
    if hours:
        return f"{hours} h {minutes} min" if minutes else f"{hours} h"
    return f"{minutes} min" if minutes else "less than a minute"


def change_words(before: float | None, now: float | None) -> str:
    """Return how many times as much it is now; "" where that says nothing.

    >>> change_words(10, 25), change_words(0, 3), change_words(4, 1)
    ('2.5 ×', '', '0.25 ×')
    """
    if before is None or now is None or before <= 0 or now < 0:
        return ""
    ratio = now / before
    return f"{ratio:.3g} ×"
