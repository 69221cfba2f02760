"""E-mail: a message over SMTP, as text and HTML; what is about one trouble is one conversation."""

from __future__ import annotations

import re
import smtplib
import socket
import ssl
from datetime import datetime
from email.message import EmailMessage
from email.policy import SMTP
from email.utils import format_datetime, formataddr, parseaddr
from hashlib import sha256
from html import escape
from typing import Annotated, Any, Literal  # Any: what stands in a file

from pydantic import AfterValidator, BeforeValidator, Field

from barograph.delivery.message import Kind, Message, shortened
from barograph.delivery.receivers import Receiver, receiver
from barograph.delivery.secret import SecretRef
from barograph.delivery.wire import SAID, Wire, tls_over
from barograph.errors import DeliveryError

_MAILBOX = r"[^\s@<>,;:\"()\[\]\\]+@[a-z0-9](?:[a-z0-9.-]*[a-z0-9])?"
_ADDRESS = re.compile(rf"{_MAILBOX}|[^@<>,;:\"\\\x00-\x1f\x7f]*<{_MAILBOX}>", re.IGNORECASE)
_PORTS = {"starttls": 587, "tls": 465, "none": 25}
_SUBJECT_CHARACTERS = 200
_DIGEST_CHARACTERS = 50_000  # that a digest as plain text has: it is read at leisure
_CHART = "chart@barograph"  # the name by which the text of a mail shows its picture
_COLOURS = {"notice": "#4c78a8", "warning": "#d98c00", "critical": "#c0392b"}


def _address(value: str) -> str:
    if not _ADDRESS.fullmatch(value) or not parseaddr(value)[1].isascii():
        raise ValueError("This must be an address, as in 'ops@example.org' or 'Ops <ops@example.org>'.")
    return value


def _addresses(value: Any) -> Any:
    return [value] if isinstance(value, str) else value


Address = Annotated[str, AfterValidator(_address)]


@receiver("email")
class Email(Receiver):
    """Send from `sender` to `to` by the SMTP server `host`, with `security` "starttls", "tls" or "none".

    `none` speaks in plain text, which is allowed to networks in `allow` alone. `username` and `password` are for
    servers that ask for them. With `chart`, a mail of what fires shows what is worst. `Message-ID` follows from the
    message's key, so that one that came twice has one id; `References` from the thread.
    """

    host: str
    port: Annotated[int, Field(ge=1, le=65_535)] | None = None
    security: Literal["starttls", "tls", "none"] = "starttls"
    username: str | None = None
    password: SecretRef | None = None
    sender: Address
    to: Annotated[tuple[Address, ...], BeforeValidator(_addresses), Field(min_length=1)]
    chart: bool = True

    def send(self, message: Message, wire: Wire, *, before: str | None) -> str:
        """Send a mail; return the id of the first one of its thread."""
        domain = parseaddr(self.sender)[1].rpartition("@")[2]
        image = wire.picture() if self.chart and message.is_open and message.incident is not None else None
        mail = compose(message, sender=self.sender, to=self.to, domain=domain, first=before, image=image)
        port = self.port or _PORTS[self.security]
        stop = None
        try:
            with wire.connected(self.host, port, plain=self.security == "none") as (connection, stop):
                sock = tls_over(connection, self.host) if self.security == "tls" else connection
                with _Smtp(self.host, sock) as smtp:
                    if self.security == "starttls":
                        smtp.starttls(context=ssl.create_default_context())
                    if self.username is not None:
                        smtp.login(self.username, wire.reveal(self.password) if self.password is not None else "")
                    smtp.send_message(mail)
        except smtplib.SMTPException as error:
            raise _failure(self.host, error) from None
        except OSError as error:
            late = (stop is not None and stop.is_set()) or isinstance(error, TimeoutError)
            why = "it took too long" if late else (error.strerror or "the connection failed").lower()[:SAID]
            raise DeliveryError(f"{self.host}: {why}.") from None
        return before or str(mail["Message-ID"])


class _Smtp(smtplib.SMTP):
    """A conversation over a socket that is there already: the name is not resolved again."""

    def __init__(self, host: str, connected: socket.socket) -> None:
        super().__init__(local_hostname="barograph.invalid")
        self._host = host  # the name for which the certificate must be good after STARTTLS
        self.sock = connected
        code, said = self.getreply()
        if code != 220:
            raise smtplib.SMTPConnectError(code, said)


