package nest

import (
	"context"
	"errors"
	"slices"
	"strings"
	"time"

	"github.com/redis/rueidis"

	"github.com/redisimnest/redisimnest/nest/internal/behind"
)

// One rule says what is sent again, for single commands, scripts, transactions, locks and loads:
// only what was certainly not executed. Either a server says so itself, or no server could be
// asked. What may have been executed is never sent twice.

const (
	// awayPatience is how long to keep sending a command that no server can execute now. It is long
	// enough for a connection that is just being re-established.
	awayPatience = 100 * time.Millisecond
	// movingPatience is how long to keep sending a command whose slot is moving from one node of a
	// Redis Cluster to another, if the context has no deadline.
	movingPatience = 30 * time.Second
)

// persistence is the state of sending something until a server has executed it.
type persistence struct {
	// asks is the tree whose client gave the error that a try failed with, for the very context of
	// the caller; nil: that is not certain.
	asks        *tree
	began, away time.Time // when the first try failed, for any reason and for lack of a server
	tries       int
	// limit bounds the wait for a connection, as [WithTimeout] says; 0 is none.
	limit time.Duration
	late  bool // the limit ended the attempts
	// foreign says that some try ended with the context of another call.
	foreign bool
}

// errOthersEnded stands for the end of another call's context, which says nothing to a caller.
var errOthersEnded = errors.New("the context of another call ended, whose connection this one waited for")

// again waits until it makes sense to send again what failed with err, and reports whether it does:
// err says that it was not executed, and there is time left.
func (p *persistence) again(ctx context.Context, err error) bool {
	why := p.asks.whyUnexecuted(ctx, err)
	if why == noObstacle || why == heldBack || ctx.Err() != nil {
		return false
	}
	now := time.Now()
	if p.began.IsZero() {
		p.began = now
	}
	if _, bounded := ctx.Deadline(); !bounded && now.Sub(p.began) > movingPatience {
		return false
	}
	switch why {
	case stillDialing:
		var late <-chan time.Time
		if p.limit > 0 {
			timer := time.NewTimer(p.limit - now.Sub(p.began))
			defer timer.Stop()
			late = timer.C
		}
		select {
		case <-ctx.Done():
			return false
		case <-late:
			p.late = true
			return false
		case <-dialed(err):
		}
		return true
	case serverAway:
		if p.away.IsZero() {
			p.away = now
		}
		if now.Sub(p.away) > awayPatience {
			return false
		}
	case othersEnded:
		p.foreign = true
		if p.limit > 0 && now.Sub(p.began) > p.limit {
			p.late = true
			return false
		}
	default:
		p.away = time.Time{}
	}
	p.tries++
	return pause(ctx, p.tries) == nil
}

// lastly returns the error of something that is not sent again: err, together with the end of the
// context or of the patience if that ended the attempts.
func (p *persistence) lastly(ctx context.Context, err error) error {
	if p.foreign && endsContext(err) {
		err = &notBegunError{errOthersEnded}
	}
	switch why := whyUnexecuted(err); {
	case why == noObstacle || why == heldBack:
		return err
	case p.late:
		return &lateError{p.limit, byTimeout, err}
	case ctx.Err() != nil:
		return &unserved{ctx.Err(), err}
	}
	return err
}

// whyUnexecuted returns why a command that was sent with ctx and failed with err was not executed.
// It knows one case more than the function: the context of another caller has ended. The client
// lets one caller connect with its own context, or use an idle connection without the others, who
// get what it gets. A client that wraps rueidis' may have reasons of its own for such an error.
func (t *tree) whyUnexecuted(ctx context.Context, err error) obstacle {
	if why := whyUnexecuted(err); why != noObstacle || t == nil || !t.bare || !ofOthers(ctx, err) {
		return why
	}
	return othersEnded
}

// persist returns the state of sending something to the tree's servers.
func (t *tree) persist() persistence { return persistence{limit: t.options.timeout} }

// spareWords is the maximum number of words of a command that are kept on the stack to be sent
// again. Longer commands are kept by the client.
const spareWords = 12

