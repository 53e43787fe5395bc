package workload

import (
	"bytes"
	"fmt"
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
	user, err := number(key, `"id":"`+userPrefix)
	if err != nil {
		return err
	}
	flag, err := number(key, `"trait":"`+flagPrefix)
	if err != nil {
		return err
	}
	text, ok := member(value, `"value":"`)
	t := treatment(string(text))
	if !ok || t < 0 || user >= r.p.Users || flag >= r.p.Flags {
		return fmt.Errorf("the output holds %s = %s, which cannot come of the input", key, value)
	}
	r.output(uint32(user*r.p.Flags+flag), uint8(t+1))
	return nil
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
