"""Object storage as Arrow's file systems reach it, from the environment variables that the providers' programs read."""

from __future__ import annotations

import os
from collections.abc import Mapping
from datetime import timedelta
from typing import Any  # Any: Arrow's file systems are untyped
from urllib.parse import SplitResult, urlsplit

import pyarrow.fs as pafs

from barograph.errors import InputError

CONNECT_SECONDS, REQUEST_SECONDS = 10.0, 60.0


def bucket_filesystem(store: str = "s3", environment: Mapping[str, str] | None = None) -> Any:
    """Return the file system of the buckets of a store, "s3", "gs" or "az", that environment variables tell of.

    S3: AWS_ACCESS_KEY_ID, AWS_REGION, AWS_ENDPOINT_URL and so on. Google: GOOGLE_APPLICATION_CREDENTIALS and the other
    places where its libraries look, or STORAGE_EMULATOR_HOST. Azure: AZURE_STORAGE_ACCOUNT_NAME, with _ACCOUNT_KEY or
    _SAS_TOKEN, or the identity of this machine; _ENDPOINT. Raises InputError where the account is not named.
    """
    known = os.environ if environment is None else environment
    if store == "gs":
        address = _address(known.get("STORAGE_EMULATOR_HOST"))
        return pafs.GcsFileSystem(
            anonymous=address is not None,
            scheme=address.scheme if address else None,
            endpoint_override=address.netloc if address else None,
            retry_time_limit=timedelta(seconds=REQUEST_SECONDS),
        )
    if store == "az":
        if not (account := known.get("AZURE_STORAGE_ACCOUNT_NAME")):
            raise InputError("az://CONTAINER/PATH is in the account AZURE_STORAGE_ACCOUNT_NAME, which is not set.")
        said = {
            "account_key": known.get("AZURE_STORAGE_ACCOUNT_KEY"),
            "sas_token": known.get("AZURE_STORAGE_SAS_TOKEN"),
        }
        if address := _address(known.get("AZURE_STORAGE_ENDPOINT")):
            where = {"authority": address.netloc, "scheme": address.scheme}
            said |= {f"{kind}_storage_{part}": text for kind in ("blob", "dfs") for part, text in where.items()}
        return pafs.AzureFileSystem(account, **said)
    address = _address(known.get("AWS_ENDPOINT_URL_S3") or known.get("AWS_ENDPOINT_URL"))
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


def _address(endpoint: str | None) -> SplitResult | None:
    return urlsplit(endpoint if "://" in endpoint else f"http://{endpoint}") if endpoint else None
