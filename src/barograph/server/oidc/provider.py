"""A provider of OpenID Connect as it says it is: where it is asked, with which keys it signs, what it says of somebody.

All requests leave through the wire: to checked addresses alone, in plain text only to networks that the operator
allows, without following redirects, bounded in size and time.
"""

from __future__ import annotations

import hashlib
import hmac
import json
import threading
from base64 import b64encode, urlsafe_b64encode
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any  # Any: JSON values
from urllib.parse import quote, urlencode

from joserfc import jwt
from joserfc.errors import InvalidKeyIdError, JoseError
from joserfc.jwk import KeySet

from barograph.delivery.addresses import place_of
from barograph.delivery.identity import Identity
from barograph.delivery.wire import Wire
from barograph.errors import DeliveryError, SpecError
from barograph.server.oidc.flow import LIFE_US, Flow

# Signatures that need a key which the provider alone has: `none` needs none, and for HS256 its public key would do.
ALGORITHMS = ("RS256", "PS256", "ES256", "RS384", "PS384", "ES384", "RS512", "PS512", "ES512")
SKEW_S = 60  # that the provider's clock may differ from ours
KEEP_US, AGAIN_US = 3_600_000_000, 60_000_000  # that keys are kept, and from one look for a new one to the next
_JSON = "application/json"


