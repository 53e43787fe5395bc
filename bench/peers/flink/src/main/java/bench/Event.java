package bench;

/** An impression with its place. */
final class Event {
  String key; // user, a bar, flag
  Impression impression;
  String topic;
  int partition;
  long offset;
  long timestamp;
}
