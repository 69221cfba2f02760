"""Passwords: which are refused, and how they are kept and compared."""

from __future__ import annotations

import re
import threading
import unicodedata
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from functools import cache
from typing import ParamSpec, TypeVar

from argon2 import PasswordHasher
from argon2.exceptions import InvalidHashError, VerificationError

from barograph.server.problems import Problem

P = ParamSpec("P")
R = TypeVar("R")
LEAST, MOST = 12, 200  # letters
AT_ONCE, WAITING = 2, 16  # requests with passwords that are worked on at once (64 MiB each), and that wait for it
_HASHER = PasswordHasher()  # argon2id with the second recommendation of RFC 9106
# Of what common passwords are made. Whatever is left when these, digits and signs are taken away must be long enough.
_COMMON = """
    password passwort passw0rd motdepasse contrasena qwertyuiop qwertzuiop qwerty qwertz azerty asdfghjkl asdfgh
    zxcvbnm yxcvbnm letmein welcome iloveyou admin administrator changeme secret trustno superman batman dragon
    monkey football baseball master sunshine princess shadow whatever freedom starwars pokemon computer internet
    summer winter spring autumn january february march april monday tuesday wednesday thursday friday saturday
    sunday default guest login test testing hello love baby angel barograph monitoring abc
""".split()  # noqa: SIM905 - a hundred quotes would hide them
_LEET = str.maketrans("013457@$!", "oieastasi")
_LEFT = 4  # letters that are left at least
_RUNS = "abcdefghijklmnopqrstuvwxyz", "01234567890", "qwertyuiopasdfghjklzxcvbnm", "qwertzuiopasdfghjklyxcvbnm"


def why_refused(password: str, name: str) -> str | None:
    """Return why a password cannot be one; None if it can.

    >>> why_refused("Password2024!!", "ada"), why_refused("correct horse battery", "ada")
    ('This is what many choose, or nearly so.', None)
    """
    text = _plain(password)
    if not LEAST <= len(text) <= MOST:
        return f"A password has {LEAST} to {MOST} letters."
    low = text.lower()
    parts = [part for part in re.split(r"[._+@-]", name.lower()) if len(part) > 2]
    if any(part in low for part in (name.lower(), *parts) if len(part) > 2) and len(low) < 2 * LEAST:
        return "It must not hold your name."
    if len(set(low)) < 5 or re.fullmatch(r"(.{1,6}?)\1+.{0,3}", low) or _is_run(low):
        return "This repeats itself, or goes along the alphabet or keyboard."
    core = re.sub(r"^[\W\d_]+|[\W\d_]+$", "", low)  # without the digits and signs around it
    if min(_left(core), _left(core.translate(_LEET))) < _LEFT:
        return "This is what many choose, or nearly so."
    return None


def hashed(password: str) -> str:
    """Return what is stored of a password."""
    return _HASHER.hash(_plain(password))


def matches(password: str, stored: str | None) -> bool:
    """Return whether this is the password that was stored; with None there is none, which takes as long to say."""
    try:
        _HASHER.verify(stored or _nobody(), _plain(password)[: 4 * MOST])
    except (VerificationError, InvalidHashError):
        return False
    return stored is not None


def is_old(stored: str) -> bool:
    """Return whether a password was stored with less than is asked for today."""
    return _HASHER.check_needs_rehash(stored)


class Turns:
    """Threads of their own for requests with passwords, which anybody may send: no other request waits for these.

    The queue is short, and who finds it full is sent away at once.
    """

    def __init__(self) -> None:
        self._threads = ThreadPoolExecutor(AT_ONCE, thread_name_prefix="passwords")
        self._places = threading.BoundedSemaphore(AT_ONCE + WAITING)

    def take(self, work: Callable[P, R], *args: P.args, **more: P.kwargs) -> Future[R]:
        """Have something done in its turn; raise Problem if there is no place in the queue."""
        if not self._places.acquire(blocking=False):
            detail = "Many people sign in at the moment. Try again in some seconds."
            raise Problem("unavailable", detail, headers={"Retry-After": "5"})
        done = self._threads.submit(work, *args, **more)
        done.add_done_callback(lambda _: self._places.release())  # also where nobody waits for it any more
        return done


TURNS = Turns()


def _plain(password: str) -> str:
    """Return a password in one form, however a keyboard composes its letters."""
    return unicodedata.normalize("NFKC", password.encode("utf-8", "replace").decode())


def _left(text: str) -> int:
    """Return how many letters are left of a text without its common words, digits and signs."""
    for word in sorted(_COMMON, key=len, reverse=True):
        text = text.replace(word, "")
    return sum(c.isalpha() for c in text)


def _is_run(text: str) -> bool:
    """Return whether a text goes along a row, up or down, for most of its length."""
    steps = {run[i : i + 2] for way in _RUNS for run in (way, way[::-1]) for i in range(len(run) - 1)}
    return sum(text[i : i + 2] in steps for i in range(len(text) - 1)) > 0.7 * (len(text) - 1)


@cache
def _nobody() -> str:
    return _HASHER.hash("nobody has this password")
