"""Brokers of Kafka for tests: librdkafka's mock cluster, which lives in the producer that made it."""

from __future__ import annotations

import json
from collections.abc import Iterable
from typing import Any

import confluent_kafka as kafka

# A consumer that was killed is soon missed; but the mock makes a group wait for three seconds before it begins.
QUICK = {"session.timeout.ms": "4000", "heartbeat.interval.ms": "300"}


class Cluster:
    """A cluster of one broker, and a producer to its topics."""

    def __init__(self, brokers: int = 1) -> None:
        self.producer = kafka.Producer({"test.mock.num.brokers": brokers, "log_level": 0, "linger.ms": 5})
        found = self.producer.list_topics(timeout=10).brokers.values()
        self.brokers = ",".join(f"{one.host}:{one.port}" for one in found)

    def send(self, topic: str, values: Iterable[Any], **more: Any) -> None:
        """Send values, as they are or as JSON, over four partitions; return when the brokers have them."""
        for i, value in enumerate(values):
            data = value if isinstance(value, bytes) or value is None else json.dumps(value).encode()
            self.producer.produce(topic, data, partition=i % 4, **more)
            self.producer.poll(0)
        assert self.producer.flush(30) == 0

    def committed(self, topic: str, group: str) -> int:
        """Return how many messages of a topic a group has committed."""
        consumer = kafka.Consumer({"bootstrap.servers": self.brokers, "group.id": group, "log_level": 0})
        try:
            asked = [kafka.TopicPartition(topic, partition) for partition in range(4)]
            return sum(max(one.offset, 0) for one in consumer.committed(asked, timeout=10))
        finally:
            consumer.close()
