package fleet

// Receipt tells what became of a request, in the order of its users.
type Receipt struct {
	App   string          `json:"app"`
	Users []ForgottenUser `json:"users"`
}

// ForgottenUser tells what was removed of a user.
type ForgottenUser struct {
	Identity string  `json:"identity"`
	ID       string  `json:"id"`
	Trait    *string `json:"trait,omitempty"` // where that one alone was to be forgotten
	// RefusedUntil is the time up to which impressions of the user count no more.
	RefusedUntil string           `json:"refused_until"`
	Command      LogPlace         `json:"command"` // in the inbox, which is emptied of what is done
	Marker       LogPlace         `json:"marker"`  // in the changelog
	Traits       []ForgottenTrait `json:"traits"`  // those that had a value
	State        []ForgottenState `json:"state"`   // what was removed from the changelog
}

// ForgottenTrait is a tombstone in the traits topic.
type ForgottenTrait struct {
	Trait    string   `json:"trait"`
	ChangeID string   `json:"change_id"`
	Place    LogPlace `json:"place"`
}

// ForgottenState is a tombstone in the changelog.
type ForgottenState struct {
	Trait string   `json:"trait"`
	Place LogPlace `json:"place"`
}

// LogPlace is where a record stands.
type LogPlace struct {
	Topic     string `json:"topic"`
	Partition int32  `json:"partition"`
	Offset    int64  `json:"offset"`
}
