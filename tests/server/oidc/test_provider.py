"""What a hostile or broken provider may answer: each is refused, and for its reason."""

from __future__ import annotations

import hashlib
import hmac
import json
import threading
from base64 import urlsafe_b64encode
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any  # Any: JSON values

import pytest
from joserfc import jwk, jwt

from barograph.delivery.addresses import networks_of
from barograph.delivery.identity import Identity
from barograph.delivery.wire import Wire
from barograph.server.oidc.flow import begun
from barograph.server.oidc.provider import SKEW_S, Provider, Refused

KEY = jwk.RSAKey.generate_key(2048, {"kid": "one", "use": "sig"})
OTHER = jwk.RSAKey.generate_key(2048, {"kid": "one"})
PUBLIC = KEY.as_dict(private=False)
NOW_S = 1_800_000_000
ACCESS = "an-access-token"


@dataclass
class Evil:
    """A provider that answers what it is told to."""

    url: str
    says: dict[str, Any] = field(default_factory=dict)
    keys: list[Mapping[str, Any]] = field(default_factory=lambda: [PUBLIC])
    tokens: dict[str, Any] = field(default_factory=dict)
    user: dict[str, Any] = field(default_factory=dict)
    asked: list[str] = field(default_factory=list)

    def answer(self, path: str) -> object:
        self.asked.append(path)
        if path == "/.well-known/openid-configuration":
            ends = {"authorization": "auth", "token": "token", "userinfo": "me"}
            places = {f"{name}_endpoint": f"{self.url}/{end}" for name, end in ends.items()}
            return {"issuer": self.url, "jwks_uri": f"{self.url}/jwks", **places, **self.says}
        return {"/jwks": {"keys": self.keys}, "/token": self.tokens, "/me": self.user}[path]


@pytest.fixture
def evil() -> Iterator[Evil]:
    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.rfile.read(int(self.headers["Content-Length"]))
            body = json.dumps(made.answer(self.path)).encode()
            self.send_response(200)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        do_POST = do_GET  # noqa: N815

        def log_message(self, *_: object) -> None:
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        made = Evil(f"http://127.0.0.1:{server.server_port}")
        thread = threading.Thread(target=server.serve_forever, args=(0.01,))
        thread.start()
        yield made
        server.shutdown()
        thread.join()


class Sign:
    """One sign-in at an evil provider."""

    def __init__(self, evil: Evil, allowed: str = "127.0.0.0/8") -> None:
        self.evil, self.now_us = evil, NOW_S * 1_000_000
        wire = Wire(clock=lambda: self.now_us, allowed=networks_of([allowed]), seconds=5)
        self.provider = Provider(lambda: wire, back="https://us.test/oidc/callback", now_us=lambda: self.now_us)
        self.identity = Identity(issuer=evil.url, client="us")
        self.flow = begun("/", now_us=self.now_us)

    def claims(self, **more: Any) -> dict[str, Any]:
        half = hashlib.sha256(ACCESS.encode()).digest()[:16]
        good = {
            "iss": self.evil.url,
            "aud": "us",
            "sub": "ada",
            "exp": NOW_S + 300,
            "iat": NOW_S,
            "nonce": self.flow.nonce(self.identity),
            "at_hash": urlsafe_b64encode(half).rstrip(b"=").decode(),
            "groups": ["a", 7, "b"],
            "email": "ada@example.org",
        }
        return {name: value for name, value in (good | more).items() if value is not None}

    def ends(self, token: str | None = None, **answer: str) -> Any:
        self.evil.tokens = {"access_token": ACCESS, "id_token": token or signed(self.claims()), "token_type": "Bearer"}
        said = {"state": self.flow.state(self.identity), "code": "c", **answer}
        self.flow, before = begun("/", now_us=self.now_us), self.flow
        return self.provider.vouched(self.identity, before, said)


def signed(claims: dict[str, Any], key: Any = KEY, alg: str = "RS256", **header: Any) -> str:
    return jwt.encode({"alg": alg, "kid": "one", **header}, claims, key, algorithms=[alg])


def bare(claims: dict[str, Any], alg: str) -> str:
    parts = (json.dumps({"alg": alg, "kid": "one"}), json.dumps(claims))
    return ".".join(urlsafe_b64encode(part.encode()).rstrip(b"=").decode() for part in parts) + "."


def confused(claims: dict[str, Any], secret: bytes) -> str:
    start = bare(claims, "HS256")[:-1]
    mac = hmac.new(secret, start.encode(), hashlib.sha256).digest()
    return f"{start}.{urlsafe_b64encode(mac).rstrip(b'=').decode()}"


def test_a_good_answer_says_who_it_is(evil: Evil) -> None:
    sign = Sign(evil)
    found = sign.ends()
    assert (found.subject, found.names, found.groups) == (f"{evil.url} ada", ("ada@example.org", "ada"), {"a", "b"})
    assert sign.ends(signed(sign.claims(aud=["us", "them"], azp="us"))).subject == f"{evil.url} ada"
    assert evil.asked.count("/jwks") == 1  # keys are kept
    evil.user = {"sub": "ada", "groups": "one"}
    assert sign.ends(signed(sign.claims(groups=None))).groups == {"one"}
    found = sign.ends(signed(sign.claims(email_verified=False)))
    assert found.names == ("ada",)  # an address that anybody may claim is no name


