"""Where requests may not go: every way to say an address that is known to have fooled somebody."""

from __future__ import annotations

import socket
import ssl
import threading
import time
from collections.abc import Sequence
from ipaddress import ip_address
from typing import Any

import pytest
from sink import Sink

from barograph.delivery.addresses import networks_of, place_of, refusal, resolve
from barograph.delivery.wire import ANSWER_BYTES, Wire
from barograph.errors import DeliveryError, SpecError


def answering(*addresses: str) -> Any:
    """Return a resolver that gives these addresses for every name."""

    def lookup(host: str, port: int, **_: object) -> Sequence[Any]:
        try:
            ip_address(host)
            found: Sequence[str] = [host]
        except ValueError:
            found = addresses
        return [(0, 0, 0, "", (address, port)) for address in found]

    return lookup


def wire(*addresses: str, allow: Sequence[str] = (), seconds: float = 5.0) -> Wire:
    lookup = answering(*addresses) if addresses else socket.getaddrinfo
    return Wire(environment={}, clock=lambda: 0, allowed=networks_of(allow), seconds=seconds, lookup=lookup)


REFUSED = {
    "loopback": ("http://127.0.0.1/", ()),
    "the rest of loopback": ("http://127.8.9.1/", ()),
    "loopback by name": ("http://localhost/", ("127.0.0.1", "::1")),
    "IPv6 loopback": ("http://[::1]/", ()),
    "no address at all": ("http://0.0.0.0/", ()),
    "IPv6 unspecified": ("http://[::]/", ()),
    "private 10": ("http://10.0.0.1/", ()),
    "private 172": ("http://172.31.255.254/", ()),
    "private 192": ("http://192.168.1.1/", ()),
    "carrier NAT": ("http://100.64.0.1/", ()),
    "Alibaba's metadata": ("http://100.100.100.200/", ()),
    "metadata": ("http://169.254.169.254/latest/meta-data/", ()),
    "Azure's metadata": ("http://168.63.129.16/", ()),
    "AWS's metadata in IPv6": ("http://[fd00:ec2::254]/", ()),
    "metadata by name": ("http://metadata.google.internal/", ("169.254.169.254",)),
    "IPv6 link-local": ("http://[fe80::1]/", ()),
    "IPv6 unique local": ("http://[fc00::1]/", ()),
    "IPv6 site-local": ("http://[fec0::1]/", ()),
    "IPv4-mapped": ("http://[::ffff:127.0.0.1]/", ()),
    "IPv4-mapped in hex": ("http://[::ffff:7f00:1]/", ()),
    "IPv4-compatible": ("http://[::127.0.0.1]/", ()),
    "6to4": ("http://[2002:7f00:1::]/", ()),
    "NAT64": ("http://[64:ff9b::7f00:1]/", ()),
    "NAT64, local": ("http://[64:ff9b:1::a00:1]/", ()),
    "Teredo": ("http://[2001:0:7f00:1::1]/", ()),
    "multicast": ("http://224.0.0.1/", ()),
    "broadcast": ("http://255.255.255.255/", ()),
    "reserved": ("http://240.0.0.1/", ()),
    "documentation": ("http://192.0.2.1/", ()),
    "decimal": ("http://2130706433/", ()),
    "hexadecimal": ("http://0x7f000001/", ()),
    "octal": ("http://0177.0.0.1/", ()),
    "short": ("http://127.1/", ()),
    "hexadecimal parts": ("http://0x7f.0.0.0x1/", ()),
    "with a dot behind": ("http://127.0.0.1./", ()),
    "full-width digits": ("http://１２７.0.0.1/", ()),
    "circled digits": ("http://①②⑦.0.0.1/", ()),
    "a name with several answers": ("https://both.example/", ("93.184.216.34", "10.0.0.1")),
    "a user that looks like a host": ("https://example.org@127.0.0.1/", ()),
    "a backslash": ("https://example.org\\@127.0.0.1/", ()),
    "a line break": ("https://example.org/\r\nHost: 127.0.0.1", ()),
    "another scheme": ("file:///etc/passwd", ()),
    "gopher": ("gopher://127.0.0.1/", ()),
    "no host": ("https:///x", ()),
    "a zone": ("http://[fe80::1%25eth0]/", ()),
}


@pytest.mark.parametrize("kind", REFUSED)
def test_nothing_is_sent_to(kind: str, monkeypatch: pytest.MonkeyPatch) -> None:
    def connect(*_: object, **__: object) -> socket.socket:
        raise AssertionError("it was connected to")

    monkeypatch.setattr(socket, "create_connection", connect)
    url, addresses = REFUSED[kind]
    with pytest.raises(DeliveryError):
        wire(*(addresses or ("93.184.216.34",))).post(url, b"{}")


def test_public_addresses_are_sent_to() -> None:
    for text in (
        "93.184.216.34",
        "8.8.8.8",
        "2606:2800:220:1::1",
        "::ffff:8.8.8.8",
        "64:ff9b::808:808",
        "2002:808:808::",
    ):
        assert refusal(ip_address(text)) is None, text


def test_the_operator_allows_networks_also_as_they_are_written_in_ipv6() -> None:
    allowed = networks_of(["10.1.0.0/16", "fd00::/8"])
    for text in ("10.1.2.3", "::ffff:10.1.2.3", "fd00::1"):
        assert refusal(ip_address(text), allowed) is None, text
    for text in ("10.2.0.1", "::ffff:10.2.0.1", "127.0.0.1", "fe80::1"):
        assert refusal(ip_address(text), allowed) is not None, text
    with pytest.raises(SpecError, match="network"):
        networks_of(["10.1.0.0/33"])


