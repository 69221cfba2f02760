"""A topic of Kafka, followed by a group of consumers; offsets are committed after the rows are on the disk."""

from __future__ import annotations

import json
import re
import time
from collections.abc import Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from functools import partial
from typing import Annotated, Any, Literal  # Any: confluent-kafka may not be installed

from pydantic import BeforeValidator, Field, model_validator

from barograph.client.files import Sent
from barograph.errors import InputError, StoreError
from barograph.extras import needs
from barograph.frames.urls import check_url, hiding, is_url, is_variable, revealed
from barograph.sources import Followed, Text, source
from barograph.sources.feed import Stream
from barograph.sources.messages import Avro, Id, Message, Read, arrow_rows, json_line, put_messages

BATCH, BATCH_BYTES = 10_000, 16 * 2**20  # that are handed on at once: messages, and about how much they hold
FIRST, STEP = 100, 1_000  # messages that are asked for at once, before it is known how long they are and then
POLL_S = 0.5
TOLD_S = 5.0  # from one look at the lag to the next
AWAY_S = 10.0  # without any broker, after which that is told
ASK_S = 5.0
QUEUED_KIB = 64 * 1024  # of messages that were fetched and wait to be handed on
LONGEST_POLL_MS = 900_000  # that handing on may take, with a server that is away, before others take over
# What of librdkafka's settings may be said; others load code, run programs, or name other brokers.
OPTIONS = (
    *("client.id", "client.rack", "group.instance.id", "isolation.level", "partition.assignment.strategy"),
    *("security.protocol", "sasl.mechanism", "sasl.mechanisms", "sasl.username", "sasl.password"),
    *("ssl.ca.location", "ssl.ca.pem", "ssl.certificate.location", "ssl.certificate.pem", "ssl.key.location"),
    *("ssl.key.pem", "ssl.key.password", "ssl.endpoint.identification.algorithm"),
    *("enable.ssl.certificate.verification", "session.timeout.ms", "heartbeat.interval.ms", "fetch.min.bytes"),
    *("fetch.wait.max.ms", "fetch.max.bytes", "max.partition.fetch.bytes", "socket.timeout.ms"),
)
_USER = "sasl.username"
_SECRETS = ("sasl.password", "ssl.key.password", "ssl.key.pem")


def _brokers(value: object) -> str:
    if not isinstance(value, str) or not all(
        host and port.isdigit() for host, _, port in (one.strip().rpartition(":") for one in value.split(","))
    ):
        raise ValueError("This must be brokers with their ports, as in 'kafka-1:9092,kafka-2:9092'.")
    if not all(re.fullmatch(r"([\w.-]+|\[[0-9a-fA-F:.]+\]):[0-9]{1,5}", one.strip()) for one in value.split(",")):
        raise ValueError("This must be brokers with their ports, without a scheme or a user.")
    return value


def _registry(value: object) -> str:
    if not isinstance(value, str) or not value.startswith(("http://", "https://")) or not is_url(value):
        raise ValueError("This must be the address of a schema registry, as in 'http://registry:8081'.")
    if "?" in value or "#" in value:
        raise ValueError("The address of a registry has no parameters.")
    return check_url(value)


def _avro(value: object) -> str:
    try:
        found = json.loads(value) if isinstance(value, str) else None
    except ValueError:
        found = None
    if not isinstance(found, dict) or found.get("type") != "record":
        raise ValueError('This must be an Avro schema of a record, as JSON: {"type": "record", …}.')
    try:
        Avro(str(value), None)
    except InputError:
        raise ValueError("Avro is read with the package fastavro, of the extra `kafka`. Install it.") from None
    except Exception as error:  # of fastavro, for a schema that is none
        raise ValueError(f"This is no Avro schema: {type(error).__name__}: {error}.") from None
    return str(value)


