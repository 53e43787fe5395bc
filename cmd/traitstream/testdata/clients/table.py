"""Rebuilds the table of a topic with confluent-kafka and prints it: a line of key, tab and value for each row, and at
last a line of removals, reason and how many of these it has met.

table.py BROKERS TOPIC json
table.py BROKERS TOPIC avro REGISTRY
"""

import json
import sys
from collections import Counter

from confluent_kafka import Consumer, KafkaError, TopicPartition
from confluent_kafka.schema_registry import SchemaRegistryClient
from confluent_kafka.schema_registry.avro import AvroDeserializer
from confluent_kafka.serialization import MessageField, SerializationContext


def records(brokers, topic):
    """Yields the committed records that stand in the topic."""
    consumer = Consumer({
        "bootstrap.servers": brokers, "group.id": "table", "enable.auto.commit": False,
        "isolation.level": "read_committed", "enable.partition.eof": True,
    })
    partitions = consumer.list_topics(topic, timeout=30).topics[topic].partitions
    consumer.assign([TopicPartition(topic, p, 0) for p in partitions])
    left = set(partitions)
    while left:
        message = consumer.poll(30)
        if message is None:
            sys.exit("nothing came for half a minute")
        if message.error() is None:
            yield message
        elif message.error().code() == KafkaError._PARTITION_EOF:
            left.remove(message.partition())
        else:
            sys.exit(str(message.error()))
    consumer.close()


def readers(topic, form, registry=None):
    """Returns what reads the bytes of keys and of values."""
    if form == "json":
        return json.loads, json.loads
    avro = AvroDeserializer(SchemaRegistryClient({"url": registry}))
    return [lambda data, f=f: avro(data, SerializationContext(topic, f)) for f in (MessageField.KEY, MessageField.VALUE)]


def as_text(record):
    """Returns a key or value as JSON; a timestamp, which the logical type of Avro makes a datetime, in RFC 3339."""
    return json.dumps(record, separators=(",", ":"), ensure_ascii=False,
                      default=lambda time: time.isoformat(timespec="milliseconds").replace("+00:00", "Z"))


def main(brokers, topic, *form):
    read_key, read_value = readers(topic, *form)
    table, removals = {}, Counter()
    for message in records(brokers, topic):
        key = as_text(read_key(message.key()))
        if message.value() is None:
            removals[dict(message.headers())["traitstream.reason"].decode()] += 1
            table.pop(key, None)
        else:
            table[key] = as_text(read_value(message.value()))
    for key, value in table.items():
        print(key, value, sep="\t")
    for reason, n in removals.items():
        print("removals", reason, n, sep="\t")


main(*sys.argv[1:])
