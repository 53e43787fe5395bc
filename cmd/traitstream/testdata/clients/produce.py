"""Writes impressions in Avro with confluent-kafka, their schema told by its GUID in a header: of each line of standard
input, a JSON object with the fields of the schema that the registry has for the topic's values.

produce.py BROKERS TOPIC REGISTRY
"""

import json
import sys

from confluent_kafka import Producer
from confluent_kafka.schema_registry import SchemaRegistryClient, header_schema_id_serializer
from confluent_kafka.schema_registry.avro import AvroSerializer
from confluent_kafka.serialization import MessageField, SerializationContext


def main(brokers, topic, registry):
    serialize = AvroSerializer(SchemaRegistryClient({"url": registry}), conf={
        "auto.register.schemas": False, "use.latest.version": True, "schema.id.serializer": header_schema_id_serializer,
    })
    producer = Producer({"bootstrap.servers": brokers})
    for line in sys.stdin:
        headers = []
        value = serialize(json.loads(line), SerializationContext(topic, MessageField.VALUE, headers))
        producer.produce(topic, value, headers=headers)
    if left := producer.flush(30):
        sys.exit(f"{left} records were not taken")


main(*sys.argv[1:])
