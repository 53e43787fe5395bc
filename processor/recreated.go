package processor

import "errors"

// errRecreated says that a source was deleted and created again while it was
// read. A new client in the old seat reads it from its start.
var errRecreated = errors.New("a source was deleted and created again")

// hasBegun notes under which id the client has seen a topic, or begun to read it.
func (s *starts) hasBegun(topic, id string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if id == "" {
		return
	}
	if s.begun[topic] == nil {
		s.begun[topic] = map[string]bool{}
	}
	s.begun[topic][id] = true
}

// outlived tells whether another topic has replaced one that the client has
// seen: it never takes to a new id by itself, nor to one that it sees later.
func (s *starts) outlived(ids map[string]string) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	for topic, begun := range s.begun {
		if id := ids[topic]; id != "" && (len(begun) > 1 || !begun[id]) {
			return true
		}
	}
	return false
}
