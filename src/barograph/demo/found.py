"""What became of the troubles of a story: which were found, after how long, and whether the healthy were left alone."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any  # Any: JSON values

from barograph.demo.play import Found, Seen, clock, days
from barograph.demo.story import Story, Trouble


def outcome(
    stories: Sequence[Story], seen: Seen, states: Mapping[str, Mapping[str, Any]]
) -> tuple[list[str], list[str]]:
    """Return the lines that say what was found and what was left alone, and the reasons why that is not all right."""
    lines: list[str] = []
    wrong: list[str] = []
    for story in stories:
        state = states[story.model]
        for trouble in story.troubles:
            line, is_found = _of(trouble, seen.found.get((story.model, trouble)))
            lines.append(f"{story.model}: {line}")
            if not is_found:
                wrong.append(f"{story.model}: nobody noticed that {trouble.title}")
        if not story.troubles:
            lines.append(f"{story.model}: {state['judgement']}, left alone. {state['verdict']}")
            wrong += _of_healthy(story, seen, state)
    return lines, wrong


def _of(trouble: Trouble, found: Found | None) -> tuple[str, bool]:
    origin = "in the data" if trouble.real else "put there"
    began = f"{trouble.title} ({origin}, since {clock(trouble.since)[:10]})"
    if found is None:
        return f"NOT FOUND: {began}", False
    where = " in its past" if found.at is None else ""
    after = (found.at or found.fired_at) - trouble.since
    return f"found{where} {days(after)} after it began ({found.severity}): {began}", True


def _of_healthy(story: Story, seen: Seen, state: Mapping[str, Any]) -> Iterator[str]:
    if state["judgement"] != "well":
        yield f"{story.model} has no trouble, and is said to be {state['judgement']}: {state['verdict']}"
    for title in seen.loud.get(story.model, ()):
        yield f"{story.model} has no trouble, and was said to have one: {title}"
