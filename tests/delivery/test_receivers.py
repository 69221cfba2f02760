"""Every receiver, over the wire, to a server that takes what it sends: form, threads, ends and failures."""

from __future__ import annotations

import json
import re
import ssl
import sys
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from sink import Sink

from barograph.delivery.addresses import networks_of
from barograph.delivery.message import Kind, Message
from barograph.delivery.receivers import Receiver, kinds
from barograph.delivery.wire import Wire
from barograph.errors import DeliveryError

sys.path.append(str(Path(__file__).parent))
from post_box import Mailbox, mailbox_on_loopback

DOCUMENT = (Path(__file__).parents[2] / "docs" / "delivery.md").read_text("utf-8")
NASTY = "<script>alert(1)</script> <!channel> [x](javascript:1) & ROC\r\nBcc: eve@example.org"

TOLD = Message(
    kind=Kind.NEW,
    severity="critical",
    what="ROC AUC fell from 0.725 to 0.540 in the week of 2024-05-13",
    thread="1/abc",
    is_open=True,
    at="2024-05-20T10:00:00Z",
    key="k" * 32,
    how_bad="ROC AUC 0.540 (95 % interval 0.51 to 0.57; reference 0.725; limit 0.69).",
    since="2024-05-13T00:00:00Z",
    cause="the drift of x",
    advice="Look at the rows of origin=JFK.",
    link="https://barograph.example.org/incidents/abc",
    incident="abc",
    labels={
        "model": ["flights"],
        "project": ["default"],
        "severity": ["critical"],
        "family": ["performance"],
        "owner": [""],
    },
)
OVER = replace(TOLD, kind=Kind.RESOLVED, is_open=False, key="r" * 32, until="2024-05-20T00:00:00Z")


def out(**environment: str) -> Wire:
    return Wire(
        environment=environment, clock=lambda: 1_716_199_200_000_000, allowed=networks_of(["127.0.0.0/8"]), seconds=5
    )


def made(kind: str, **said: Any) -> Receiver:
    return kinds()[kind].model_validate(said)


def test_every_receiver_and_each_of_its_keys_is_documented() -> None:
    for kind, cls in kinds().items():
        assert f"### {kind}" in DOCUMENT
        part = DOCUMENT.split(f"### {kind}")[1].split("\n### ")[0]
        for name, field in cls.model_fields.items():
            assert f"`{field.alias or name}`" in part, (kind, name)


def test_pagerduty_triggers_and_resolves_one_incident_a_thread(sink: Sink) -> None:
    pager, wire = made("pagerduty", routing_key={"env": "KEY"}, url=sink.url), out(KEY="R0UTE")
    for message in (TOLD, replace(TOLD, kind=Kind.REMINDER), OVER):
        assert pager.send(message, wire, before=None) is None
    first, again, over = (taken.json for taken in sink.taken)
    assert [one["event_action"] for one in (first, again, over)] == ["trigger", "trigger", "resolve"]
    assert {one["dedup_key"] for one in (first, again, over)} == {"barograph/1/abc"}
    assert {one["routing_key"] for one in (first, again, over)} == {"R0UTE"}
    assert first["payload"]["severity"] == "critical"
    assert first["payload"]["summary"] == f"flights: {TOLD.what}"
    assert first["payload"]["source"] == "flights"
    assert list(first["payload"]["custom_details"])[:4] == ["How bad", "Since", "Probable cause", "What to do"]
    assert first["links"][0]["href"] == TOLD.link
    assert "payload" not in over


