"""Object storage as Arrow's file systems reach it, from the environment variables that AWS's own programs read."""

from __future__ import annotations

import os
from collections.abc import Mapping
from typing import Any  # Any: Arrow's file systems are untyped
from urllib.parse import urlsplit

import pyarrow.fs as pafs

CONNECT_SECONDS, REQUEST_SECONDS = 10.0, 60.0


def bucket_filesystem(environment: Mapping[str, str] | None = None) -> Any:
    """Return the file system of buckets that AWS_ACCESS_KEY_ID, AWS_REGION, AWS_ENDPOINT_URL and so on tell of."""
    known = os.environ if environment is None else environment
    endpoint = known.get("AWS_ENDPOINT_URL_S3") or known.get("AWS_ENDPOINT_URL")
    address = urlsplit(endpoint) if endpoint else None
    return pafs.S3FileSystem(
        access_key=known.get("AWS_ACCESS_KEY_ID"),
        secret_key=known.get("AWS_SECRET_ACCESS_KEY"),
        session_token=known.get("AWS_SESSION_TOKEN"),
        region=known.get("AWS_REGION") or known.get("AWS_DEFAULT_REGION"),
        scheme=address.scheme if address else None,
        endpoint_override=address.netloc if address else None,
        connect_timeout=CONNECT_SECONDS,
        request_timeout=REQUEST_SECONDS,
    )