def compose(
    message: Message,
    *,
    sender: str,
    to: tuple[str, ...],
    domain: str,
    first: str | None,
    image: bytes | None = None,
) -> EmailMessage:
    """Return a message as a mail, with texts for those who see HTML and those who do not; `image` is a PNG."""
    mail = EmailMessage(policy=SMTP)
    name = shortened(" ".join(f"[{message.tag}] {message.subject}".split()), _SUBJECT_CHARACTERS)
    mail["Subject"] = "".join(c if c.isprintable() else "\ufffd" for c in name)
    mail["From"] = formataddr(parseaddr(sender))
    mail["To"] = ", ".join(formataddr(parseaddr(one)) for one in to)
    mail["Date"] = format_datetime(datetime.fromisoformat(message.at))
    mail["Message-ID"] = f"<{message.key}@{domain}>"
    mail["Auto-Submitted"] = "auto-generated"
    thread = f"<{sha256(message.thread.encode()).hexdigest()[:32]}@{domain}>"
    mail["References"] = thread if first is None else f"{thread} {first}"
    if first is not None:
        mail["In-Reply-To"] = first
    mail["X-Barograph-Key"] = message.key
    mail.set_content(message.text(most=_DIGEST_CHARACTERS) if message.kind is Kind.DIGEST else message.text())
    mail.add_alternative(html_of(message, with_image=image is not None), subtype="html")
    if image is not None:
        html = mail.get_body(("html",))
        assert html is not None  # it was added above
        html.add_related(image, "image", "png", cid=f"<{_CHART}>", filename="chart.png", disposition="inline")
    return mail


def html_of(message: Message, *, with_image: bool = False) -> str:
    """Return a message as a page of 600 pixels; nothing in it is fetched, and nothing of its texts is markup."""
    colour = _COLOURS[message.severity] if message.is_open else "#2e8b57"
    cell = "padding:4px 12px 4px 0;vertical-align:top"
    name_cell, rows = f"{cell};color:#666;white-space:nowrap", ""
    for name, text in message.parts():
        rows += f'<tr><td style="{name_cell}">{escape(name)}</td><td style="{cell}">{escape(text)}</td></tr>'
    alt = escape(message.how_bad or message.what)
    image = f'<p><img src="cid:{_CHART}" alt="{alt}" style="max-width:100%"></p>' if with_image else ""
    link = f'<p><a href="{escape(message.link)}">Open in barograph</a></p>' if message.link else ""
    return (
        '<!doctype html><html><body style="font-family:sans-serif;font-size:14px;color:#222;max-width:600px;'
        'overflow-wrap:anywhere">'
        f'<p style="border-left:4px solid {colour};padding-left:10px;font-size:16px;margin:12px 0">'
        f'<span style="color:{colour}">{escape(message.tag)}</span><br><b>{escape(message.subject)}</b></p>'
        f'<table style="border-collapse:collapse;font-size:14px">{rows}</table>{image}{link}</body></html>'
    )


def _failure(host: str, error: smtplib.SMTPException) -> DeliveryError:
    code, said = 0, b""
    if isinstance(error, smtplib.SMTPRecipientsRefused) and error.recipients:
        codes = [code for code, _ in error.recipients.values()]
        code, said = min(codes), next(iter(error.recipients.values()))[1]
    elif isinstance(error, smtplib.SMTPResponseException):
        code, said = error.smtp_code, error.smtp_error if isinstance(error.smtp_error, bytes) else b""
    if isinstance(error, smtplib.SMTPAuthenticationError):
        return DeliveryError(f"{host}: it does not take the user name and password ({code}).")
    text = " ".join(said.decode("utf-8", "replace").split())[:SAID]
    text = "".join(c if c.isprintable() else "\ufffd" for c in text)
    why = f"it answers {code}" + (f" ({text})" if text else "") if code else type(error).__name__
    # Of the data: this mail is not wanted. Of sender or connection: the server may be asked to take it.
    return DeliveryError(f"{host}: {why}.", final=isinstance(error, smtplib.SMTPDataError) and code >= 550)
