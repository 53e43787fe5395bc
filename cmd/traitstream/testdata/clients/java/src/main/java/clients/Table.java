package clients;

import java.io.BufferedOutputStream;
import java.io.PrintStream;
import java.nio.charset.StandardCharsets;
import java.time.Duration;
import java.util.Properties;
import java.util.UUID;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.TimeUnit;

import org.apache.kafka.common.serialization.Serdes;
import org.apache.kafka.streams.KafkaStreams;
import org.apache.kafka.streams.StoreQueryParameters;
import org.apache.kafka.streams.StreamsBuilder;
import org.apache.kafka.streams.StreamsConfig;
import org.apache.kafka.streams.kstream.Consumed;
import org.apache.kafka.streams.kstream.Materialized;
import org.apache.kafka.streams.state.QueryableStoreTypes;
import org.apache.kafka.streams.state.Stores;

/** Rebuilds the table of a topic as a GlobalKTable and prints it: a line of key, tab and value for each row. */
public final class Table {
  private Table() {}

  /** Takes brokers, topic and a folder to work in. */
  public static void main(String[] args) throws Exception {
    Properties p = new Properties();
    p.put(StreamsConfig.APPLICATION_ID_CONFIG, "table-" + UUID.randomUUID()); // a global table has no group
    p.put(StreamsConfig.BOOTSTRAP_SERVERS_CONFIG, args[0]);
    p.put(StreamsConfig.STATE_DIR_CONFIG, args[2]);
    p.put(StreamsConfig.GLOBAL_CONSUMER_PREFIX + "isolation.level", "read_committed");
    StreamsBuilder builder = new StreamsBuilder();
    builder.globalTable(args[1], Consumed.with(Serdes.String(), Serdes.String()), Materialized.as(Stores.inMemoryKeyValueStore("table")));
    CountDownLatch running = new CountDownLatch(1);
    try (KafkaStreams streams = new KafkaStreams(builder.build(), p)) {
      // It runs when the table holds what stood in the topic at the start.
      streams.setStateListener((now, before) -> {
        if (now == KafkaStreams.State.RUNNING) {
          running.countDown();
        }
      });
      streams.start();
      if (!running.await(60, TimeUnit.SECONDS)) {
        throw new IllegalStateException("the table was not there in a minute: " + streams.state());
      }
      PrintStream out = new PrintStream(new BufferedOutputStream(System.out), false, StandardCharsets.UTF_8);
      var store = streams.store(StoreQueryParameters.fromNameAndType("table", QueryableStoreTypes.<String, String>keyValueStore()));
      try (var rows = store.all()) {
        rows.forEachRemaining(row -> out.print(row.key + "\t" + row.value + "\n"));
      }
      out.flush();
      streams.close(Duration.ofSeconds(10));
    }
  }
}