def _options(value: object) -> Mapping[str, str]:
    if not isinstance(value, Mapping):
        raise ValueError("This must be a table of settings of librdkafka.")
    if wrong := [key for key in value if key not in OPTIONS]:
        raise ValueError(f"{wrong[0]!r} is none of the settings of librdkafka that are taken: {', '.join(OPTIONS)}.")
    texts = {key: str(one).lower() if isinstance(one, bool) else str(one) for key, one in value.items()}
    for key in _SECRETS:
        if key in texts and not is_variable(texts[key]):
            raise ValueError(
                f"`{key}` is a secret. Write ${{NAME}}, the name of an environment variable that holds it."
            )
    if wrong := [key for key, text in texts.items() if "${" in text and key not in _SECRETS and key != _USER]:
        raise ValueError(f"`{wrong[0]}` is no credential: ${{NAME}} stands for those alone.")
    if "${" in texts.get(_USER, "") and not is_variable(texts[_USER]):
        raise ValueError(f"`{_USER}` is a name, or ${{NAME}} as a whole.")
    return texts


@source("kafka")
class Kafka(Followed):
    """Follow a `topic` at `brokers`, as one of the consumers of a `group`.

    A value is JSON, an Arrow stream, or Avro: with the schema `avro`, or that of the `registry` which each message
    names; with both, what was written with the registry's is read as `avro`. `start` is where a group begins that has
    committed nothing. `id` and `timestamp` are those in the value, or the message's: its `key` or its place (`offset`),
    and the time of the `message`. `options` are settings of librdkafka; secrets in them are `${NAME}`.
    """

    brokers: Annotated[str, BeforeValidator(_brokers)]
    topic: Text
    group: Text = "barograph"
    format: Literal["json", "avro", "arrow"] = "json"
    avro: Annotated[str, BeforeValidator(_avro)] | None = None
    registry: Annotated[str, BeforeValidator(_registry)] | None = None
    start: Literal["beginning", "end"] = "beginning"
    id: Id = "value"
    timestamp: Literal["value", "message"] = "value"
    options: Annotated[Mapping[str, str], BeforeValidator(_options)] = Field(default_factory=dict)

    @model_validator(mode="after")
    def _check(self) -> Kafka:
        if self.format == "avro" and self.avro is None and self.registry is None:
            raise ValueError("Avro is read with a schema: give `avro`, or a `registry`.")
        if self.format != "avro" and (self.avro or self.registry):
            raise ValueError("`avro` and `registry` are for the format 'avro'.")
        if self.format == "arrow" and (self.id != "value" or self.timestamp != "value"):
            raise ValueError("An Arrow stream has many rows: their ids and times stand in it.")
        return self

    def places(self) -> Sequence[str]:
        """Return the addresses of the brokers and the registry, and the files of keys and certificates."""
        brokers = [f"kafka://{one.strip()}" for one in self.brokers.split(",")]
        files = [text for key, text in self.options.items() if key.endswith(".location")]
        return [*brokers, *([self.registry] if self.registry else []), *files]

    def follow(self, stream: Stream) -> None:
        """Hand on what comes; raise StoreError when no broker can be reached, InputError when one refuses."""
        with needs("kafka", "Following Kafka"):
            import confluent_kafka as kafka
        read: Read = {"json": json_line, "arrow": arrow_rows}.get(self.format) or Avro(self.avro, self.registry)
        secrets = [text for text in self.options.values() if "${" in text]
        with hiding(self.brokers, *secrets):
            watch = _Watch()
            consumer = kafka.Consumer(self._settings(watch))
            try:
                with ThreadPoolExecutor(1, "kafka") as thread:
                    self._follow(kafka, consumer, watch, stream, read, thread)
            finally:
                consumer.close()

    def _follow(
        self, kafka: Any, consumer: Any, watch: _Watch, stream: Stream, read: Read, thread: ThreadPoolExecutor
    ) -> None:
        """Hand on one batch in a thread while the next is fetched; it is committed before that is handed on."""
        handed: list[tuple[Future[Sent], Sequence[Any]]] = []

        def settle(*_: object) -> None:
            while handed:
                sent, before = handed.pop()
                sent.result()
                self._commit(kafka, consumer, before)

        consumer.subscribe([self.topic], on_revoke=settle)
        told = 0.0
        while not stream.stopped():
            found = self._batch(consumer, POLL_S / 10 if handed else POLL_S)
            messages = [one for one in map(self._message, found) if one is not None]
            settle()
            if messages:
                asked = partial(put_messages, stream.put, messages, read, id=self.id)
                handed.append((thread.submit(asked, timestamp=self.timestamp == "message"), found))
            else:
                self._commit(kafka, consumer, found)
            if found:
                watch.away_since = None
            elif watch.is_long_away():
                self._ask(kafka, consumer, watch)
            if time.monotonic() - told > TOLD_S:
                stream.told(self._lag(kafka, consumer))
                told = time.monotonic()
        settle()

    def _batch(self, consumer: Any, seconds: float) -> list[Any]:
        """Return what came: few of long messages, so that memory stays bounded; nothing after so many seconds."""
        found: list[Any] = []
        size, step = 0, FIRST
        while len(found) < BATCH and size < BATCH_BYTES:
            more = consumer.consume(step, seconds if not found else POLL_S / 10)
            if not more:
                break
            found += more
            size += sum(len(one) for one in more)
            step = max(1, min(STEP, BATCH - len(found), (BATCH_BYTES - size) * len(found) // max(size, 1)))
        return found

    def _message(self, found: Any) -> Message | None:
        """Return a message; None for a deletion. Raises InputError for an error that stands in its place."""
        if (error := found.error()) is not None:
            if error.retriable() or error.name() in ("_PARTITION_EOF", "_TRANSPORT", "_ALL_BROKERS_DOWN", "_TIMED_OUT"):
                return None
            raise InputError(f"The topic {self.topic!r} cannot be read: {error.str()}.")
        if found.value() is None:
            return None
        kind, at_ms = found.timestamp()
        place = found.topic(), found.partition(), found.offset()
        return Message(*place, found.key(), found.value(), at_ms * 1000 if kind else None)

    def _commit(self, kafka: Any, consumer: Any, found: Sequence[Any]) -> None:
        """Commit what was handed on. That it cannot be is no loss: it comes again, and is known by its ids."""
        last = {one.partition(): one for one in found if one.error() is None}
        if not last:
            return
        try:
            offsets = [kafka.TopicPartition(self.topic, one.partition(), one.offset() + 1) for one in last.values()]
            consumer.commit(offsets=offsets, asynchronous=False)
        except kafka.KafkaException:
            return

    def _ask(self, kafka: Any, consumer: Any, watch: _Watch) -> None:
        """Find out whether the brokers are really away: a connection that is not used is closed, too."""
        try:
            consumer.list_topics(self.topic, timeout=ASK_S)
            watch.away_since = None
        except kafka.KafkaException as error:
            why = watch.reason or error.args[0].str()
            raise StoreError(f"Kafka at {self.brokers} cannot be reached: {why}.") from None

    def _lag(self, kafka: Any, consumer: Any) -> int | None:
        """Return how many messages of its partitions wait; None before it has any."""
        lag, known = 0, False
        try:
            for at in consumer.position(consumer.assignment()):
                _, high = consumer.get_watermark_offsets(at, cached=True)
                if at.offset >= 0 and high >= 0:
                    lag, known = lag + max(high - at.offset, 0), True
        except kafka.KafkaException:
            return None
        return lag if known else None

    def _settings(self, watch: _Watch) -> dict[str, Any]:
        return {
            "queued.max.messages.kbytes": QUEUED_KIB,
            **{key: revealed(text) if is_variable(text) else text for key, text in self.options.items()},
            "bootstrap.servers": self.brokers,
            "group.id": self.group,
            "enable.auto.commit": False,
            "auto.offset.reset": "earliest" if self.start == "beginning" else "latest",
            "max.poll.interval.ms": LONGEST_POLL_MS,
            "error_cb": watch.error,
            "logger": _quiet(),
        }


class _Watch:
    """Since when no broker answers, as librdkafka says in a thread of its own."""

    def __init__(self) -> None:
        self.away_since: float | None = None
        self.reason = ""

    def error(self, error: Any) -> None:
        if error.name() == "_ALL_BROKERS_DOWN":
            self.away_since = self.away_since or time.monotonic()
        else:
            self.reason = error.str()

    def is_long_away(self) -> bool:
        """Return whether no broker has answered for a while."""
        return self.away_since is not None and time.monotonic() - self.away_since > AWAY_S


def _quiet() -> Any:
    """Return a logger for librdkafka: what matters of what it says is told by errors."""
    import logging

    log = logging.getLogger("barograph.kafka")
    log.setLevel(logging.CRITICAL)
    return log
