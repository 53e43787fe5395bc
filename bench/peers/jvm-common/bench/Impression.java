package bench;

import com.fasterxml.jackson.core.JsonFactory;
import com.fasterxml.jackson.core.JsonParser;
import com.fasterxml.jackson.core.JsonToken;
import java.io.IOException;
import java.time.Instant;

/** What is needed of an impression, in the shape of Segment or of Split's webhook. */
final class Impression {
  private static final JsonFactory JSON = new JsonFactory();

  String user;
  String flag;
  String treatment;
  String environment;
  String label;
  long version;
  long seenAt;

  /** Reads an impression with a streaming parser; null if it lacks something. */
  static Impression parse(byte[] json) {
    Impression i = new Impression();
    try (JsonParser p = JSON.createParser(json)) {
      i.read(p, true);
    } catch (IOException e) {
      return null;
    }
    return i.user == null || i.flag == null || i.treatment == null || i.seenAt == 0 ? null : i;
  }

  private void read(JsonParser p, boolean top) throws IOException {
    if (top) {
      p.nextToken();
    }
    while (p.nextToken() != JsonToken.END_OBJECT) {
      String name = p.currentName();
      JsonToken value = p.nextToken();
      switch (name) {
        case "userId" -> user = p.getText();
        case "key" -> user = user == null ? p.getText() : user;
        case "split" -> flag = p.getText();
        case "treatment" -> treatment = p.getText();
        case "environmentName" -> environment = p.getText();
        case "label" -> label = p.getText();
        case "splitVersionNumber" -> version = p.getLongValue();
        case "time" -> seenAt = p.getLongValue();
        case "timestamp" -> seenAt = Instant.parse(p.getText()).toEpochMilli();
        case "properties" -> read(p, false);
        default -> {
          if (value == JsonToken.START_OBJECT || value == JsonToken.START_ARRAY) {
            p.skipChildren();
          }
        }
      }
    }
  }
}
