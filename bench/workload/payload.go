package workload

import (
	"fmt"
	"time"
)

// Epoch is the time that events count from.
var Epoch = time.Date(2026, 3, 2, 10, 0, 0, 0, time.UTC)

const (
	userPrefix = "user-"
	userDigits = 7
	flagPrefix = "flag_"
	flagDigits = 2
)

// User returns the user of a key.
func (p Params) User(key uint32) string { return string(p.appendUser(nil, key)) }

func (p Params) appendUser(b []byte, key uint32) []byte {
	return appendNumber(append(b, userPrefix...), int64(key)/int64(p.Flags), userDigits)
}

func (p Params) appendFlag(b []byte, key uint32) []byte {
	return appendNumber(append(b, flagPrefix...), int64(key)%int64(p.Flags), flagDigits)
}

// Append appends an event's payload.
func (p Params) Append(b []byte, e Event) []byte {
	if p.Shape == Webhook {
		return p.appendWebhook(b, e)
	}
	return p.appendSegment(b, e)
}

func (p Params) appendWebhook(b []byte, e Event) []byte {
	b = p.appendUser(append(b, `{"key":"`...), e.Key)
	b = p.appendFlag(append(b, `","split":"`...), e.Key)
	b = append(append(b, `","treatment":"`...), Treatments[e.Treatment]...)
	b = appendNumber(append(b, `","time":`...), Epoch.UnixMilli()+int64(e.SeenAt), 0)
	return append(b, `,"label":"default rule","environmentId":"0c3a9f10-9d3e-11ee-8c90-0242ac120002",`+
		`"environmentName":"Production","splitVersionNumber":1665436973467,"sdk":"java-server","sdkVersion":"4.12.0",`+
		`"machineIp":"10.1.14.7","machineName":"ip-10-1-14-7"}`...)
}

func (p Params) appendSegment(b []byte, e Event) []byte {
	b = p.appendUser(append(b, `{"type":"track","event":"get_treatment","userId":"`...), e.Key)
	b = append(appendHex(append(b, `","messageId":"api-`...), mix(uint64(e.Key)<<32|uint64(e.SeenAt))), `","timestamp":"`...)
	b = append(appendTime(b, e.SeenAt), `","originalTimestamp":"`...)
	b = append(appendTime(b, e.SeenAt), `","sentAt":"`...)
	b = append(appendTime(b, e.SeenAt), `","receivedAt":"`...)
	b = append(appendTime(b, e.SeenAt), `","properties":{"split":"`...)
	b = append(p.appendFlag(b, e.Key), `","treatment":"`...)
	b = append(append(b, Treatments[e.Treatment]...), `","label":"default rule","environmentName":"Production",`+
		`"environmentId":"0c3a9f10-9d3e-11ee-8c90-0242ac120002","key":"`...)
	b = p.appendUser(b, e.Key)
	return append(b, `","splitVersionNumber":1665436973467,"machineIP":"10.1.14.7","machineName":"ip-10-1-14-7",`+
		`"sdk":"java-server","sdkVersion":"4.12.0"},"context":{"library":{"name":"unknown","version":"unknown"}},`+
		`"integrations":{},"projectId":"w4b1Qm2nTe7yS6k9","version":2,"channel":"server"}`...)
}

// appendTime appends RFC 3339 with milliseconds. All events of a day have the
// same date, so it is not computed again.
func appendTime(b []byte, ms uint32) []byte {
	t := Epoch.Add(time.Duration(ms) * time.Millisecond)
	year, month, day := t.Date()
	b = append(appendNumber(b, int64(year), 4), '-')
	b = append(appendNumber(b, int64(month), 2), '-')
	b = append(appendNumber(b, int64(day), 2), 'T')
	b = append(appendNumber(b, int64(t.Hour()), 2), ':')
	b = append(appendNumber(b, int64(t.Minute()), 2), ':')
	b = append(appendNumber(b, int64(t.Second()), 2), '.')
	return append(appendNumber(b, int64(t.Nanosecond()/1e6), 3), 'Z')
}

// appendNumber appends a number in at least so many digits.
func appendNumber(b []byte, n int64, digits int) []byte {
	var d [20]byte
	i := len(d)
	for n > 0 || len(d)-i < digits || i == len(d) {
		i--
		d[i] = byte('0' + n%10)
		n /= 10
	}
	return append(b, d[i:]...)
}

func appendHex(b []byte, n uint64) []byte { return fmt.Appendf(b, "%016x", n) }