def test_alertmanager_is_told_what_fires_and_until_when(sink: Sink) -> None:
    manager = made("alertmanager", url=f"{sink.url}/", token={"env": "TOKEN"})
    for message in (TOLD, replace(TOLD, severity="warning"), OVER):
        manager.send(message, out(TOKEN="t"), before=None)
    assert {taken.path for taken in sink.taken} == {"/api/v2/alerts"}
    assert sink.taken[0].headers["authorization"] == "Bearer t"
    (first,), (milder,), (over,) = (taken.json for taken in sink.taken)
    assert first["labels"] == milder["labels"] == over["labels"]
    assert first["labels"] == {
        "alertname": "barograph",
        "thread": "1/abc",
        "model": "flights",
        "project": "default",
        "family": "performance",
    }
    assert first["startsAt"] == TOLD.since
    assert datetime.fromisoformat(first["endsAt"]) == datetime.fromisoformat(TOLD.at) + timedelta(hours=72)
    assert over["endsAt"] == OVER.at
    assert first["annotations"]["what_to_do"] == TOLD.advice


def test_slack_changes_its_message_in_place_and_says_what_is_new_in_its_thread(sink: Sink) -> None:
    slack, wire = made("slack", token={"env": "T"}, channel="#ops", url=sink.url), out(T="xoxb-1")
    said = json.dumps({"ok": True, "channel": "C1", "ts": "171.2"}).encode()
    sink.usual = (200, {}, said)
    before = slack.send(TOLD, wire, before=None)
    assert before == "C1 171.2"
    assert slack.send(OVER, wire, before=before) == before
    first, changed, news = sink.taken
    assert [taken.path for taken in sink.taken] == ["/chat.postMessage", "/chat.update", "/chat.postMessage"]
    assert first.headers["authorization"] == "Bearer xoxb-1"
    assert (first.json["channel"], first.json["metadata"]["event_payload"]["key"]) == ("#ops", TOLD.key)
    assert (changed.json["channel"], changed.json["ts"]) == ("C1", "171.2")
    assert ":white_check_mark:" in changed.json["blocks"][0]["text"]["text"]
    assert (news.json["thread_ts"], news.json["text"]) == ("171.2", f"Resolved: flights: {TOLD.what}")


def test_slack_writes_a_new_message_where_the_old_one_was_deleted(sink: Sink) -> None:
    slack = made("slack", token={"env": "T"}, channel="#ops", url=sink.url)
    sink.answer(200, b'{"ok": false, "error": "message_not_found"}')
    sink.answer(200, b'{"ok": true, "channel": "C1", "ts": "9"}')
    assert slack.send(OVER, out(T="t"), before="C1 1") == "C1 9"


@pytest.mark.parametrize(
    ("answer", "after_s"),
    [
        (b'{"ok": false, "error": "ratelimited"}', 30.0),
        (b'{"ok": false, "error": "invalid_auth"}', None),
        (b"<html>", None),
        (b"[]", None),
    ],
)
def test_what_slack_refuses_is_a_failure(sink: Sink, answer: bytes, after_s: float | None) -> None:
    slack = made("slack", token={"env": "T"}, channel="#ops", url=sink.url)
    sink.answer(200, answer)
    with pytest.raises(DeliveryError) as failed:
        slack.send(TOLD, out(T="xoxb-secret"), before=None)
    assert failed.value.after_s == after_s
    assert not failed.value.final
    assert "xoxb" not in str(failed.value)


def test_slack_by_an_incoming_webhook(sink: Sink) -> None:
    slack = made("slack", webhook={"env": "HOOK"})
    assert slack.send(replace(TOLD, what=NASTY), out(HOOK=f"{sink.url}/services/T/B/x"), before=None) is None
    said = sink.taken[0].json
    assert sink.taken[0].path == "/services/T/B/x"
    assert "<!channel>" not in json.dumps(said)
    assert "&lt;!channel&gt;" in said["blocks"][0]["text"]["text"]
    for wrong in ({}, {"token": {"env": "T"}}, {"webhook": {"env": "W"}, "token": {"env": "T"}, "channel": "c"}):
        with pytest.raises(ValueError, match="either `webhook`"):
            made("slack", **wrong)


