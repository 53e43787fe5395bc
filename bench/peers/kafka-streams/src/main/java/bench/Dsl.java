package bench;

import java.nio.ByteBuffer;
import java.nio.charset.StandardCharsets;
import java.util.Optional;
import java.util.Set;
import org.apache.kafka.common.serialization.Serdes;
import org.apache.kafka.streams.KeyValue;
import org.apache.kafka.streams.StreamsBuilder;
import org.apache.kafka.streams.Topology;
import org.apache.kafka.streams.kstream.Consumed;
import org.apache.kafka.streams.kstream.Grouped;
import org.apache.kafka.streams.kstream.Materialized;
import org.apache.kafka.streams.kstream.Produced;
import org.apache.kafka.streams.state.KeyValueStore;

/**
 * The job as the DSL has it: keyed anew by user and flag, which repartitions, and aggregated. The
 * aggregate keeps the impression that was last seen, the treatment before it, and whether the last
 * step changed it, so that a filter lets real changes pass.
 */
final class Dsl {
  static Topology topology(String input, String output) {
    StreamsBuilder b = new StreamsBuilder();
    b.stream(input, Consumed.with(Serdes.String(), Serdes.ByteArray()))
        .mapValues(Impression::parse)
        .filter((user, i) -> i != null)
        .map((user, i) -> KeyValue.pair(i.user + "|" + i.flag, pack(i)))
        .groupByKey(Grouped.with("keyed", Serdes.String(), Serdes.ByteArray()))
        .aggregate(() -> new byte[0], (key, event, state) -> merge(event, state),
            Materialized.<String, byte[], KeyValueStore<org.apache.kafka.common.utils.Bytes, byte[]>>as("last-seen")
                .withKeySerde(Serdes.String()).withValueSerde(Serdes.ByteArray()))
        .toStream()
        .filter((key, state) -> state[0] == 1)
        .map((key, state) -> KeyValue.pair(Change.key(user(key), flag(key)), change(key, state)))
        .to(output, Produced.with(Serdes.ByteArray(), Serdes.ByteArray(),
            (topic, key, value, partitions) -> Optional.of(Set.of(Partition.of(key, partitions)))));
    return b.build();
  }

  /** time, flag version, treatment, label, environment; lengths before texts. */
  private static byte[] pack(Impression i) {
    byte[] treatment = bytes(i.treatment), label = bytes(i.label), environment = bytes(i.environment);
    return ByteBuffer.allocate(16 + 3 + treatment.length + label.length + environment.length)
        .putLong(i.seenAt).putLong(i.version)
        .put((byte) treatment.length).put(treatment)
        .put((byte) label.length).put(label)
        .put((byte) environment.length).put(environment).array();
  }

  private static byte[] bytes(String s) {
    return s == null ? new byte[0] : s.getBytes(StandardCharsets.UTF_8);
  }

  /** state: changed (1), previous treatment with its length, the winning event. */
  private static byte[] merge(byte[] event, byte[] state) {
    if (state.length == 0) {
      return state(true, null, event);
    }
    ByteBuffer s = ByteBuffer.wrap(state);
    s.get();
    text(s);
    byte[] before = new byte[s.remaining()];
    s.get(before);
    ByteBuffer old = ByteBuffer.wrap(before), now = ByteBuffer.wrap(event);
    long oldAt = old.getLong(), nowAt = now.getLong();
    old.getLong();
    now.getLong();
    String oldTreatment = text(old), treatment = text(now);
    if (nowAt < oldAt || nowAt == oldAt && treatment.compareTo(oldTreatment) <= 0) {
      state[0] = 0;
      return state;
    }
    return state(!treatment.equals(oldTreatment), oldTreatment, event);
  }

  private static byte[] state(boolean changed, String previous, byte[] event) {
    byte[] p = bytes(previous);
    return ByteBuffer.allocate(2 + p.length + event.length)
        .put((byte) (changed ? 1 : 0)).put((byte) p.length).put(p).put(event).array();
  }

  private static byte[] change(String key, byte[] state) {
    ByteBuffer s = ByteBuffer.wrap(state);
    s.get();
    String previous = text(s);
    Impression i = new Impression();
    i.user = user(key);
    i.flag = flag(key);
    i.seenAt = s.getLong();
    i.version = s.getLong();
    i.treatment = text(s);
    i.label = text(s);
    i.environment = text(s);
    return Change.value(i, previous.isEmpty() ? null : previous, "", 0, 0);
  }

  private static String text(ByteBuffer b) {
    byte[] text = new byte[b.get()];
    b.get(text);
    return new String(text, StandardCharsets.UTF_8);
  }

  private static String user(String key) {
    return key.substring(0, key.lastIndexOf('|'));
  }

  private static String flag(String key) {
    return key.substring(key.lastIndexOf('|') + 1);
  }

  private Dsl() {}
}
