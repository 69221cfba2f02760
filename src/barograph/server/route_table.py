"""Every route of the service, and which permission it needs: the one table, and nothing outside it is answered."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from enum import Enum

from barograph.server.problems import Problem, quoted


class Body(Enum):
    """How the body of a request is taken, and whether one is due: then an empty one is refused."""

    NONE = ""  # none is due; what is sent is taken as a small one
    SMALL = "small"  # due, and read whole, up to `SMALL_BYTES`, before anything else happens
    STREAM = "stream"  # due, and read by the route itself, under its own bounds


SMALL_BYTES = 2**20


@dataclass(frozen=True, slots=True, kw_only=True)
class Rule:
    """One method of one route. Without a `permission`, anybody is answered."""

    method: str
    path: str
    permission: str | None
    body: Body = Body.NONE


def _rule(line: str) -> Rule:
    method, path, permission, *body = line.split()
    return Rule(
        method=method, path=path, permission=None if permission == "-" else permission, body=Body("".join(body))
    )


_TABLE = """
POST   /v1/models/{model}/events                            events    stream
POST   /v1/models/{model}/labels                            labels    stream
POST   /v1/cloudevents                                      events    stream
POST   /v1/otlp/v1/logs                                     events    stream
POST   /v1/otlp/v1/traces                                   events    stream
POST   /v1/models/{model}/cloudevents                       events    stream
POST   /v1/models/{model}/producers                         tell      small
POST   /v1/models/{model}/probes                            tell      small
GET    /healthz                                             -
GET    /readyz                                              -
GET    /v1/openapi.json                                     -
GET    /metrics                                             read
GET    /v1/models                                           read
GET    /v1/models/{model}                                   read
PUT    /v1/models/{model}                                   edit      small
POST   /v1/models/{model}/pause                             edit      small
POST   /v1/models/{model}/retire                            edit      small
POST   /v1/models/{model}/resume                            edit      small
DELETE /v1/models/{model}                                   admin
GET    /v1/models/{model}/events/{event}                    read
GET    /v1/models/{model}/sources                           read
POST   /v1/models/{model}/purge                             admin     small
GET    /v1/models/{model}/erasures                          admin
POST   /v1/models/{model}/erasures                          admin     small
GET    /v1/models/{model}/erasures/{erasure}                admin
GET    /v1/models/{model}/spec                              read
PUT    /v1/models/{model}/spec                              edit      small
GET    /v1/models/{model}/monitors                          read
GET    /v1/models/{model}/references                        read
POST   /v1/models/{model}/references                        edit      stream
GET    /v1/models/{model}/references/{number}               read
GET    /v1/models/{model}/references/{number}/data          read
POST   /v1/models/{model}/references/{number}/activate      edit
GET    /v1/models/{model}/results                           read
GET    /v1/models/{model}/series                            read
GET    /v1/models/{model}/profiles                          read
GET    /v1/models/{model}/profiles/{chunk}                  read
GET    /v1/models/{model}/changes                           read
POST   /v1/models/{model}/changes                           edit      small
PATCH  /v1/models/{model}/changes/{change}                  edit      small
DELETE /v1/models/{model}/changes/{change}                  edit
GET    /v1/models/{model}/report                            read
GET    /v1/models/{model}/labels                            read
GET    /v1/models/{model}/precision                         read
POST   /v1/models/{model}/replay                            read      small
GET    /v1/models/{model}/quarantine                        read
POST   /v1/models/{model}/quarantine/replay                 edit
POST   /v1/models/{model}/backfill                          edit      small
GET    /v1/alerts                                           read
GET    /v1/incidents                                        read
GET    /v1/incidents/{incident}                             read
POST   /v1/incidents/{incident}/acknowledge                 edit
POST   /v1/incidents/{incident}/resolve                     edit
POST   /v1/incidents/{incident}/reopen                      edit
POST   /v1/incidents/{incident}/assign                      edit      small
POST   /v1/incidents/{incident}/verdict                     edit      small
POST   /v1/incidents/{incident}/comments                    edit      small
PATCH  /v1/incidents/{incident}/comments/{comment}          edit      small
DELETE /v1/incidents/{incident}/comments/{comment}          edit
GET    /v1/silences                                         read
POST   /v1/silences                                         edit      small
PATCH  /v1/silences/{silence}                               edit      small
DELETE /v1/silences/{silence}                               edit
GET    /v1/deliveries                                       read
GET    /v1/deliveries/{delivery}                            read
POST   /v1/deliveries/{delivery}/retry                      edit
GET    /v1/receivers                                        read
POST   /v1/receivers/{receiver}/test                        edit
GET    /v1/jobs                                             read
GET    /v1/jobs/{job}                                       read
DELETE /v1/jobs/{job}                                       edit
GET    /v1/removals                                         admin
GET    /v1/removals/{removal}                               admin
GET    /v1/poison                                           read
POST   /v1/poison/{poison}/retry                            edit
DELETE /v1/poison/{poison}                                  admin
GET    /v1/projects                                        read
POST   /v1/projects                                        own       small
PATCH  /v1/projects/{project}                              own       small
GET    /v1/users                                           admin
POST   /v1/users                                           admin     small
PATCH  /v1/users/{user}                                    admin     small
DELETE /v1/users/{user}                                    admin
POST   /v1/users/{user}/link                               admin
GET    /v1/sessions                                        admin
DELETE /v1/sessions/{session}                              admin
GET    /v1/keys                                             admin
POST   /v1/keys                                             admin     small
DELETE /v1/keys/{key}                                       admin
GET    /v1/audit                                            admin
"""
RULES = tuple(_rule(line) for line in _TABLE.strip().splitlines())

# Pages are for people: a session of a browser may ask for them, and what is wrong is told as a page.
_PAGES = """
GET    /                                                    read
GET    /static/{file}                                       -
GET    /sign-in                                             -
POST   /sign-in                                             -         small
POST   /sign-out                                            -         small
POST   /project                                             read      small
GET    /oidc/start                                          -
GET    /oidc/callback                                       -
GET    /oidc/out                                            -
GET    /link/{token}                                        -
POST   /link/{token}                                        -         small
GET    /account                                             read
POST   /account/password                                    read      small
POST   /account/sessions/{session}/end                      read      small
GET    /settings/users                                      admin
POST   /settings/users                                      admin     small
POST   /settings/users/{user}/role                          admin     small
POST   /settings/users/{user}/link                          admin     small
POST   /settings/users/{user}/delete                        admin     small
POST   /settings/sessions/{session}/end                     admin     small
GET    /live                                                read
GET    /live/now                                            read
GET    /incidents                                           read
GET    /incidents/{incident}                                read
POST   /incidents/{incident}/acknowledge                    edit      small
POST   /incidents/{incident}/comment                        edit      small
POST   /incidents/{incident}/silence                        edit      small
POST   /incidents/{incident}/resolve                        edit      small
POST   /incidents/{incident}/reopen                         edit      small
POST   /incidents/{incident}/verdict                        edit      small
GET    /models/{model}                                      read
GET    /models/{model}/feature                              read
GET    /models/{model}/segment                              read
GET    /models/{model}/compare                              read
GET    /models/{model}/events                               read
GET    /models/{model}/labels                               read
POST   /models/{model}/labels/answers                       edit      stream
GET    /models/{model}/monitors                             read
GET    /models/{model}/monitors/replay                      read
POST   /models/{model}/monitors/replay                      edit      small
GET    /models/{model}/changes                              read
POST   /models/{model}/changes                              edit      small
GET    /models/{model}/quarantine                           read
POST   /models/{model}/quarantine/replay                    edit      small
GET    /models/{model}/settings                             read
POST   /models/{model}/settings                             edit      small
POST   /models/{model}/settings/{word}                      edit      small
GET    /jobs                                                read
POST   /jobs/{job}/cancel                                   edit      small
GET    /audit                                               admin
GET    /settings                                            admin
POST   /settings/keys                                       admin     small
POST   /settings/keys/{key}/revoke                          admin     small
GET    /start                                               edit
POST   /start                                               edit      small
GET    /start/{model}                                       edit
GET    /start/{model}/progress                              read
POST   /start/{model}/reference                             edit      stream
POST   /start/{model}/roles                                 edit      small
POST   /start/{model}/watching                              edit      small
"""
PAGES = tuple(_rule(line) for line in _PAGES.strip().splitlines())


# Without the path, which may hold a secret, and goes to the log.
_NOTHING = "There is nothing at this path. `/v1/openapi.json` says what there is."


class Routes:
    """The table, ready to be searched by method and path."""

    def __init__(self, rules: Iterable[Rule] = RULES) -> None:
        self._methods: dict[str, dict[str, Rule]] = {}
        for rule in rules:
            self._methods.setdefault(rule.path, {})[rule.method] = rule
        self._fixed = {path: rules for path, rules in self._methods.items() if "{" not in path}
        self._patterns = [(_pattern(path), rules) for path, rules in self._methods.items() if "{" in path]

    def knows(self, path: str) -> bool:
        """Return whether there is any route of this path."""
        return path in self._fixed or any(pattern.fullmatch(path) for pattern, _ in self._patterns)

    def find(self, method: str, path: str) -> tuple[Rule, Mapping[str, str]]:
        """Return the rule of a request and the parts of its path; raise Problem if there is none.

        HEAD has the rule of GET.
        """
        rules, parts = self._fixed.get(path), {}
        if rules is None:
            for pattern, candidates in self._patterns:
                if match := pattern.fullmatch(path):
                    rules, parts = candidates, match.groupdict()
                    break
            else:
                raise Problem("not-found", _NOTHING)
        if method not in rules:
            if method == "HEAD" and "GET" in rules:
                return rules["GET"], parts
            allowed = ", ".join(sorted({*rules, *(["HEAD"] if "GET" in rules else [])}))
            raise Problem(
                "method-not-allowed", f"{method[:20]} is not possible here, but {allowed}.", headers={"Allow": allowed}
            )
        return rules[method], parts


def _pattern(path: str) -> re.Pattern[str]:
    # The id of an event is what its sender chose: it may have slashes in it.
    whole = re.escape(path).replace(r"\{event\}", "(?P<event>.+)")
    return re.compile(re.sub(r"\\{(\w+)\\}", r"(?P<\1>[^/]+)", whole), re.DOTALL)


def url(path: str, **parts: str | int) -> str:
    """Return the URL path of a thing.

    >>> url("/v1/models/{model}", model="late flights")
    '/v1/models/late%20flights'
    """
    return path.format(**{name: quoted(str(part)) for name, part in parts.items()})
