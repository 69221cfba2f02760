"""Where requests may go: never to this machine, its neighbours or a cloud's metadata, unless the operator allows it."""

from __future__ import annotations

import re
import socket
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_address, ip_network
from typing import Any, TypeAlias  # Any: what `socket.getaddrinfo` returns
from urllib.parse import urlsplit

from barograph.errors import SpecError

Address: TypeAlias = IPv4Address | IPv6Address
Network: TypeAlias = IPv4Network | IPv6Network
Lookup: TypeAlias = Callable[..., Sequence[Any]]

_NUMBERS = re.compile(r"(0x[0-9a-f]*|[0-9]+)(\.(0x[0-9a-f]*|[0-9]+)){0,3}\.?", re.IGNORECASE)  # as C reads them
_NAME = re.compile(r"[a-z0-9_]([a-z0-9_.-]{0,251}[a-z0-9_])?", re.IGNORECASE)
_NAT64 = (IPv6Network("64:ff9b::/96"), IPv6Network("64:ff9b:1::/48"))
_COMPATIBLE = IPv6Network("::/96")
_METADATA = frozenset({IPv4Address("168.63.129.16")})  # Azure's, the only one in the public range
_PORTS = {"https": 443, "http": 80}


@dataclass(frozen=True, slots=True, kw_only=True)
class Place:
    """Where a URL points to. `target` is the path with the query, which may be secret."""

    scheme: str
    host: str
    port: int
    target: str

    @property
    def authority(self) -> str:
        """Return what the header Host says."""
        host = f"[{self.host}]" if ":" in self.host else self.host
        return host if self.port == _PORTS[self.scheme] else f"{host}:{self.port}"


def place_of(url: str) -> Place:
    """Return where a URL points to.

    Raises SpecError for what is none, is neither https nor http, names a user, or writes an address in a way that
    programs read differently. The URL is not repeated in the message: its path may be the secret.

    >>> place_of("https://hooks.example.org/x?y=1").authority
    'hooks.example.org'
    >>> place_of("http://0x7f.1/")
    Traceback (most recent call last):
    barograph.errors.SpecError: The host of a URL is a name, or an address in its usual form. Got '0x7f.1'.
    """
    if not url.isascii() or re.search(r"[\x00-\x20\x7f\\]", url):
        raise SpecError("A URL has ASCII characters alone, without spaces, backslashes and control characters.")
    try:
        parts = urlsplit(url)
        host, port = parts.hostname or "", parts.port
    except ValueError:
        raise SpecError("This URL cannot be read.") from None
    if parts.scheme not in _PORTS:
        raise SpecError(f"A URL begins with https:// or http://. Got {parts.scheme[:20]!r} in front.")
    if parts.username is not None or parts.password is not None:
        raise SpecError("A URL must not name a user or a password. Give them as a secret of their own.")
    check_host(host)
    if port == 0:
        raise SpecError("A URL must not have port 0.")
    target = (parts.path or "/") + (f"?{parts.query}" if parts.query else "")
    return Place(scheme=parts.scheme, host=host, port=port or _PORTS[parts.scheme], target=target)


def check_host(host: str) -> None:
    """Raise SpecError unless this is a name of a host, or an address in its usual form."""
    try:
        ip_address(host)
    except ValueError:
        if _NUMBERS.fullmatch(host) or not _NAME.fullmatch(host) or ".." in host:
            raise SpecError(
                f"The host of a URL is a name, or an address in its usual form. Got {host[:100]!r}."
            ) from None


def networks_of(texts: Iterable[str]) -> tuple[Network, ...]:
    """Return networks such as `10.0.0.0/8` or a single address; raise SpecError for what is none."""
    found = []
    for text in texts:
        try:
            found.append(ip_network(text))
        except ValueError:
            raise SpecError(f"This must be a network as in '10.0.0.0/8', or an address. Got {text!r}.") from None
    return tuple(found)


def refusal(address: Address, allowed: Sequence[Network] = ()) -> str | None:
    """Return why nothing may be sent to an address; None if it may.

    An IPv6 address that stands for an IPv4 one (mapped, 6to4, Teredo, NAT64) is judged by both. `allowed` networks are
    the operator's word, for the address as it is written or for the one that it stands for.

    >>> refusal(ip_address("::ffff:169.254.169.254")), refusal(ip_address("93.184.216.34"))
    ('169.254.169.254 is link-local', None)
    """
    for one in _meant(address):
        if any(one in network for network in allowed if network.version == one.version):
            return None
    return next((f"{one} is {why}" for one in _meant(address) if (why := _why(one)) is not None), None)


def _meant(address: Address) -> list[Address]:
    """Return the addresses that an address stands for, the innermost first."""
    if isinstance(address, IPv4Address):
        return [address]
    last = IPv4Address(int(address) & 0xFFFFFFFF)
    inner: list[Address] = []
    if address.ipv4_mapped is not None:
        inner.append(address.ipv4_mapped)
    elif address.sixtofour is not None:
        inner.append(address.sixtofour)
    elif address.teredo is not None:
        inner.extend(address.teredo)
    elif any(address in network for network in _NAT64) or (address in _COMPATIBLE and int(address) > 1):
        inner.append(last)
    return [*inner, address] if address.ipv4_mapped is None else inner


def _why(address: Address) -> str | None:
    if address in _METADATA:
        return "a metadata service"
    for said in ("unspecified", "loopback", "link_local", "multicast", "reserved", "private"):
        if getattr(address, f"is_{said}") and not (isinstance(address, IPv6Address) and _stands_for_another(address)):
            return said.replace("_", "-")
    if isinstance(address, IPv6Address) and address.is_site_local:
        return "private"
    return None if address.is_global or _stands_for_another(address) else "not public"


def _stands_for_another(address: Address) -> bool:
    """Return whether an address only wraps an IPv4 one, which is judged by itself."""
    return isinstance(address, IPv6Address) and len(_meant(address)) > 1


def resolve(
    host: str, port: int, allowed: Sequence[Network] = (), *, lookup: Lookup = socket.getaddrinfo
) -> list[tuple[Address, bool]]:
    """Return the addresses of a host that may be connected to, each with whether the operator allowed it by name.

    One address that may not be makes the whole name refused: whoever answers for it decides which one comes first.
    What is connected to must be one of these addresses, not the name again, which may have another answer then.
    Raises OSError where the name has no answer, and SpecError where it is refused.
    """
    check_host(host)
    found = dict.fromkeys(str(row[4][0]) for row in lookup(host, port, type=socket.SOCK_STREAM))
    addresses = [ip_address(text) for text in found]
    if not addresses:
        raise OSError(f"{host} has no address")
    for address in addresses:
        why = refusal(address, allowed)
        if why is not None:
            raise SpecError(
                f"Nothing is sent to {host[:100]!r}: {why}. If it is meant, the operator adds its network to `allow`."
            )
    return [(address, _is_allowed(address, allowed)) for address in addresses]


def _is_allowed(address: Address, allowed: Sequence[Network]) -> bool:
    return any(one in n for one in _meant(address) for n in allowed if n.version == one.version)
