"""What somebody is in a project; `server.permissions` says what they may do there."""

from __future__ import annotations

from typing import Literal

Role = Literal["ingest", "viewer", "editor", "admin", "owner", "operator"]
MemberRole = Literal["viewer", "editor", "admin"]  # of a user in a project
