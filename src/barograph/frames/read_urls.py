"""Addresses as rows: databases, buckets and Iceberg tables, by their scheme."""

from __future__ import annotations

from barograph.errors import InputError
from barograph.frames.rows import Rows
from barograph.frames.urls import ICEBERG, OBJECT_STORES, check_url, scheme_of

STORES = ", ".join(f"{store}://…" for store in dict.fromkeys(OBJECT_STORES.values()))
_NOT_READ = ("http", "https", "ftp", "gcs", "abfs", "abfss", "adl", "hdfs", "kafka")


def open_url(url: str) -> Rows:
    """Open the rows behind an address. Raises InputError if it cannot be read."""
    try:
        check_url(url)
    except ValueError as error:  # the address is not repeated: it may hold a password
        raise InputError(f"An address of the kind {scheme_of(url)!r}: {error}") from None
    scheme = scheme_of(url)
    if scheme in OBJECT_STORES:
        from barograph.frames.read_buckets import open_bucket

        return open_bucket(url)
    if scheme == ICEBERG:
        from barograph.frames.read_iceberg import open_iceberg

        return open_iceberg(url)
    if scheme in _NOT_READ:
        raise InputError(
            f"{url!r} cannot be read: of addresses, those of databases, {STORES}, and iceberg://… are. Open it with "
            f"Polars, for example `polars.scan_parquet({url!r})`, and pass the frame."
        )
    from barograph.frames.read_sql import open_sql

    return open_sql(url)
