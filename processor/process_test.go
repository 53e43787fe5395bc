package processor

import (
	"context"
	"slices"
	"time"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/kmsg"
)

// process is a member with clients and a cable of its own.
type process struct {
	*member
	dir    string
	cable  *cable
	client *kgo.Client
	stop   context.CancelFunc
	ended  chan struct{} // closed when Run has returned
	err    error         // of Run
}

// start runs a process on a state folder. Set up, where not nil, sees it before
// it runs.
func (b *bubble) start(dir string, setup func(*process)) *process {
	b.t.Helper()
	p := &process{dir: dir, cable: newCable(b.net), ended: make(chan struct{})}
	w := *b.world
	w.connect = append(append([]kgo.Opt{}, b.connect...), kgo.Dialer(p.cable.dial))
	var err error
	if p.client, err = kgo.NewClient(w.connect...); err != nil {
		b.t.Fatal(err)
	}
	w.client = p.client
	p.member = w.member(dir)
	p.o.replaceAtOnce = b.replaceAtOnce
	if setup != nil {
		setup(p)
	}
	ctx, stop := context.WithCancel(b.t.Context())
	p.stop = stop
	go func() {
		defer close(p.ended)
		p.err = p.Run(ctx)
	}()
	b.alive = append(b.alive, p)
	if !slices.Contains(b.dirs, dir) {
		b.dirs = append(b.dirs, dir)
	}
	return p
}

// end stops a process as SIGTERM does and returns its error.
func (b *bubble) end(p *process) error {
	b.t.Helper()
	p.stop()
	b.bury(p)
	return p.err
}

// kill ends a process as kill -9 does: nothing of it reaches the broker any
// more. Its state folder can be opened again on return.
func (b *bubble) kill(p *process) {
	b.t.Helper()
	p.cable.sever()
	p.stop()
	b.bury(p)
}

func (b *bubble) bury(p *process) {
	b.t.Helper()
	<-p.ended
	b.expire(p)
	p.client.Close()
	p.cable.sever() // what still waits on it would outlive the bubble
	p.close()
	for i, q := range b.alive {
		if p == q {
			b.alive = append(b.alive[:i:i], b.alive[i+1:]...)
		}
	}
}

func (b *bubble) killAll() {
	for len(b.alive) > 0 {
		b.kill(b.alive[0])
	}
}

// listen notes when each member of the group is heard of.
func (b *bubble) listen() {
	b.cluster.Control(func(r kmsg.Request) (kmsg.Response, error, bool) {
		var member string
		switch r := r.(type) {
		case *kmsg.HeartbeatRequest:
			member = r.MemberID
		case *kmsg.JoinGroupRequest:
			member = r.MemberID
		case *kmsg.SyncGroupRequest:
			member = r.MemberID
		default:
			return nil, nil, false
		}
		b.mu.Lock()
		defer b.mu.Unlock()
		b.heard[member] = time.Now()
		return nil, nil, false
	})
}

// boundJoins bounds how long members may join. Kafka takes those who have come
// when the longest rebalance timeout is over; the embedded broker counts that
// anew from each join, and waits for ever where it has miscounted (it does when
// a member goes while it waits for its assignment). So joins have to stay away
// for once, for as long as it takes.
func (b *bubble) boundJoins() {
	const rebalanceTimeout = time.Minute // the client's default
	var began time.Time
	b.cluster.ControlKey(kmsg.SyncGroup.Int16(), func(kmsg.Request) (kmsg.Response, error, bool) {
		began = time.Time{}
		return nil, nil, false
	})
	b.cluster.ControlKey(kmsg.JoinGroup.Int16(), func(r kmsg.Request) (kmsg.Response, error, bool) {
		b.cluster.KeepControl()
		joining := time.Since(began)
		if began.IsZero() || joining > 2*rebalanceTimeout+time.Second {
			began = time.Now()
			return nil, nil, false
		}
		if joining <= rebalanceTimeout {
			return nil, nil, false
		}
		resp := r.ResponseKind().(*kmsg.JoinGroupResponse)
		resp.ErrorCode = kerr.CoordinatorLoadInProgress.Code
		return resp, nil, true
	})
}

// expire ends the sessions of a process that is gone, when it is time to. The
// embedded broker forgets to where a connection was gone by the time that its
// join was answered.
func (b *bubble) expire(p *process) {
	info, gone := b.cluster.GroupInfo(b.cfg.Group()), time.Now()
	if info == nil {
		return
	}
	leave := kmsg.NewPtrLeaveGroupRequest()
	leave.Group = b.cfg.Group()
	for _, m := range info.Members {
		if m.InstanceID != nil && slices.Contains(p.o.Instance.held, *m.InstanceID) {
			leave.Members = append(leave.Members, kmsg.LeaveGroupRequestMember{MemberID: m.MemberID})
		}
	}
	time.AfterFunc(b.cfg.Processor.SessionTimeout+time.Millisecond, func() {
		b.mu.Lock()
		leave.Members = slices.DeleteFunc(leave.Members, func(m kmsg.LeaveGroupRequestMember) bool { return b.heard[m.MemberID].After(gone) })
		b.mu.Unlock()
		if len(leave.Members) > 0 {
			_, _ = leave.RequestWith(b.t.Context(), b.client) // the test may be over
		}
	})
}
