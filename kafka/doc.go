// Package kafka connects: it turns the configuration into client options, sees
// to the topics, places records as Java's producer does, reads a piece of a
// partition from end to end, and starts the embedded broker.
//
// Everything works on a plain franz-go client that the caller makes from
// [Options] and owns. The package keeps nothing between calls, save for a
// running [Embedded] broker.
//
// Errors say what the user should check. [Explain] adds that to errors of the
// client that commands meet elsewhere.
package kafka
