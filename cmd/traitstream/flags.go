package main

import (
	"errors"
	"strconv"
	"time"

	"traitstream/config"
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

// timeout is the value of --timeout, a duration as the configuration has it; 0 is none.
type timeout time.Duration

func (t *timeout) String() string {
	if *t == 0 {
		return ""
	}
	return config.FormatDuration(time.Duration(*t))
}

func (t *timeout) Set(text string) error {
	d, err := parseDays(text)
	if err != nil {
		return errors.New("it is how long to wait, such as 90s, 1h or 2d")
	}
	*t = timeout(d)
	return nil
}

func (*timeout) Type() string { return "DURATION" }