// do sends the command of one operation until a server has executed it, and returns its answer.
func (t *tree) do(ctx context.Context, cmd rueidis.Completed) (rueidis.RedisMessage, error) {
	// The client reuses the command's words for its next command as soon as this one was answered.
	var room [spareWords]string
	words := cmd.Commands()
	if len(words) <= len(room) {
		words = append(room[:0], words...)
	} else {
		cmd = cmd.Pin()
	}
	marks := marksOf(cmd)
	answer, err := t.client.Do(ctx, cmd).ToMessage()
	if err == nil || rueidis.IsRedisNil(err) {
		return answer, err
	}
	return t.insist(ctx, words, marks, answer, err)
}

// insist continues after do met an error.
func (t *tree) insist(ctx context.Context, words []string, m marks, answer rueidis.RedisMessage, err error) (rueidis.RedisMessage, error) {
	p := t.persist()
	p.asks = t
	for whole := false; ; {
		if refused, ok := rueidis.IsRedisErr(err); ok && !whole && named(words) && strings.HasPrefix(refused.Error(), "NOSCRIPT") {
			whole = true
		} else if !p.again(ctx, err) {
			return answer, p.lastly(ctx, err)
		}
		cmd := m.rebuilt(t.client.B(), words)
		if whole {
			cmd = spelledOut(t.client.B(), words, m)
		}
		if answer, err = t.client.Do(ctx, cmd).ToMessage(); err == nil {
			return answer, nil
		}
	}
}

// doMulti sends commands together, followed by the fences of those that change cached keys. It
// returns the answers to the commands, and the error of a connection that was lost before it had
// answered a fence: it is then unknown whether older values are still read. Commands that were not
// executed are sent again, followed by the fences; the other commands are not.
func (t *tree) doMulti(ctx context.Context, cmds []rueidis.Completed, changed []address) ([]rueidis.RedisResult, error) {
	kept := t.client.Mode() == rueidis.ClientModeCluster
	if kept {
		for i := range cmds {
			cmds[i] = cmds[i].Pin()
		}
	}
	answers, lost := t.fenced(ctx, cmds, changed)
	p := t.persist()
	p.asks = t
	for {
		places, unexecuted, why := t.toResend(ctx, cmds, answers, kept)
		if why == nil {
			return answers, lost
		}
		if !p.again(ctx, why) {
			for _, i := range places {
				if unexecuted[i] {
					answers[i] = rueidis.NewErrorResult(p.lastly(ctx, answers[i].Error()))
				}
			}
			return answers, lost
		}
		resent := make([]rueidis.Completed, len(places))
		for n, i := range places {
			resent[n] = cmds[i]
		}
		var again []rueidis.RedisResult
		again, lost = t.fenced(ctx, resent, changed)
		for n, i := range places {
			if unexecuted[i] || again[n].NonRedisError() == nil {
				answers[i] = again[n]
			}
		}
	}
}

// toResend returns the places of the commands that are to be sent again, which commands were not
// executed, and the error of one of these, or nil if there is none. A read that was executed is to
// be sent again if it stands behind a write of its slot that was not: a client of a Redis Cluster
// sends reads again by itself. It is not if another write of the slot, which it would see, has been
// executed behind it.
func (t *tree) toResend(ctx context.Context, cmds []rueidis.Completed, answers []rueidis.RedisResult, kept bool) (places []int, unexecuted []bool, why error) {
	for i, answer := range answers {
		// On a single server the client has not kept the commands that were answered. Such a server
		// has no slots that could move.
		if err := answer.Error(); err != nil && t.whyUnexecuted(ctx, err) != noObstacle && (kept || answer.NonRedisError() != nil) {
			if why = err; unexecuted == nil {
				unexecuted = make([]bool, len(answers))
			}
			unexecuted[i] = true
		}
	}
	if why == nil {
		return nil, nil, nil
	}
	// By slot: the first write that was not executed, and the last one that was.
	waiting, done := make(map[uint16]int), make(map[uint16]int)
	for i := range cmds {
		if !kept || cmds[i].IsReadOnly() {
			continue
		}
		slot := cmds[i].Slot()
		if _, ok := waiting[slot]; unexecuted[i] && !ok {
			waiting[slot] = i
		} else if !unexecuted[i] {
			done[slot] = i
		}
	}
	for i := range cmds {
		reread := false
		if kept && cmds[i].IsReadOnly() {
			write, ok := waiting[cmds[i].Slot()]
			reread = ok && write < i && done[cmds[i].Slot()] < i
		}
		if unexecuted[i] || reread {
			places = append(places, i)
		}
	}
	return places, unexecuted, why
}

