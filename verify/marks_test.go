package verify

import (
	"context"
	"fmt"
	"testing"
	"time"
)

// Behind the marks the changelog may be late in when a value was last seen, and
// in nothing else.
func TestMarks(t *testing.T) {
	for _, c := range []struct {
		corruption string
		marked     int // of the victim's three impressions, how many lie before the mark
		want       []Kind
	}{
		{"", 3, nil},
		{"", 2, nil},
		{"", 0, nil},
		{"a time set back in the changelog", 3, []Kind{WrongChangelog}},
		{"a time set back in the changelog", 2, nil},
		{"a time changed in the changelog", 2, []Kind{WrongChangelog}},
		{"an older impression that has won", 2, []Kind{WrongTrait}},
		{"an older impression that has won", 0, []Kind{WrongTrait}},
		{"a removal in the changelog", 0, []Kind{WrongChangelog}},
	} {
		t.Run(fmt.Sprintf("%s at %d", c.corruption, c.marked), func(t *testing.T) {
			w := newWorld(t, "", 3)
			w.fill()
			switch c.corruption {
			case "":
			case "a time set back in the changelog":
				rec := w.logged()
				rec.Seen.SeenAt -= 1000
				w.log(&rec)
			default:
				wrong[c.corruption].do(w)
			}
			v := newVerifier(Options{Config: w.cfg, Topics: w.topics, Client: w.client})
			p := newPass(v, v.o.Tasks, nil)
			var err error
			p.cut, err = v.cut(w.limit(), p.tasks)
			noError(t, err)
			if offsets := w.offsets("u3", "f"); c.marked < len(offsets) {
				p.cut.marks[partition{"impressions", w.task()}] = offsets[c.marked]
			}
			noError(t, p.compare(w.limit()))
			var found []Kind
			for _, d := range p.differences {
				found = append(found, d.Kind)
			}
			if fmt.Sprint(found) != fmt.Sprint(c.want) {
				t.Errorf("found %v, want %v", p.differences, c.want)
			}
		})
	}
}

// A group at work whose changelog is late is right, what was forwarded too.
func TestWhileMovesAreUnlogged(t *testing.T) {
	w := newWorld(t, "processor: {flush_interval: 1h}", 3)
	w.fill()
	for user := range 8 {
		r := w.webhook(fmt.Sprintf("u%d", user), "f", "on", 9000)
		if user%2 == 0 {
			r = w.elsewhere(r)
		}
		w.put(r)
	}
	ctx, stop := context.WithCancel(w.limit())
	done := make(chan struct{})
	go func() {
		defer close(done)
		w.process(ctx, false)
	}()
	for w.marked() < 4 { // a source's and the inbox's
		select {
		case <-ctx.Done():
			t.Fatal("there were never enough marks")
		case <-time.After(20 * time.Millisecond):
		}
	}
	r, all := w.verifyWith()
	if len(all) > 0 || r.Traits != 16 {
		t.Errorf("%+v differ, of %d", all, r.Traits)
	}
	stop()
	<-done
	w.clean()
}

// An impression that was forwarded and came after a later one, whose move is not
// logged yet, has moved nothing: the changelog has neither, and no mark lies
// before it.
func TestBehindWhatIsUnlogged(t *testing.T) {
	for name, earlier := range map[string]int64{"an earlier one": 500, "one as late": 0} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t, "processor: {flush_interval: 1h}", 3)
			w.fill()
			ctx, stop := context.WithCancel(w.limit())
			done := make(chan struct{})
			go func() {
				defer close(done)
				w.process(ctx, false)
			}()
			until := func(what string, ok func() bool) {
				t.Helper()
				for !ok() {
					select {
					case <-ctx.Done():
						t.Fatalf("waited in vain until %s", what)
					case <-time.After(20 * time.Millisecond):
					}
				}
			}
			w.put(w.webhook("u1", "f", "on", 9000))
			until("a move is not logged", func() bool { return w.marked() == 1 })
			w.put(w.elsewhere(w.webhook("u1", "f", "on", 9000-earlier)))
			until("the other one is merged", func() bool { return w.merged() > 0 })
			if r, all := w.verifyWith(); len(all) > 0 || w.marked() != 1 {
				t.Errorf("%+v differ, of %d; %d marks", all, r.Traits, w.marked())
			}
			stop()
			<-done
			w.clean()
		})
	}
}

// merged returns the sum of the offsets that are committed in the inbox.
func (w *world) merged() (sum int64) {
	w.t.Helper()
	v := verifier{o: Options{Client: w.client, Topics: w.topics, Config: w.cfg}}
	offsets, _, err := v.marked(w.limit())
	noError(w.t, err)
	for _, at := range offsets[w.topics.Inbox.Name] {
		sum += at
	}
	return sum
}

// marked returns how many partitions have marks.
func (w *world) marked() int {
	w.t.Helper()
	v := verifier{o: Options{Client: w.client, Topics: w.topics, Config: w.cfg}}
	_, marks, err := v.marked(w.limit())
	noError(w.t, err)
	return len(marks)
}
