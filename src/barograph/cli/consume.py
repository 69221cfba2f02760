"""`barograph consume`: follow a topic of Kafka, and send what comes to a server."""

from __future__ import annotations

import os
import signal
import sys
import threading
from pathlib import Path
from types import FrameType
from typing import Annotated, Any  # Any: settings of a source, before they are checked
from urllib.parse import quote

import typer

from barograph.errors import InputError, SpecError, StoreError

KEY = "BAROGRAPH_KEY"  # an environment variable: an option would be seen by everybody who lists processes
PAUSE_S = 5.0  # before it is tried again when Kafka or the server is away


def consume(
    topic: Annotated[str, typer.Option(help="The topic.")],
    model: Annotated[str, typer.Option(help="Name of the model.")],
    brokers: Annotated[str, typer.Option(help="Brokers of Kafka, as in kafka-1:9092,kafka-2:9092.")] = "127.0.0.1:9092",
    group: Annotated[str, typer.Option(help="The group of consumers that share the topic.")] = "barograph",
    server: Annotated[str, typer.Option("--server", "--url", help="Where the server is.")] = "http://127.0.0.1:8321",
    format: Annotated[str, typer.Option(help="What a value is: json, avro or arrow.")] = "json",
    avro: Annotated[Path | None, typer.Option(help="A file with the Avro schema.")] = None,
    registry: Annotated[str | None, typer.Option(help="The schema registry, as in http://registry:8081.")] = None,
    labels: Annotated[bool, typer.Option("--labels", help="The topic holds labels, not events.")] = False,
    start: Annotated[str, typer.Option(help="Where a new group begins: beginning or end.")] = "beginning",
    id: Annotated[str, typer.Option(help="Where the id of an event is: in the value, key or offset.")] = "value",
    timestamp: Annotated[str, typer.Option(help="Where its time is: in the value, or that of the message.")] = "value",
    option: Annotated[list[str] | None, typer.Option(help="A setting of librdkafka, as NAME=VALUE.")] = None,
    quiet: Annotated[bool, typer.Option("--quiet", help="Print nothing but errors.")] = False,
) -> None:
    """Follow a topic of Kafka and send events or labels to a server, until Ctrl-C or SIGTERM.

    Offsets are committed after the server has what came on its disk. While Kafka or the server is away it waits, and
    goes on where it was. The key is read from $BAROGRAPH_KEY; ${NAME} in options is an environment variable.
    """
    from barograph.client.files import Sent, sent_of
    from barograph.client.http import Client, service_of
    from barograph.sources import Followed, sources_of
    from barograph.sources.feed import Stream

    if wrong := next((one for one in option or () if "=" not in one), None):
        raise InputError(f"--option is NAME=VALUE. Got {wrong!r}.")
    said: dict[str, Any] = {
        "brokers": brokers,
        "topic": topic,
        "group": group,
        "format": format,
        "rows": "labels" if labels else "events",
        "start": start,
        "id": id,
        "timestamp": timestamp,
        "options": dict(one.split("=", 1) for one in option or ()),
    }
    said |= {"avro": avro.read_text("utf-8")} if avro is not None else {}
    said |= {"registry": registry} if registry is not None else {}
    try:
        (source,) = sources_of({"kafka": said})
    except SpecError as error:
        raise SpecError([one.replace("$.sources.kafka.", "--") for one in error.problems]) from None
    assert isinstance(source, Followed)
    stop = threading.Event()

    def end(number: int, frame: FrameType | None) -> None:
        stop.set()

    before = {number: signal.signal(number, end) for number in (signal.SIGINT, signal.SIGTERM)}
    told: set[str] = set()
    lag: list[int | None] = [None]

    def waiting(why: str) -> None:
        if why not in told:
            told.add(why)
            print(f"barograph: {why}.", file=sys.stderr, flush=True)

    total = Sent()
    client = Client(service_of(server), key=os.environ.get(KEY) or None, stop=stop, waiting=waiting)
    target = f"/v1/models/{quote(model, safe='')}/{source.rows}"

    def put(body: bytes, content_type: str) -> Sent:
        nonlocal total
        sent = sent_of(client.post(target, body, content_type))
        total += sent
        told.clear()
        return sent

    def progress(rows: int | None) -> None:
        if not quiet and rows != lag[0]:
            print(f"{total.rows:,} {source.rows}; {'?' if rows is None else f'{rows:,}'} wait.", flush=True)
        lag[0] = rows

    try:
        while not stop.is_set():
            try:
                source.follow(Stream(put=put, stopped=stop.is_set, wait=stop.wait, told=progress))
            except StoreError as error:
                if not stop.is_set():
                    waiting(str(error).rstrip("."))
                    stop.wait(PAUSE_S)
    finally:
        client.close()
        for number, handler in before.items():
            signal.signal(number, handler)
    if not quiet:
        rejected = f", {total.rejected:,} were rejected; the model's quarantine has them" if total.rejected else ""
        print(f"Sent {total.rows:,} {source.rows}{rejected}.")