class Refused(Exception):  # noqa: N818  # an answer, not a fault
    """Nobody is vouched for. What is said is for the log: who asks is told less."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Vouched:
    """Whom a provider vouches for: `subject` is who they are to it, for ever; `names` what they might be called."""

    subject: str
    names: tuple[str, ...]
    groups: frozenset[str]


@dataclass(frozen=True, slots=True)
class _Known:
    """What a provider says of itself, since `at_us`."""

    issuer: str
    says: Mapping[str, Any]
    keys: KeySet
    at_us: int


class Provider:
    """Ask a provider. `wire` gives the way out as it is allowed now, `back` is where people come back."""

    def __init__(self, wire: Callable[[], Wire], *, back: str, now_us: Callable[[], int]) -> None:
        self._wire, self._back, self._now_us = wire, back, now_us
        self._known: _Known | None = None
        self._spent: dict[str, int] = {}  # states that came back, and when
        self._lock = threading.Lock()

    def address(self, identity: Identity, flow: Flow) -> str:
        """Return where the browser goes to be vouched for. Raises Refused."""
        says = self._of(identity).says
        methods = says.get("code_challenge_methods_supported", ["S256"])
        if "S256" not in methods:
            raise Refused(f"{identity.issuer} does not take PKCE with S256, without which codes can be stolen.")
        asked = {
            "response_type": "code",
            "client_id": identity.client,
            "redirect_uri": self._back,
            "scope": " ".join(identity.scopes),
            "state": flow.state(identity),
            "nonce": flow.nonce(identity),
            "code_challenge": flow.challenge(identity),
            "code_challenge_method": "S256",
        }
        return _with(_place(says, "authorization_endpoint"), asked)

    def farewell(self, identity: Identity, to: str) -> str | None:
        """Return where the browser ends its session with the provider; None if there is no such place."""
        says = self._of(identity).says
        if "end_session_endpoint" not in says:
            return None
        asked = {"client_id": identity.client, "post_logout_redirect_uri": to}
        return _with(_place(says, "end_session_endpoint"), asked)

    def vouched(self, identity: Identity, flow: Flow, answer: Mapping[str, str]) -> Vouched:
        """Return who somebody is, by what came back with their browser. Raises Refused, also if that is not sure."""
        if not hmac.compare_digest(answer.get("state", "").encode(), flow.state(identity).encode()):
            raise Refused("the state is not that of this browser")
        self._spend(answer["state"])
        says = self._of(identity).says
        by = answer.get("iss")
        if by != identity.issuer and (by is not None or says.get("authorization_response_iss_parameter_supported")):
            raise Refused("the answer comes from another issuer, or does not say from which")
        if "error" in answer or not answer.get("code"):
            raise Refused(f"the provider refuses: {answer.get('error', 'no code')[:100]!r}")
        tokens = self._exchanged(identity, says, flow, answer["code"])
        claims = self._claims(identity, says, flow, tokens)
        if identity.claim not in claims and "userinfo_endpoint" in says:
            headers = {"Authorization": f"Bearer {_string(tokens, 'access_token')}"}
            more = self._asked(_place(says, "userinfo_endpoint"), headers=headers)
            if more.get("sub") != claims["sub"]:
                raise Refused("the user's information is of somebody else")
            claims = {**more, **claims}
        return _vouched(identity, claims)

    def _spend(self, state: str) -> None:
        """Raise Refused for an answer that was here before; the provider refuses its code, too."""
        with self._lock:
            now_us = self._now_us()
            self._spent = {one: at_us for one, at_us in self._spent.items() if now_us - at_us <= LIFE_US}
            if state in self._spent:
                raise Refused("this answer was used already")
            self._spent[state] = now_us

    def _exchanged(self, identity: Identity, says: Mapping[str, Any], flow: Flow, code: str) -> Mapping[str, Any]:
        form = {
            "grant_type": "authorization_code",
            "code": code,
            "redirect_uri": self._back,
            "code_verifier": flow.verifier(identity),
        }
        headers: dict[str, str] = {}
        secret = None if identity.secret is None else self._wire().reveal(identity.secret)
        methods = says.get("token_endpoint_auth_methods_supported", ["client_secret_basic"])
        if secret is None:
            form["client_id"] = identity.client
        elif "client_secret_basic" in methods or "client_secret_post" not in methods:
            pair = f"{quote(identity.client, safe='')}:{quote(secret, safe='')}"
            headers["Authorization"] = "Basic " + b64encode(pair.encode()).decode()
        else:
            form |= {"client_id": identity.client, "client_secret": secret}
        return self._asked(_place(says, "token_endpoint"), urlencode(form).encode(), headers=headers)

    def _claims(
        self, identity: Identity, says: Mapping[str, Any], flow: Flow, tokens: Mapping[str, Any]
    ) -> Mapping[str, Any]:
        """Return what an ID token says, if it is one of this provider, for us, for this sign-in, and of now."""
        text = _string(tokens, "id_token")
        try:
            try:
                token = jwt.decode(text, self._of(identity).keys, algorithms=ALGORITHMS)
            except InvalidKeyIdError:  # the provider may have new keys
                token = jwt.decode(text, self._of(identity, again=True).keys, algorithms=ALGORITHMS)
            jwt.JWTClaimsRegistry(
                now=self._now_us() // 1_000_000,
                leeway=SKEW_S,
                iss={"essential": True, "value": identity.issuer},
                aud={"essential": True, "value": identity.client},
                sub={"essential": True},
                exp={"essential": True},
                iat={"essential": True},
                nonce={"essential": True, "value": flow.nonce(identity)},
            ).validate(token.claims)
        except (JoseError, ValueError, TypeError) as error:
            raise Refused(f"the ID token is not good: {error}") from None
        claims, audiences = token.claims, token.claims["aud"]
        by = claims.get("azp")
        if by != identity.client and (by is not None or (isinstance(audiences, list) and len(audiences) > 1)):
            raise Refused("the ID token was made for another client")
        if "at_hash" in claims:
            half = hashlib.new("sha" + str(token.header["alg"])[2:], _string(tokens, "access_token").encode()).digest()
            expected = urlsafe_b64encode(half[: len(half) // 2]).rstrip(b"=")
            if not hmac.compare_digest(expected, str(claims["at_hash"]).encode()):
                raise Refused("the access token is not that of the ID token")
        return claims

    def _of(self, identity: Identity, *, again: bool = False) -> _Known:
        """Return what the provider says of itself, asked every hour, and when a key is missing."""
        with self._lock:
            known, now_us = self._known, self._now_us()
            life_us = AGAIN_US if again else KEEP_US
            if known is not None and known.issuer == identity.issuer and 0 <= now_us - known.at_us < life_us:
                return known
            says = self._asked(identity.issuer.rstrip("/") + "/.well-known/openid-configuration")
            if says.get("issuer") != identity.issuer:
                raise Refused(f"{identity.issuer} says that it is {str(says.get('issuer'))[:200]!r}")
            try:
                keys = KeySet.import_key_set(self._asked(_place(says, "jwks_uri")))  # type: ignore[arg-type]  # checked
            except (JoseError, ValueError, TypeError, KeyError, AttributeError) as error:
                raise Refused(f"the keys of {identity.issuer} cannot be read: {error}") from None
            self._known = _Known(identity.issuer, says, keys, now_us)
            return self._known

    def _asked(
        self, url: str, form: bytes | None = None, *, headers: Mapping[str, str] | None = None
    ) -> dict[str, Any]:
        kind = "application/x-www-form-urlencoded"
        try:
            got = self._wire().post(
                url,
                form or b"",
                method="GET" if form is None else "POST",
                content_type=kind,
                headers={"Accept": _JSON, **(headers or {})},
            )
            said = json.loads(got.body)
        except (DeliveryError, ValueError, RecursionError) as error:
            raise Refused(f"no answer that can be used: {error}") from None
        if not isinstance(said, dict):
            raise Refused(f"{url} does not answer with an object")
        return said


def _vouched(identity: Identity, claims: Mapping[str, Any]) -> Vouched:
    groups = claims.get(identity.claim, [])
    groups = [groups] if isinstance(groups, str) else groups
    named = [claims.get("preferred_username")]
    named += [claims.get("email")] if claims.get("email_verified") is not False else []
    return Vouched(
        subject=f"{identity.issuer} {claims['sub']}",
        names=tuple(str(name) for name in (*named, claims["sub"]) if name),
        groups=frozenset(one for one in groups if isinstance(one, str)) if isinstance(groups, list) else frozenset(),
    )


def _place(says: Mapping[str, Any], name: str) -> str:
    found = says.get(name)
    try:
        place_of(str(found))
    except SpecError as error:
        raise Refused(f"its {name} cannot be used: {error}") from None
    return str(found)


def _string(tokens: Mapping[str, Any], name: str) -> str:
    found = tokens.get(name)
    if not isinstance(found, str) or not found.isascii():
        raise Refused(f"the provider gives no {name}")
    return found


def _with(url: str, asked: Mapping[str, str]) -> str:
    return url + ("&" if "?" in url else "?") + urlencode(asked)
