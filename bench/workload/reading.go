package workload

import (
	"bytes"
	"fmt"
	"math"
	"time"
)

// Reading is what a contestant has put out, record by record in the order of
// each partition.
type Reading struct {
	p Params
	*Truth
}

// NewReading returns an empty one.
func (p Params) NewReading() *Reading { return &Reading{p, newTruth(p.Users * p.Flags)} }

// Take takes a record of the output: JSON objects with the members id and trait
// in the key, value in the value. Any contestant writes these without blanks.
func (r *Reading) Take(key, value []byte) error {
	trait, treatment, err := r.p.change(key, value)
	if err != nil {
		return err
	}
	r.output(trait, treatment+1)
	return nil
}

// Cause returns the event that a record of the output came of, as the value's
// seen_at tells, without when that was sent: events that differ in nothing else
// are repetitions, of which the first alone can change anything.
func (p Params) Cause(key, value []byte) (Event, error) {
	e := Event{}
	var err error
	if e.Key, e.Treatment, err = p.change(key, value); err != nil {
		return e, err
	}
	text, _ := member(value, `"seen_at":"`)
	at, err := time.Parse(time.RFC3339, string(text))
	if err != nil {
		return e, fmt.Errorf("reading the output's seen_at: %w", err)
	}
	since := at.Sub(Epoch).Milliseconds()
	if since < 0 || since > math.MaxUint32 {
		return e, fmt.Errorf("the output's seen_at %s is not one of the input", text)
	}
	e.SeenAt = uint32(since)
	return e, nil
}

// change returns the key and the treatment that a record of the output tells.
func (p Params) change(key, value []byte) (uint32, uint8, error) {
	user, err := number(key, `"id":"`+userPrefix)
	if err != nil {
		return 0, 0, err
	}
	flag, err := number(key, `"trait":"`+flagPrefix)
	if err != nil {
		return 0, 0, err
	}
	text, ok := member(value, `"value":"`)
	t := treatment(string(text))
	if !ok || t < 0 || user >= p.Users || flag >= p.Flags {
		return 0, 0, fmt.Errorf("the output holds %s = %s, which cannot come of the input", key, value)
	}
	return uint32(user*p.Flags + flag), uint8(t), nil
}

// Digest tells what was put out.
func (r *Reading) Digest() Digest { return r.digest() }

// member returns the text behind a beginning, up to the next quote.
func member(b []byte, begin string) ([]byte, bool) {
	_, b, ok := bytes.Cut(b, []byte(begin))
	if !ok {
		return nil, false
	}
	text, _, ok := bytes.Cut(b, []byte(`"`))
	return text, ok
}

func number(b []byte, begin string) (int, error) {
	text, ok := member(b, begin)
	n := 0
	for _, c := range text {
		ok = ok && c >= '0' && c <= '9'
		n = n*10 + int(c-'0')
	}
	if !ok || len(text) == 0 || len(text) > 9 {
		return 0, fmt.Errorf("the output's key %s is not one of the input", b)
	}
	return n, nil
}
