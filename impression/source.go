package impression

// Format is the shape of a source's records.
type Format string

// The formats. Auto tells each object's shape by the names that it has.
const (
	Auto              Format = "auto"
	Segment           Format = "segment"
	SplitWebhook      Format = "split-webhook"
	SplitListener     Format = "split-listener"
	SplitSynchronizer Format = "split-synchronizer"
	SplitBulk         Format = "split-bulk"
	SplitExport       Format = "split-export"
)

// Avro is the shape of the webhook and the export in Avro. Decoded here is the
// JSON that a record is turned into.
const Avro Format = "avro"

// Formats lists every format of JSON, Auto first.
func Formats() []Format {
	return []Format{Auto, Segment, SplitWebhook, SplitListener, SplitSynchronizer, SplitBulk, SplitExport}
}

// Source tells how the records of one topic are read.
type Source struct {
	Topic  string
	Format Format
	// Identity is that of Split's own shapes, which do not tell. Zero skips them.
	Identity Identity
	// ByTrafficType maps trafficTypeId to an identity, zero to skip; where it
	// is not nil it goes before Identity, which then serves for all other ids
	// and for a missing one.
	ByTrafficType map[string]Identity
	// Environment is the environmentName of payloads that name no environment.
	Environment string
	// Environments names the environment of payloads that carry only its id.
	Environments map[string]string
}

// Filter tells the decoder what the definitions can make use of, so that the
// rest costs little. It never changes an element's outcome, save that Segment
// calls of other events are skipped.
type Filter struct {
	// Events are the Segment events that are impressions.
	Events []string
	// Flags are the flags that some definition may want; nil stands for all.
	// An accepted impression of another flag is returned with its facts alone.
	Flags map[string]struct{}
	// Extras tells that a condition looks at a field beyond the facts: the
	// bucketing key, traffic type, SDK or machine.
	Extras bool
	// Properties are the names under "properties" that definitions look at.
	Properties []string
}