def test_teams_is_sent_a_card(sink: Sink) -> None:
    teams = made("teams", webhook={"env": "HOOK"})
    teams.send(replace(TOLD, what=NASTY), out(HOOK=f"{sink.url}/workflows/x?sig=y"), before=None)
    card = sink.taken[0].json["attachments"][0]["content"]
    assert sink.taken[0].path == "/workflows/x?sig=y"
    assert [fact["title"] for fact in card["body"][1]["facts"]] == ["How bad", "Since", "Probable cause", "What to do"]
    assert "](" not in card["body"][0]["text"].replace("\\](", "")
    assert "<script>" not in card["body"][0]["text"]
    assert card["actions"][0]["url"] == TOLD.link


# E-mail


@pytest.fixture
def box() -> Iterator[Mailbox]:
    with mailbox_on_loopback() as one:
        yield one


def mail(box: Mailbox, **more: Any) -> Receiver:
    said = {"host": "127.0.0.1", "port": box.port, "security": "none", "sender": "Barograph <b@example.org>"}
    return made("email", **{**said, "to": ["ops@example.org", "Ada <ada@example.org>"], **more})


def test_a_mail_says_it_as_text_and_as_html(box: Mailbox) -> None:
    mail(box).send(TOLD, out(), before=None)
    (one,) = box.mails
    assert box.recipients == [["ops@example.org", "ada@example.org"]]
    assert one["Subject"] == f"[critical] flights: {TOLD.what}"
    assert one["Message-ID"] == f"<{TOLD.key}@example.org>"
    assert one["Auto-Submitted"] == "auto-generated"
    text, html = one.get_body(("plain",)), one.get_body(("html",))
    assert text is not None
    assert html is not None
    assert text.get_content().replace("\r\n", "\n").strip() == TOLD.text()
    order = [html.get_content().index(part) for part in (TOLD.what, TOLD.how_bad, TOLD.cause, TOLD.advice, TOLD.link)]
    assert order == sorted(order)
    assert not re.search(r"<(img|link|script|iframe)", html.get_content())  # nothing is fetched


def test_a_mail_of_what_fires_shows_its_chart(box: Mailbox) -> None:
    wire = replace(out(), picture=lambda: b"\x89PNG picture")
    mail(box).send(TOLD, wire, before=None)
    mail(box, chart=False).send(TOLD, wire, before=None)
    mail(box).send(OVER, wire, before=None)
    (with_chart, without, over) = box.mails
    (image,) = [part for part in with_chart.walk() if part.get_content_type() == "image/png"]
    assert image.get_content() == b"\x89PNG picture"
    html = with_chart.get_body(("html",))
    assert html is not None
    assert f'src="cid:{image["Content-ID"][1:-1]}"' in html.get_content()
    assert not [part for one in (without, over) for part in one.walk() if part.get_content_type() == "image/png"]


def test_mails_of_one_trouble_are_one_conversation(box: Mailbox) -> None:
    receiver = mail(box)
    first = receiver.send(TOLD, out(), before=None)
    assert receiver.send(OVER, out(), before=first) == first
    one, two = box.mails
    assert two["In-Reply-To"] == one["Message-ID"] == first
    assert one["References"] in two["References"]
    assert two["Subject"].startswith("[was critical] Resolved: ")


def test_no_name_can_add_a_header_or_markup_to_a_mail(box: Mailbox) -> None:
    mail(box).send(replace(TOLD, what=NASTY, cause=NASTY, link='https://x.example/"><script>'), out(), before=None)
    (one,) = box.mails
    assert one["Bcc"] is None
    assert box.recipients == [["ops@example.org", "ada@example.org"]]
    html = one.get_body(("html",))
    assert html is not None
    assert "<script>" not in html.get_content()
    for wrong in ("a@example.org\nBcc: e@example.org", "a@example.org, b@example.org", "nobody", "a@b@c", "a@"):
        with pytest.raises(ValueError, match="address"):
            mail(box, sender=wrong)


