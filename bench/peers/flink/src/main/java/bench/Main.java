package bench;

import java.util.List;
import java.util.Optional;
import java.util.Properties;
import org.apache.flink.api.common.eventtime.WatermarkStrategy;
import org.apache.flink.api.common.typeinfo.TypeInformation;
import org.apache.flink.api.common.typeinfo.Types;
import org.apache.flink.api.java.tuple.Tuple3;
import org.apache.flink.configuration.Configuration;
import org.apache.flink.connector.base.DeliveryGuarantee;
import org.apache.flink.connector.kafka.lineage.DefaultKafkaDatasetFacet;
import org.apache.flink.connector.kafka.lineage.DefaultKafkaDatasetIdentifier;
import org.apache.flink.connector.kafka.lineage.KafkaDatasetFacet;
import org.apache.flink.connector.kafka.lineage.KafkaDatasetFacetProvider;
import org.apache.flink.connector.kafka.sink.KafkaRecordSerializationSchema;
import org.apache.flink.connector.kafka.sink.KafkaSink;
import org.apache.flink.connector.kafka.sink.TransactionNamingStrategy;
import org.apache.flink.connector.kafka.source.KafkaSource;
import org.apache.flink.connector.kafka.source.enumerator.initializer.OffsetsInitializer;
import org.apache.flink.connector.kafka.source.reader.deserializer.KafkaRecordDeserializationSchema;
import org.apache.flink.core.execution.CheckpointingMode;
import org.apache.flink.streaming.api.environment.StreamExecutionEnvironment;
import org.apache.flink.util.Collector;
import org.apache.kafka.clients.consumer.ConsumerRecord;
import org.apache.kafka.clients.producer.ProducerRecord;

/** Flink as a contestant: state (hashmap or rocksdb), brokers, app, input, output, folder, parallelism, checkpoint ms. */
public final class Main {
  public static void main(String[] args) throws Exception {
    String brokers = args[1], app = args[2];
    StreamExecutionEnvironment env = StreamExecutionEnvironment.createLocalEnvironment(
        Integer.parseInt(args[6]), settings(args[0], args[5]));
    env.enableCheckpointing(Long.parseLong(args[7]), CheckpointingMode.EXACTLY_ONCE);
    env.getConfig().enableObjectReuse();
    env.setBufferTimeout(10);
    env.fromSource(source(brokers, app, args[3]), WatermarkStrategy.noWatermarks(), "impressions", PlainType.EVENT)
        .keyBy(e -> e.key, PlainType.TEXT)
        .process(new Merge(), Types.TUPLE(Types.PRIMITIVE_ARRAY(Types.BYTE), Types.PRIMITIVE_ARRAY(Types.BYTE), Types.LONG))
        .sinkTo(sink(brokers, app, args[4]));
    env.execute(app);
  }

  private static Configuration settings(String state, String dir) {
    Configuration c = new Configuration();
    c.setString("state.backend.type", state);
    c.setString("state.backend.rocksdb.use-bloom-filter", "true"); // as Kafka Streams has them by default
    c.setString("execution.checkpointing.incremental", "true");
    c.setString("execution.checkpointing.storage", "filesystem");
    c.setString("execution.checkpointing.dir", "file://" + dir + "/checkpoints");
    c.setString("io.tmp.dirs", dir);
    c.setString("pipeline.generic-types", "false");
    c.setString("taskmanager.memory.managed.size", state.equals("rocksdb") ? "512m" : "32m");
    c.setString("taskmanager.memory.network.min", "64m");
    c.setString("taskmanager.memory.network.max", "64m");
    return c;
  }

  private static KafkaSource<Event> source(String brokers, String app, String topic) {
    return KafkaSource.<Event>builder()
        .setBootstrapServers(brokers).setGroupId(app).setTopics(topic)
        .setStartingOffsets(OffsetsInitializer.earliest())
        .setDeserializer(new Decode())
        .setProperty("isolation.level", "read_committed")
        .setProperty("max.poll.records", "5000")
        .setProperty("max.partition.fetch.bytes", String.valueOf(2 << 20))
        .setProperty("fetch.max.wait.ms", "100")
        .build();
  }

  private static KafkaSink<Tuple3<byte[], byte[], Long>> sink(String brokers, String app, String topic) {
    Properties p = new Properties();
    p.put("transaction.timeout.ms", "60000");
    p.put("compression.type", "lz4");
    p.put("linger.ms", "5");
    p.put("batch.size", String.valueOf(256 << 10));
    return KafkaSink.<Tuple3<byte[], byte[], Long>>builder()
        .setBootstrapServers(brokers)
        .setDeliveryGuarantee(DeliveryGuarantee.EXACTLY_ONCE)
        .setTransactionalIdPrefix(app)
        .setTransactionNamingStrategy(TransactionNamingStrategy.POOLING)
        .setKafkaProducerConfig(p)
        .setRecordSerializer(new Encode(topic))
        .build();
  }

  private static final class Decode implements KafkaRecordDeserializationSchema<Event> {
    @Override
    public void deserialize(ConsumerRecord<byte[], byte[]> r, Collector<Event> out) {
      Impression i = Impression.parse(r.value());
      if (i == null) {
        return;
      }
      Event e = new Event();
      e.impression = i;
      e.key = i.user + "|" + i.flag;
      e.topic = r.topic();
      e.partition = r.partition();
      e.offset = r.offset();
      e.timestamp = r.timestamp();
      out.collect(e);
    }

    @Override
    public TypeInformation<Event> getProducedType() {
      return PlainType.EVENT;
    }
  }

  private static final class Encode
      implements KafkaRecordSerializationSchema<Tuple3<byte[], byte[], Long>>, KafkaDatasetFacetProvider {
    private final String topic;

    Encode(String topic) {
      this.topic = topic;
    }

    @Override
    public ProducerRecord<byte[], byte[]> serialize(Tuple3<byte[], byte[], Long> c, KafkaSinkContext context, Long at) {
      int partitions = context.getPartitionsForTopic(topic).length;
      return new ProducerRecord<>(topic, Partition.of(c.f0, partitions), c.f2, c.f0, c.f1);
    }

    /** Transactional ids that are used again want to know the topics. */
    @Override
    public Optional<KafkaDatasetFacet> getKafkaDatasetFacet() {
      return Optional.of(new DefaultKafkaDatasetFacet(DefaultKafkaDatasetIdentifier.ofTopics(List.of(topic))));
    }
  }

  private Main() {}
}