@pytest.mark.parametrize(
    ("change", "why"),
    [
        ({"iss": "https://other.test"}, "iss"),
        ({"aud": "them"}, "aud"),
        ({"aud": ["us", "them"]}, "another client"),
        ({"azp": "them"}, "another client"),
        ({"exp": NOW_S - SKEW_S}, "exp"),
        ({"exp": None}, "exp"),
        ({"iat": NOW_S + SKEW_S + 1}, "iat|future"),
        ({"nbf": NOW_S + SKEW_S + 1}, "nbf|not yet"),
        ({"nonce": "of another sign-in"}, "nonce"),
        ({"nonce": None}, "nonce"),
        ({"sub": None}, "sub"),
        ({"at_hash": "of-another-token"}, "access token"),
    ],
)
def test_a_token_that_is_not_for_this_sign_in_is_refused(evil: Evil, change: dict[str, Any], why: str) -> None:
    sign = Sign(evil)
    with pytest.raises(Refused, match=why):
        sign.ends(signed(sign.claims(**change)))


def test_clocks_may_differ_by_a_minute(evil: Evil) -> None:
    sign = Sign(evil)
    sign.ends(signed(sign.claims(iat=NOW_S + SKEW_S)))
    sign.ends(signed(sign.claims(exp=NOW_S - SKEW_S + 1)))


def test_no_signature_but_one_of_the_providers_key_will_do(evil: Evil) -> None:
    sign = Sign(evil)
    own = jwk.OctKey.generate_key(256, {"kid": "one"})
    good = signed(sign.claims())
    for token in (
        bare(sign.claims(), "none"),
        bare(sign.claims(), "None"),
        confused(sign.claims(), KEY.as_pem(private=False)),  # the public key as a shared secret
        confused(sign.claims(), KEY.as_der(private=False)),
        signed(sign.claims(), own, "HS256"),
        signed(sign.claims(), OTHER),  # another key under the same name
        signed(sign.claims(), OTHER, jwk=OTHER.as_dict(private=False)),  # and in the token itself
        good[:-4] + "AAAA",
        good.rsplit(".", 1)[0] + ".",
        "a.b",
        "no token",
    ):
        with pytest.raises(Refused, match="ID token is not good"):
            sign.ends(token)
    evil.keys = [own.as_dict(private=True)]  # even where the provider publishes one
    sign = Sign(evil)
    with pytest.raises(Refused, match="ID token is not good"):
        sign.ends(signed(sign.claims(), own, "HS256"))


def test_an_answer_that_is_not_of_this_sign_in_asks_nobody(evil: Evil) -> None:
    sign = Sign(evil)
    state = sign.flow.state(sign.identity)
    for answer, why in (
        ({"state": "x"}, "state"),
        ({"iss": "https://other.test"}, "issuer"),
        ({"error": "access_denied"}, "access_denied"),
        ({"code": ""}, "no code"),
    ):
        with pytest.raises(Refused, match=why):
            sign.ends(**answer)
    assert "/token" not in evil.asked
    sign = Sign(evil)
    flow, state = sign.flow, sign.flow.state(sign.identity)
    sign.ends()
    sign.flow = flow
    with pytest.raises(Refused, match="used already"):
        sign.ends(state=state)
    other = sign.identity.model_copy(update={"issuer": "https://other.test"})
    assert flow.state(other) != state  # a sign-in begun with one provider does not end with another
    evil.says = {"authorization_response_iss_parameter_supported": True}
    with pytest.raises(Refused, match="issuer"):
        Sign(evil).ends()  # who says that it names itself, and does not


def test_a_provider_that_is_not_what_it_is_taken_for_is_refused(evil: Evil) -> None:
    for says, why in (
        ({"issuer": "https://other.test"}, "says that it is"),
        ({"code_challenge_methods_supported": ["plain"]}, "S256"),
        ({"authorization_endpoint": "javascript:alert(1)"}, "authorization_endpoint"),
        ({"authorization_endpoint": None}, "authorization_endpoint"),
        ({"jwks_uri": "file:///etc/passwd"}, "jwks_uri"),
        ({"jwks_uri": "http://169.254.169.254/keys"}, "link-local"),
    ):
        evil.says = says
        sign = Sign(evil)
        with pytest.raises(Refused, match=why):
            sign.provider.address(sign.identity, sign.flow)
    evil.says = {"token_endpoint": "http://[::ffff:169.254.169.254]/"}
    with pytest.raises(Refused, match="link-local"):
        Sign(evil).ends()
    evil.says, evil.keys = {}, [{"kty": "RSA"}]
    with pytest.raises(Refused, match="keys"):
        Sign(evil).ends()
    evil.keys, evil.user = [PUBLIC], {"sub": "somebody else", "groups": ["a"]}
    sign = Sign(evil)
    with pytest.raises(Refused, match="somebody else"):
        sign.ends(signed(sign.claims(groups=None)))


def test_a_provider_on_this_machine_is_asked_only_where_the_operator_says_so(evil: Evil) -> None:
    sign = Sign(evil, allowed="10.0.0.0/8")
    with pytest.raises(Refused, match="loopback"):
        sign.provider.address(sign.identity, sign.flow)
    assert evil.asked == []


def test_missing_keys_are_looked_for_once_a_minute(evil: Evil) -> None:
    sign = Sign(evil)
    new = jwk.RSAKey.generate_key(2048, {"kid": "two"})
    sign.ends()
    evil.keys = [new.as_dict(private=False)]
    for _ in range(3):
        with pytest.raises(Refused):
            sign.ends(signed(sign.claims(), new, kid="two"))
    assert evil.asked.count("/jwks") == 1
    sign.now_us += 60_000_000
    sign.ends(signed(sign.claims(), new, kid="two"))
    assert evil.asked.count("/jwks") == 2
