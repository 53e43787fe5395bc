package bench;

import org.apache.kafka.common.serialization.Serdes;
import org.apache.kafka.streams.Topology;
import org.apache.kafka.streams.processor.StreamPartitioner;
import org.apache.kafka.streams.processor.api.Processor;
import org.apache.kafka.streams.processor.api.ProcessorContext;
import org.apache.kafka.streams.processor.api.Record;
import org.apache.kafka.streams.processor.api.RecordMetadata;
import org.apache.kafka.streams.state.KeyValueStore;
import org.apache.kafka.streams.state.Stores;

/** The job with the Processor API: no repartitioning, as the input is keyed by user. */
final class ProcessorApi {
  private static final String STORE = "last-seen";

  static Topology topology(String input, String output) {
    Topology t = new Topology();
    t.addSource("impressions", Serdes.String().deserializer(), Serdes.ByteArray().deserializer(), input);
    t.addProcessor("merge", Merge::new, "impressions");
    t.addStateStore(
        Stores.keyValueStoreBuilder(Stores.persistentKeyValueStore(STORE), Serdes.String(), Serdes.ByteArray()), "merge");
    t.addSink("traits", output, Serdes.ByteArray().serializer(), Serdes.ByteArray().serializer(), byUser(), "merge");
    return t;
  }

  /** A user's changes stay in the partition of the task that made them. */
  private static StreamPartitioner<byte[], byte[]> byUser() {
    return (topic, key, value, partitions) -> java.util.Optional.of(java.util.Set.of(Partition.of(key, partitions)));
  }

  private static final class Merge implements Processor<String, byte[], byte[], byte[]> {
    private ProcessorContext<byte[], byte[]> context;
    private KeyValueStore<String, byte[]> store;

    @Override
    public void init(ProcessorContext<byte[], byte[]> context) {
      this.context = context;
      this.store = context.getStateStore(STORE);
    }

    @Override
    public void process(Record<String, byte[]> record) {
      Impression i = Impression.parse(record.value());
      if (i == null) {
        return;
      }
      String key = i.user + "|" + i.flag;
      byte[] before = store.get(key);
      if (!LastSeen.wins(i, before)) {
        return;
      }
      store.put(key, LastSeen.state(i));
      String previous = LastSeen.treatment(before);
      if (i.treatment.equals(previous)) {
        return;
      }
      RecordMetadata at = context.recordMetadata().orElseThrow();
      context.forward(new Record<>(Change.key(i.user, i.flag),
          Change.value(i, previous, at.topic(), at.partition(), at.offset()), record.timestamp()));
    }
  }

  private ProcessorApi() {}
}
