package bench;

import java.nio.ByteBuffer;
import java.nio.charset.StandardCharsets;
import org.apache.flink.api.common.functions.OpenContext;
import org.apache.flink.api.common.state.ValueState;
import org.apache.flink.api.common.state.ValueStateDescriptor;
import org.apache.flink.api.common.typeinfo.PrimitiveArrayTypeInfo;
import org.apache.flink.api.java.tuple.Tuple3;
import org.apache.flink.streaming.api.functions.KeyedProcessFunction;
import org.apache.flink.util.Collector;

/** Keeps time (8 bytes) and treatment of each key, and puts out changes: key, value, timestamp. */
final class Merge extends KeyedProcessFunction<String, Event, Tuple3<byte[], byte[], Long>> {
  private transient ValueState<byte[]> state;

  @Override
  public void open(OpenContext context) {
    state = getRuntimeContext().getState(
        new ValueStateDescriptor<>("last-seen", PrimitiveArrayTypeInfo.BYTE_PRIMITIVE_ARRAY_TYPE_INFO));
  }

  @Override
  public void processElement(Event e, Context context, Collector<Tuple3<byte[], byte[], Long>> out) throws Exception {
    Impression i = e.impression;
    byte[] before = state.value();
    String previous = before == null ? null : new String(before, 8, before.length - 8, StandardCharsets.UTF_8);
    if (before != null) {
      long at = ByteBuffer.wrap(before).getLong();
      if (i.seenAt < at || i.seenAt == at && i.treatment.compareTo(previous) <= 0) {
        return;
      }
    }
    byte[] treatment = i.treatment.getBytes(StandardCharsets.UTF_8);
    state.update(ByteBuffer.allocate(8 + treatment.length).putLong(i.seenAt).put(treatment).array());
    if (!i.treatment.equals(previous)) {
      out.collect(Tuple3.of(Change.key(i.user, i.flag), Change.value(i, previous, e.topic, e.partition, e.offset), e.timestamp));
    }
  }
}