def test_a_name_is_resolved_once_and_what_was_checked_is_connected_to(sink: Sink) -> None:
    """A server of names that says another address a moment later (rebinding) is never asked again."""
    asked = []

    def lookup(host: str, port: int, **_: object) -> Sequence[Any]:
        asked.append(host)
        address = "127.0.0.1" if len(asked) == 1 else "127.0.0.2"
        return [(0, 0, 0, "", (address, port))]

    port = sink.url.rpartition(":")[2]
    out = Wire(environment={}, clock=lambda: 0, allowed=networks_of(["127.0.0.1"]), lookup=lookup)
    out.post(f"http://rebinding.example:{port}/x?y=1", b"{}")
    assert asked == ["rebinding.example"]
    (taken,) = sink.taken
    assert (taken.path, taken.headers["host"]) == ("/x?y=1", f"rebinding.example:{port}")
    with pytest.raises(DeliveryError, match=r"127\.0\.0\.2 is loopback"):
        out.post(f"http://rebinding.example:{port}/", b"{}")
    assert len(sink.taken) == 1


def test_redirects_are_not_followed(sink: Sink) -> None:
    sink.answer(307, Location="http://169.254.169.254/latest/meta-data/")
    with pytest.raises(DeliveryError, match=r"redirects to 169\.254\.169\.254") as failed:
        wire(allow=["127.0.0.0/8"]).post(sink.url, b"{}")
    assert not failed.value.final
    assert len(sink.taken) == 1


def test_plain_http_goes_only_where_the_operator_allows(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(socket, "create_connection", lambda *_, **__: pytest.fail("it was connected to"))
    with pytest.raises(DeliveryError, match="plain text"):
        wire("93.184.216.34").post("http://example.org/", b"{}")


def test_no_more_of_an_answer_is_read_than_is_needed(sink: Sink) -> None:
    sink.answer(200, b"x" * (ANSWER_BYTES * 4))
    assert len(wire(allow=["127.0.0.0/8"]).post(sink.url, b"{}").body) == ANSWER_BYTES


def test_a_proxy_of_the_environment_is_not_used(sink: Sink, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("http_proxy", "HTTP_PROXY", "ALL_PROXY"):
        monkeypatch.setenv(name, "http://127.0.0.1:9")
    wire(allow=["127.0.0.0/8"]).post(sink.url, b"{}")
    assert len(sink.taken) == 1


@pytest.mark.parametrize("how", ["never answers", "drips its head", "drips its body"])
def test_an_attempt_ends_in_time_whatever_the_other_side_does(how: str) -> None:
    done = threading.Event()
    with socket.create_server(("127.0.0.1", 0)) as listening:

        def serve() -> None:
            connection, _ = listening.accept()
            with connection:
                if how == "drips its body":
                    connection.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 100000\r\n\r\n")
                while not done.wait(0.05):
                    try:
                        connection.sendall(b"" if how == "never answers" else b"H" if "head" in how else b"x")
                    except OSError:
                        return

        thread = threading.Thread(target=serve)
        thread.start()
        began = time.monotonic()
        out, url = wire(allow=["127.0.0.0/8"], seconds=1.5), f"http://127.0.0.1:{listening.getsockname()[1]}/"
        if how == "drips its body":  # it has said that it took the message
            assert out.post(url, b"{}").status == 200
        else:
            with pytest.raises(DeliveryError, match="too long"):
                out.post(url, b"{}")
        done.set()
        thread.join()
    assert time.monotonic() - began < 5


def test_tls_is_checked_by_the_name_not_the_address(monkeypatch: pytest.MonkeyPatch) -> None:
    """The socket goes to the checked address, the certificate must be good for the name."""
    seen: list[str | None] = []

    class Context:
        def wrap_socket(self, sock: socket.socket, *, server_hostname: str | None) -> socket.socket:
            seen.append(server_hostname)
            raise ssl.SSLCertVerificationError("certificate verify failed")

    monkeypatch.setattr(ssl, "create_default_context", Context)
    with socket.create_server(("127.0.0.1", 0)) as listening:
        port = listening.getsockname()[1]
        with pytest.raises(DeliveryError, match="TLS failed"):
            wire("127.0.0.1", allow=["127.0.0.1"]).post(f"https://hooks.example.org:{port}/", b"{}")
    assert seen == ["hooks.example.org"]


def test_what_a_place_is() -> None:
    place = place_of("https://Hooks.Example.org:8443/a/b?c=d#e")
    assert (place.host, place.port, place.target, place.authority) == (
        "hooks.example.org",
        8443,
        "/a/b?c=d",
        "hooks.example.org:8443",
    )
    assert place_of("https://[2606:2800:220:1::1]/").authority == "[2606:2800:220:1::1]"
    for url in ("https://a..b/", "https://-a/", "https://a_b-/", "https://x:0/", "https://x:99999/", "https://[::1/"):
        with pytest.raises(SpecError):
            place_of(url)


def test_a_name_without_an_answer_is_no_refusal() -> None:
    with pytest.raises(OSError, match="no address"):
        resolve("nowhere.example", 443, lookup=lambda *_, **__: [])


def test_an_answer_that_is_none_fails_as_one() -> None:
    with socket.create_server(("127.0.0.1", 0)) as listening:

        def serve() -> None:
            connection, _ = listening.accept()
            with connection:
                connection.recv(65_536)
                connection.sendall(b"SSH-2.0-OpenSSH_9.6\r\n")

        thread = threading.Thread(target=serve)
        thread.start()
        with pytest.raises(DeliveryError, match="does not speak HTTP"):
            wire(allow=["127.0.0.0/8"]).post(f"http://127.0.0.1:{listening.getsockname()[1]}/", b"{}")
        thread.join()
