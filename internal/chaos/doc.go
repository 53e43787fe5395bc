// Package chaos holds one test and nothing else: it runs the program on three
// nodes of a real Kafka, kills, stops and expels whatever there is, and then
// compares what an independent reader finds in the topics with the oracle.
package chaos
