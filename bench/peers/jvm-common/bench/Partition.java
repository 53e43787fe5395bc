package bench;

import java.nio.charset.StandardCharsets;
import org.apache.kafka.common.utils.Utils;

/** Where a user's changes go: murmur2 of the user, as Java's default partitioner would place him. */
final class Partition {
  private static final byte[] BEGIN = "\"id\":\"".getBytes(StandardCharsets.US_ASCII);

  /** Finds the user in the key of a change. */
  static int of(byte[] key, int partitions) {
    int from = 0;
    while (!begins(key, from)) {
      from++;
    }
    from += BEGIN.length;
    int to = from;
    while (key[to] != '"') {
      to++;
    }
    return Utils.toPositive(Utils.murmur2(java.util.Arrays.copyOfRange(key, from, to))) % partitions;
  }

  private static boolean begins(byte[] key, int from) {
    for (int i = 0; i < BEGIN.length; i++) {
      if (key[from + i] != BEGIN[i]) {
        return false;
      }
    }
    return true;
  }

  private Partition() {}
}
