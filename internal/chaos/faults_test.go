//go:build linux

package chaos

import (
	"context"
	"math/rand/v2"
	"os"
	"path/filepath"
	"sync"
	"syscall"
	"time"
)

// round holds the faults that come over processes again and again, each time in
// another order. Six of the eight are kill -9.
var round = []func(*member, context.Context, *rand.Rand){
	(*member).killed, (*member).killed, (*member).killed, (*member).killed,
	(*member).absent, (*member).wiped, (*member).zombie, (*member).stopped,
}

// hitMembers brings faults over the processes, also over several at a time. It
// returns when they are over.
func (w *world) hitMembers(ctx context.Context, random *rand.Rand) {
	var faults sync.WaitGroup
	defer faults.Wait()
	left := max(len(round), int(*chaosLength / *chaosEvery))
	pause := *chaosLength / time.Duration(left)
	for left > 0 {
		for _, i := range random.Perm(len(round))[:min(left, len(round))] {
			left--
			if !wait(ctx, between(random, 0, 2*pause)) {
				return
			}
			own := rand.New(rand.NewPCG(random.Uint64(), 0))
			m := w.members[random.IntN(len(w.members))]
			faults.Go(func() {
				m.busy.Lock()
				defer m.busy.Unlock()
				round[i](m, ctx, own)
			})
		}
	}
}

// killed is killed and comes back before the group has noticed.
func (m *member) killed(ctx context.Context, random *rand.Rand) {
	m.killNine()
	wait(ctx, between(random, 0, 2*time.Second))
	m.start(afterKill)
}

// absent stays away so long that others take its tasks.
func (m *member) absent(ctx context.Context, random *rand.Rand) {
	m.killNine()
	away := sessionTimeout + between(random, 2*time.Second, 8*time.Second)
	m.w.logf("%s stays away for %.1f s", m.name, away.Seconds())
	wait(ctx, away)
	m.start(afterAbsence)
}

// wiped loses its disk.
func (m *member) wiped(ctx context.Context, random *rand.Rand) {
	m.killNine()
	if err := os.RemoveAll(filepath.Join(m.home, "data")); err != nil {
		m.w.t.Error(err)
	}
	m.w.count("state folders deleted")
	m.w.logf("%s has lost its state folder", m.name)
	wait(ctx, between(random, 0, 2*time.Second))
	m.start(afterWipe)
}

// zombie stands still until its session and its transactions have timed out,
// and then goes on with what it was doing.
func (m *member) zombie(ctx context.Context, random *rand.Rand) {
	m.untilUp(ctx) // one that can't even connect in time ends, and may
	still := between(random, 12*time.Second, 24*time.Second)
	m.w.count("zombies")
	m.w.logf("%s stands still for %.1f s", m.name, still.Seconds())
	m.signal(syscall.SIGSTOP)
	wait(ctx, still)
	m.signal(syscall.SIGCONT)
	m.w.logf("%s goes on", m.name)
}

// stopped is asked to end, as a deployment does.
func (m *member) stopped(ctx context.Context, random *rand.Rand) {
	m.w.count("interrupts")
	m.w.logf("%s is interrupted", m.name)
	m.stop(ctx)
	wait(ctx, between(random, 0, 2*time.Second))
	m.start(afterStop)
}

func (m *member) killNine() {
	m.w.count("kill -9")
	m.w.logf("%s is killed", m.name)
	m.kill()
}
