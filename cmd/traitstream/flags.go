package main

import (
	"errors"
	"strconv"
	"time"
)

// users is the value of --users: a number, or 0 for all.
type users int

func (u *users) String() string {
	if *u == 0 {
		return "all"
	}
	return strconv.Itoa(int(*u))
}

func (u *users) Set(text string) error {
	if text == "all" {
		*u = 0
		return nil
	}
	n, err := strconv.Atoi(text)
	if err != nil || n < 1 {
		return errors.New("it is a number from 1, or all")
	}
	*u = users(n)
	return nil
}

func (*users) Type() string { return "N|all" }

// recordTime is the value of --record-time; zero stands for now.
type recordTime struct{ time.Time }

func (t *recordTime) String() string {
	if t.IsZero() {
		return ""
	}
	return t.Format(time.RFC3339Nano)
}

func (t *recordTime) Set(text string) error {
	at, err := parseMoment(text)
	t.Time = at
	return err
}

func (*recordTime) Type() string { return "TIME" }

// clock returns one that stands at the time, or nil for the real one.
func (t *recordTime) clock() func() time.Time {
	if t.IsZero() {
		return nil
	}
	return func() time.Time { return t.Time }
}
