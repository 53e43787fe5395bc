package goka

import (
	"encoding/binary"
	"errors"
	"fmt"
	"time"

	"github.com/buger/jsonparser"
	"github.com/lovoo/goka"
)

// impression is what is needed of one.
type impression struct {
	user, flag, treatment, environment, label string
	version, seenAt                           int64
}

// impressionCodec reads impressions in the shapes of Segment and of Split's
// webhook.
type impressionCodec struct{}

func (impressionCodec) Encode(any) ([]byte, error) {
	return nil, errors.New("impressions are read only")
}

var paths = [][]string{
	{"userId"}, {"timestamp"}, {"properties", "split"}, {"properties", "treatment"}, {"properties", "environmentName"},
	{"properties", "label"}, {"properties", "splitVersionNumber"},
	{"key"}, {"time"}, {"split"}, {"treatment"}, {"environmentName"}, {"label"}, {"splitVersionNumber"},
}

func (impressionCodec) Decode(data []byte) (any, error) {
	i := new(impression)
	var failed error
	jsonparser.EachKey(data, func(path int, value []byte, _ jsonparser.ValueType, err error) {
		switch path {
		case 0, 7:
			i.user = string(value)
		case 1:
			var t time.Time
			if t, err = time.Parse(time.RFC3339, string(value)); err == nil {
				i.seenAt = t.UnixMilli()
			}
		case 2, 9:
			i.flag = string(value)
		case 3, 10:
			i.treatment = string(value)
		case 4, 11:
			i.environment = string(value)
		case 5, 12:
			i.label = string(value)
		case 6, 13:
			i.version, err = jsonparser.ParseInt(value)
		case 8:
			i.seenAt, err = jsonparser.ParseInt(value)
		}
		failed = errors.Join(failed, err)
	}, paths...)
	return i, failed
}

func (i *impression) changeKey() string {
	return fmt.Sprintf(`{"identity":"user","id":%q,"trait":%q}`, i.user, i.flag)
}

func (i *impression) change(previous string, c goka.Context) []byte {
	before := "null"
	if previous != "" {
		before = `"` + previous + `"`
	}
	return fmt.Appendf(nil, `{"identity":"user","id":%q,"trait":%q,"value":%q,"previous":%s,"seen_at":%q,"split":%q,"environment":%q,`+
		`"label":%q,"flag_version":%d,"source":{"topic":%q,"partition":%d,"offset":%d}}`,
		i.user, i.flag, i.treatment, before, time.UnixMilli(i.seenAt).UTC().Format("2006-01-02T15:04:05.000Z"), i.flag, i.environment,
		i.label, i.version, c.Topic(), c.Partition(), c.Offset())
}

// user is a row of the table.
type user struct{ traits []userTrait }

type userTrait struct {
	flag, treatment string
	seenAt          int64
}

func (u *user) trait(flag string) *userTrait {
	for i := range u.traits {
		if u.traits[i].flag == flag {
			return &u.traits[i]
		}
	}
	return nil
}

type userCodec struct{}

func (userCodec) Encode(value any) ([]byte, error) {
	var b []byte
	for _, t := range value.(*user).traits {
		b = binary.BigEndian.AppendUint64(b, uint64(t.seenAt))
		b = append(append(b, byte(len(t.flag))), t.flag...)
		b = append(append(b, byte(len(t.treatment))), t.treatment...)
	}
	return b, nil
}

func (userCodec) Decode(b []byte) (any, error) {
	u := new(user)
	for len(b) > 0 {
		t := userTrait{seenAt: int64(binary.BigEndian.Uint64(b))}
		t.flag, b = text(b[8:])
		t.treatment, b = text(b)
		u.traits = append(u.traits, t)
	}
	return u, nil
}

func text(b []byte) (string, []byte) { return string(b[1 : 1+b[0]]), b[1+b[0]:] }
