package bench;

import java.nio.ByteBuffer;
import java.nio.charset.StandardCharsets;

/** The state of a trait: time (8 bytes), then the treatment's bytes. */
final class LastSeen {
  /** Tells whether an impression goes before what was seen: by time, then by the treatment's bytes. */
  static boolean wins(Impression i, byte[] state) {
    if (state == null) {
      return true;
    }
    long at = ByteBuffer.wrap(state).getLong();
    return i.seenAt > at || i.seenAt == at && i.treatment.compareTo(treatment(state)) > 0;
  }

  static String treatment(byte[] state) {
    return state == null ? null : new String(state, 8, state.length - 8, StandardCharsets.UTF_8);
  }

  static byte[] state(Impression i) {
    byte[] treatment = i.treatment.getBytes(StandardCharsets.UTF_8);
    return ByteBuffer.allocate(8 + treatment.length).putLong(i.seenAt).put(treatment).array();
  }

  private LastSeen() {}
}
