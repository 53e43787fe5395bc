"""Prints schemas of a registry as fastavro understands them: a line of JSON for each.

schema.py REGISTRY SUBJECT...
"""

import json
import sys

import fastavro
from confluent_kafka.schema_registry import SchemaRegistryClient


def main(url, *subjects):
    registry = SchemaRegistryClient({"url": url})
    for subject in subjects:
        schema = fastavro.parse_schema(json.loads(registry.get_latest_version(subject).schema.schema_str))
        print(json.dumps({name: part for name, part in schema.items() if not name.startswith("__")}))


main(*sys.argv[1:])
