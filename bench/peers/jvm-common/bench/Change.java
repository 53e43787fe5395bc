package bench;

import com.fasterxml.jackson.core.JsonFactory;
import com.fasterxml.jackson.core.JsonGenerator;
import java.io.ByteArrayOutputStream;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.time.Instant;

/** A change of a trait, as JSON. */
final class Change {
  private static final JsonFactory JSON = new JsonFactory();

  static byte[] key(String user, String flag) {
    ByteArrayOutputStream out = new ByteArrayOutputStream(96);
    try (JsonGenerator g = JSON.createGenerator(out)) {
      g.writeStartObject();
      g.writeStringField("identity", "user");
      g.writeStringField("id", user);
      g.writeStringField("trait", flag);
      g.writeEndObject();
    } catch (IOException e) {
      throw new UncheckedIOException(e);
    }
    return out.toByteArray();
  }

  static byte[] value(Impression i, String previous, String topic, int partition, long offset) {
    ByteArrayOutputStream out = new ByteArrayOutputStream(384);
    try (JsonGenerator g = JSON.createGenerator(out)) {
      g.writeStartObject();
      g.writeStringField("identity", "user");
      g.writeStringField("id", i.user);
      g.writeStringField("trait", i.flag);
      g.writeStringField("value", i.treatment);
      g.writeStringField("previous", previous);
      g.writeStringField("seen_at", Instant.ofEpochMilli(i.seenAt).toString());
      g.writeStringField("split", i.flag);
      g.writeStringField("environment", i.environment);
      g.writeStringField("label", i.label);
      g.writeNumberField("flag_version", i.version);
      g.writeObjectFieldStart("source");
      g.writeStringField("topic", topic);
      g.writeNumberField("partition", partition);
      g.writeNumberField("offset", offset);
      g.writeEndObject();
      g.writeEndObject();
    } catch (IOException e) {
      throw new UncheckedIOException(e);
    }
    return out.toByteArray();
  }

  private Change() {}
}