@pytest.mark.parametrize(
    ("answer", "final"),
    [("451 try later", False), ("550 no such content", True), ("554 spam", True), ("421 bye", False)],
)
def test_what_a_mail_server_refuses_is_a_failure(box: Mailbox, answer: str, final: bool) -> None:
    box.answers.append(answer)
    with pytest.raises(DeliveryError, match=r"127\.0\.0\.1: it answers") as failed:
        mail(box).send(TOLD, out(), before=None)
    assert failed.value.final is final
    assert box.mails == []


@pytest.mark.filterwarnings("ignore")  # the server warns of itself
def test_a_password_is_asked_for(tmp_path: Path) -> None:
    with mailbox_on_loopback(login=("ada", "pw")) as box:
        said = {"username": "ada", "password": {"env": "PW"}}
        with pytest.raises(DeliveryError, match="does not take the user name and password"):
            mail(box, **said).send(TOLD, out(PW="wrong"), before=None)
        mail(box, **said).send(TOLD, out(PW="pw"), before=None)
        assert len(box.mails) == 1


def certificate(folder: Path, name: str) -> tuple[Path, Path]:
    """Return a certificate for a name, signed by itself, and its key."""
    from cryptography import x509
    from cryptography.hazmat.primitives import hashes, serialization
    from cryptography.hazmat.primitives.asymmetric import ec
    from cryptography.x509.oid import NameOID

    key = ec.generate_private_key(ec.SECP256R1())
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
    now = datetime.now(UTC)
    made = (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(subject)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - timedelta(days=1))
        .not_valid_after(now + timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName([x509.DNSName(name)]), critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .sign(key, hashes.SHA256())
    )
    cert, private = folder / "cert.pem", folder / "key.pem"
    cert.write_bytes(made.public_bytes(serialization.Encoding.PEM))
    plain = serialization.NoEncryption()
    form = serialization.PrivateFormat.TraditionalOpenSSL
    private.write_bytes(key.private_bytes(serialization.Encoding.PEM, form, plain))
    return cert, private


def test_starttls_asks_for_a_certificate_that_is_good_for_the_name(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    cert, key = certificate(tmp_path, "mail.example.org")
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(cert, key)

    def lookup(host: str, port: int, **_: object) -> list[Any]:
        return [(0, 0, 0, "", ("127.0.0.1", port))]

    with mailbox_on_loopback(context=context) as box:
        wire = replace(out(), lookup=lookup)
        with pytest.raises(DeliveryError):
            mail(box, host="mail.example.org", security="starttls").send(TOLD, wire, before=None)  # nobody knows it
        monkeypatch.setenv("SSL_CERT_FILE", str(cert))
        with pytest.raises(DeliveryError):
            mail(box, host="other.example.org", security="starttls").send(TOLD, wire, before=None)
        assert box.mails == []
        mail(box, host="mail.example.org", security="starttls").send(TOLD, wire, before=None)
        assert len(box.mails) == 1


@pytest.mark.filterwarnings("ignore:.imghdr. is deprecated:DeprecationWarning")  # which Apprise imports
def test_apprise_sends_to_kinds_that_are_allowed_alone(sink: Sink) -> None:
    pytest.importorskip("apprise")
    place = f"json://{sink.url.removeprefix('http://')}/taken"
    made("apprise", url={"env": "U"}, schemes=["json"]).send(TOLD, out(U=place), before=None)
    (taken,) = sink.taken
    assert (taken.path, taken.json["type"]) == ("/taken", "failure")
    assert f"{taken.json['title']}\n{taken.json['message']}" == TOLD.text()
    for url, schemes, why in (
        (place, ["tgram"], "none of the kinds tgram"),
        ("json://", ["json"], "no URL of the kind 'json'"),
        ("json://127.0.0.1:1/hunter2", ["json"], "has not taken the message"),
    ):
        with pytest.raises(DeliveryError, match=why) as failed:
            made("apprise", url={"env": "U"}, schemes=schemes).send(TOLD, out(U=url), before=None)
        assert "hunter2" not in str(failed.value)
    assert len(sink.taken) == 1