// fenced sends commands, and the fences after them, once.
func (t *tree) fenced(ctx context.Context, cmds []rueidis.Completed, changed []address) (answers []rueidis.RedisResult, lost error) {
	if len(changed) == 0 {
		return t.client.DoMulti(ctx, cmds...), nil
	}
	defer func() {
		for _, r := range changed {
			r.forget()
		}
	}()
	if t.untracked.Load() {
		if len(cmds) > 0 {
			answers = t.client.DoMulti(ctx, cmds...)
		}
		return answers, nil // there is nothing that the client would have to drop
	}
	if t.client.Mode() == rueidis.ClientModeCluster {
		return t.fencedInCluster(ctx, slices.Clip(cmds), changed)
	}
	fences := make([]rueidis.Completed, len(changed))
	for i, r := range changed {
		fences[i] = fence(r)
	}
	if len(cmds) > 0 && !t.options.broadcast {
		// They use one connection: a fence that is lost is lost with the command before it.
		return t.client.DoMulti(ctx, slices.Concat(cmds, fences)...)[:len(cmds)], nil
	}
	if len(cmds) > 0 {
		answers = t.client.DoMulti(ctx, cmds...)
	}
	for _, answer := range t.client.DoMulti(ctx, fences...) {
		if lost = answer.NonRedisError(); lost != nil {
			t.strays.note(changed, []bool{false})
			break
		}
	}
	return answers, lost
}

const (
	// giveUpTimeout bounds one attempt to give something up. A client may make all callers wait for
	// the one that connects.
	giveUpTimeout = time.Second
	// giveUpWait is how long a caller waits for giving up, before that continues in the background.
	giveUpWait = 100 * time.Millisecond
)

// giveUp releases a lock. A token protects the lock, so that doing it twice does no harm. It tries
// until the server has answered, or until lasts is over, when the lock has ended by itself. unsure
// says that the server may not yet have executed the command that took the lock; an answer that it
// does not know the lock is then not final. The caller waits for the first answer, but no longer
// than ctx lasts, and at most for [giveUpWait].
func (t *tree) giveUp(ctx context.Context, lasts time.Duration, unsure bool, do func(context.Context) (given bool, err error)) {
	g := t.startGivingUp(ctx, lasts, unsure, do)
	timer := time.NewTimer(giveUpWait)
	defer timer.Stop()
	select {
	case <-g.answered:
	case <-ctx.Done():
	case <-timer.C:
	}
}

// startGivingUp is giveUp for callers that do not wait.
func (t *tree) startGivingUp(ctx context.Context, lasts time.Duration, unsure bool, do func(context.Context) (given bool, err error)) *givingUp {
	g := &givingUp{
		tree: t, ctx: context.WithoutCancel(ctx), ends: time.Now().Add(lasts),
		unsure: unsure, do: do, answered: make(chan struct{}),
	}
	t.behind.Begin(behind.Release)
	go g.try(50 * time.Millisecond)
	return g
}

// givingUp continues in the background. Between its attempts there is a timer and no goroutine.
type givingUp struct {
	tree     *tree
	ctx      context.Context //nolint:containedctx // with the values of the caller's context
	ends     time.Time
	unsure   bool
	do       func(context.Context) (given bool, err error)
	told     bool
	answered chan struct{} // closed with the first answer
}

// try releases the lock, or tries again after wait.
func (g *givingUp) try(wait time.Duration) {
	ctx, cancel := context.WithTimeout(g.ctx, giveUpTimeout)
	defer cancel()
	given, err := g.do(ctx)
	final := given || err == nil && !g.unsure || errors.Is(err, rueidis.ErrClosing) ||
		err != nil && !mayHaveRun(err) && !unexecutedYet(err) || time.Now().Add(wait).After(g.ends)
	if !g.told && (err == nil || final) {
		g.told = true
		close(g.answered)
	}
	if final {
		g.tree.behind.End(behind.Release)
	} else {
		time.AfterFunc(wait, func() { g.try(min(2*wait, 2*time.Second)) })
	}
}
