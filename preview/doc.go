// Package preview tells what definitions would make of the sources' history, and
// how that differs from the traits that the running app holds now. It joins no
// group, keeps no state and writes nothing.
//
// The traits topic is read first, to its end, then the sources, as far as they
// reach then, all partitions at a time. Impressions are decoded, matched and
// merged by the code that run uses. As the merge takes any order, the last value
// of a trait does not depend on the order in which partitions are read; how often
// it changed does, where a user's impressions lie in several.
//
// Memory is bounded. Users are kept, with all their traits, until there are too
// many; then those are let go whose hash begins with a bit that is set, half of
// all, and as many more bits as it takes. What is left is a sample of users, by
// which values, changes and differences are estimated; all users are counted by
// HyperLogLog from then on. The counts of impressions are exact in any case.
//
// Users and traits are told apart by hashes of 64 bits: of ten million traits two
// share one in one preview of 400,000.
//
// What the app has not processed, or perhaps not, when its traits were read is
// marked, and no difference that comes from that is called one.
package preview
