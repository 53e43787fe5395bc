package processor

import (
	"fmt"
	"slices"
	"time"

	"traitstream/impression"
	"traitstream/kafka"
	"traitstream/schemas"
	"traitstream/state"
	"traitstream/trait"
)

// resendKeys is how many traits are looked at in one transaction to be sent again.
const resendKeys = 1000

// toResend returns a share that has traits to send again now, or nil.
func (w *worker) toResend() *share {
	if len(w.replays.shares) == 0 {
		return nil
	}
	for _, s := range w.replays.inOrder() {
		if s.resends() && s.stored && w.canPlace(s.task) && !time.Now().Before(s.rests) {
			return s
		}
	}
	return nil
}

func (s *share) resends() bool {
	return s.job.State == schemas.JobRunning && s.job.Emit == schemas.EmitAll && !s.progress.Done
}

// storeForResend has the store know all that was sent before a job came, since the
// way through a task's traits goes by the store. It comes between two transactions.
func (w *worker) storeForResend() error {
	for _, s := range w.replays.shares {
		if s.resends() && !s.stored {
			if err := w.store(); err != nil {
				return err
			}
			s.stored = true
		}
	}
	return nil
}

// resend sends some traits again.
func (w *worker) resend() error {
	s := w.toResend()
	if s == nil || !w.hasPlace(s.task) {
		return nil
	}
	before := s.progress.Read
	err := w.resendSome(s)
	if err != nil {
		return fmt.Errorf("sending traits again: %w", err)
	}
	if s.job.Rate > 0 {
		share := float64(s.job.Rate) / float64(w.o.Topics.Tasks)
		s.rests = time.Now().Add(time.Duration(float64(s.progress.Read-before) / share * float64(time.Second)))
	}
	s.changed, w.replays.touched = true, true
	return nil
}

func (w *worker) resendSome(s *share) error {
	if len(s.wanted.users) > 0 {
		return w.resendUsers(s)
	}
	var keys [][]byte
	n, most := 0, min(resendKeys, w.limit)
	if s.job.Rate > 0 {
		most = max(1, min(most, int(s.job.Rate/int64(w.o.Topics.Tasks)/2)))
	}
	behind, err := w.o.Store.Page(s.task.number, s.progress.Behind, func(e state.Entry) bool {
		keys = append(keys, slices.Clone(e.Key))
		n++
		return n < most
	})
	if err != nil {
		return err
	}
	slots := make([]state.Slot, len(keys))
	for i, key := range keys {
		slots[i] = w.state.WantState(s.task.number, key)
	}
	if err := w.state.Load(); err != nil {
		return err
	}
	for _, slot := range slots {
		if err := w.resendSlot(s, slot); err != nil {
			return err
		}
	}
	s.progress.Read += int64(n)
	s.progress.Behind, s.progress.Done = behind, behind == nil
	return nil
}

// resendUsers sends the traits of a job's users again, all at once.
func (w *worker) resendUsers(s *share) error {
	var users []state.User
	for _, identity := range []impression.Identity{impression.User, impression.Anonymous} {
		for user := range s.wanted.users {
			if kafka.Partition([]byte(user), w.o.Topics.Tasks) == s.task.number {
				users = append(users, state.User{Identity: identity, ID: user})
			}
		}
	}
	var failed error
	err := w.state.WantUsers(s.task.number, users, func(_ int, slot state.Slot) {
		s.progress.Read++
		if err := w.resendSlot(s, slot); err != nil {
			failed = err
		}
	})
	s.progress.Done = true
	if err == nil {
		err = failed
	}
	return err
}

// resendSlot sends the last change of a trait again, if the job wants it.
func (w *worker) resendSlot(s *share, slot state.Slot) error {
	e := w.state.Record(slot).Emitted
	if e.Value == nil || s.job.From > 0 && e.SeenAt < s.job.From || s.job.To > 0 && e.SeenAt >= s.job.To {
		return nil
	}
	key, err := w.state.Key(slot)
	if _, _, shadow := trait.Unshadow(key.Trait); shadow {
		return err
	}
	if err != nil || !s.wanted.has(key.Identity, key.User, e.Facts.Flag) {
		return err
	}
	if w.out.again(s.task.number, key, &e, s.job.ID) {
		s.sent(1)
	}
	return nil
}
