package bench;

import java.io.IOException;
import org.apache.flink.api.common.typeutils.SimpleTypeSerializerSnapshot;
import org.apache.flink.api.common.typeutils.TypeSerializerSnapshot;
import org.apache.flink.api.common.typeutils.base.TypeSerializerSingleton;
import org.apache.flink.core.memory.DataInputView;
import org.apache.flink.core.memory.DataOutputView;

/** Writes an event between the source and the merge. */
public final class EventSerializer extends TypeSerializerSingleton<Event> {
  static final EventSerializer INSTANCE = new EventSerializer();

  @Override
  public void serialize(Event e, DataOutputView out) throws IOException {
    Impression i = e.impression;
    Utf8.write(e.key, out);
    Utf8.write(i.treatment, out);
    Utf8.write(i.environment, out);
    Utf8.write(i.label, out);
    out.writeLong(i.version);
    out.writeLong(i.seenAt);
    Utf8.write(e.topic, out);
    out.writeInt(e.partition);
    out.writeLong(e.offset);
    out.writeLong(e.timestamp);
  }

  @Override
  public Event deserialize(DataInputView in) throws IOException {
    Event e = new Event();
    Impression i = new Impression();
    e.impression = i;
    e.key = Utf8.read(in);
    int bar = e.key.lastIndexOf('|');
    i.user = e.key.substring(0, bar);
    i.flag = e.key.substring(bar + 1);
    i.treatment = Utf8.read(in);
    i.environment = Utf8.read(in);
    i.label = Utf8.read(in);
    i.version = in.readLong();
    i.seenAt = in.readLong();
    e.topic = Utf8.read(in);
    e.partition = in.readInt();
    e.offset = in.readLong();
    e.timestamp = in.readLong();
    return e;
  }

  @Override
  public Event deserialize(Event reuse, DataInputView in) throws IOException {
    return deserialize(in);
  }

  @Override
  public void copy(DataInputView in, DataOutputView out) throws IOException {
    serialize(deserialize(in), out);
  }

  @Override
  public boolean isImmutableType() {
    return true;
  }

  @Override
  public Event createInstance() {
    return new Event();
  }

  @Override
  public Event copy(Event from) {
    return from;
  }

  @Override
  public Event copy(Event from, Event reuse) {
    return from;
  }

  @Override
  public int getLength() {
    return -1;
  }

  @Override
  public TypeSerializerSnapshot<Event> snapshotConfiguration() {
    return new Snapshot();
  }

  /** Its snapshot. */
  public static final class Snapshot extends SimpleTypeSerializerSnapshot<Event> {
    public Snapshot() {
      super(() -> INSTANCE);
    }
  }
}
