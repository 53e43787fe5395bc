package oracle

// decodeSegment reads a call of Segment. Only the tracks of events that a
// definition names are impressions; nothing else of other calls is looked at.
func decodeSegment(src Source, events map[string]bool, outer []member) element {
	call, event := plain(outer, "type"), plain(outer, "event")
	if call != "" && call != "track" || event == "" || !events[event] {
		return element{skipped: true}
	}
	r := newReader()
	r.imp.event = event
	inner := r.segmentProperties(only(outer, "properties"))

	user := r.first(outer, "userId", "anonymousId")
	r.imp.identity = "user"
	if missing(only(outer, "userId")) {
		r.imp.identity = "anonymous"
	}
	at := r.first(outer, "timestamp", "originalTimestamp", "sentAt", "receivedAt")
	for _, m := range user {
		inner = append(inner, member{"key", m.piece})
	}
	for _, m := range at {
		inner = append(inner, member{"time", m.piece})
	}
	r.read(inner, nil)
	return r.verdict(src)
}

// segmentProperties returns the facts under "properties", of which the flag has
// one name alone, and the user and the time none. An empty string holds no
// object: it is a bad one.
func (r *reader) segmentProperties(found []member) []member {
	if len(found) > 1 {
		r.malformed = true
		return nil
	}
	if len(found) == 0 || kind(found[0].raw) == 'n' {
		return nil
	}
	all := object(found[0].raw)
	r.malformed = all == nil
	r.imp.properties = byName(all)
	return append(named(all, "key", "time", "split"), only(all, "split")...)
}

// first returns what stands under the first name that is not missing. Each of
// the names may stand once.
func (r *reader) first(object []member, names ...string) []member {
	var first []member
	for _, name := range names {
		found := only(object, name)
		if len(found) > 1 {
			r.malformed = true
		}
		if missing(first) {
			first = found
		}
	}
	return first
}
