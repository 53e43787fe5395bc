"""Rebuilds the table of a topic with confluent-kafka and prints it: a line of key, tab and value for each row, and at
last how many removals it has met.

table.py BROKERS TOPIC json
table.py BROKERS TOPIC avro REGISTRY
"""

import json
import sys

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


def main(brokers, topic, *form):
    read_key, read_value = readers(topic, *form)
    table, removals = {}, 0
    for message in records(brokers, topic):
        key = json.dumps(read_key(message.key()), separators=(",", ":"), ensure_ascii=False, default=str)
        if message.value() is None:
            removals += 1
            table.pop(key, None)
        else:
            table[key] = json.dumps(read_value(message.value()), separators=(",", ":"), ensure_ascii=False, default=str)
    for key, value in table.items():
        print(key, value, sep="\t")
    print("removals", removals, sep="\t")


main(*sys.argv[1:])
