package nest

import (
	"context"
	"errors"
	"strconv"
	"time"

	"github.com/redis/rueidis"

	"github.com/redisimnest/redisimnest/nest/internal/behind"
)

// How often, and for how long, a blocking command is asked to end before its connection is closed.
// Its caller waits for at most [giveUpWait] of that time.
const (
	unblockPause   = 10 * time.Millisecond
	unblockTimeout = 10 * time.Second
)

// waitBuilder builds a command that blocks for a number of seconds, or without limit for "0".
type waitBuilder func(b rueidis.Builder, seconds string) rueidis.Completed

// waiting runs a command that blocks on the server for wait, or without limit if wait is 0. It runs
// on a dedicated connection, so that it does not delay the operations on the shared ones. It may
// also change the keys of others. late takes the command's answer if the caller has gone.
func waiting[R any](ctx context.Context, r address, op *operation[R], wait time.Duration, build waitBuilder, late func(context.Context, rueidis.RedisMessage), others ...address) (R, error) {
	var zero R
	if err := r.admit(ctx, op.name); err != nil {
		return zero, err
	}
	if wait < 0 {
		return zero, r.reject(ctx, op.name, because(ErrArgument, "a wait is not negative"))
	}
	if wait > 0 {
		wait = max(wait, time.Millisecond)
	}
	if !r.m.tree.observed() {
		return waitFor(ctx, r, op, wait, build, late, others)
	}
	ctx, o := r.begin(ctx, Event{Op: op.name})
	defer o.end()
	v, err := waitFor(ctx, r, op, wait, build, late, others)
	o.event.Err = err
	return v, err
}

func waitFor[R any](ctx context.Context, r address, op *operation[R], wait time.Duration, build waitBuilder, late func(context.Context, rueidis.RedisMessage), others []address) (R, error) {
	answer, err := r.blockFor(ctx, wait, build, late)
	if err == nil {
		r.waited(ctx, others)
	}
	return settle(ctx, r, op, nil, false, &answer, err)
}

// waitMany waits for up to n elements at one end of a key (BLMPOP or BZMPOP). verb is the name of
// the operation, for a reference that belongs to no key, of which op cannot be asked.
func waitMany[T any](ctx context.Context, r address, verb string, op func() *operation[[]T], name, end string, n int64, wait time.Duration, late func(context.Context, rueidis.RedisMessage)) ([]T, error) {
	if err := r.admit(ctx, verb); err != nil {
		return nil, err
	}
	switch {
	case n < 0:
		return nil, r.reject(ctx, op().name, errCount)
	case n == 0:
		return nil, nil
	}
	return waiting(ctx, r, op(), wait, func(b rueidis.Builder, seconds string) rueidis.Completed {
		return b.Arbitrary(name).Args(seconds, "1").Keys(r.key).Args(end, "COUNT", strconv.FormatInt(n, 10)).Blocking()
	}, late)
}

// blockFor sends a blocking command. If the command was not executed, because its slot has moved to
// another node or the node cannot serve it, blockFor sends it again for the rest of the wait. It
// does the same if Sentinel names another server before anything has been answered.
func (r address) blockFor(ctx context.Context, wait time.Duration, build waitBuilder, late func(context.Context, rueidis.RedisMessage)) (rueidis.RedisMessage, error) {
	if r.m.formers == nil {
		return r.blockAtOnce(ctx, wait, build, late)
	}
	for start := time.Now(); ; {
		// The server does not wait for what another program writes under a former name.
		if err := r.moveAll(ctx, []address{r}); err != nil {
			return rueidis.RedisMessage{}, err
		}
		slice, last := movingSlice, false
		if wait > 0 {
			left := max(wait-time.Since(start), time.Millisecond)
			slice, last = min(slice, left), left <= slice
		}
		answer, err := r.blockAtOnce(ctx, slice, build, late)
		if last || !rueidis.IsRedisNil(err) {
			return answer, err
		}
	}
}

// blockAtOnce is blockFor for a key without former names.
func (r address) blockAtOnce(ctx context.Context, wait time.Duration, build waitBuilder, late func(context.Context, rueidis.RedisMessage)) (rueidis.RedisMessage, error) {
	start, left := time.Now(), wait
	for p := r.m.tree.persist(); ; {
		var patience time.Duration
		if wait > 0 {
			patience = left + connectTime
		}
		answer, err := r.block(ctx, patience, left, build, late)
		if err == nil || rueidis.IsRedisNil(err) {
			return answer, err
		}
		if wait > 0 {
			left = max(wait-time.Since(start), time.Millisecond)
		}
		if errors.Is(err, errBrief) {
			if wait > 0 && time.Since(start) >= wait {
				return answer, rueidis.Nil
			}
			p = r.m.tree.persist()
			continue
		}
		if !errors.Is(err, errLeftBehind) && !p.again(ctx, err) {
			return answer, p.lastly(ctx, err)
		}
	}
}

// connectTime is how long a blocking command may take to get a connection, in addition to its wait.
const connectTime = 300 * time.Millisecond

// answerTimeout is how long after the end of a wait a server may take to answer. After that it is
// taken for dead. Nothing else would notice that its connection died silently.
const answerTimeout = 5 * time.Second

// afterWait bounds the work that follows a blocking command whose context has ended.
const afterWait = time.Second

// waited does what follows a write, for a write by a blocking command. Such a command used another
// connection than the one that caches, and its context may be about to end.
//
//nest:ttl renews
func (r address) waited(ctx context.Context, others []address) {
	r.m.tree.downs.Written()
	var cmds []rueidis.Completed
	var cached []address
	if r.renews() {
		cmds = append(cmds, r.b().Pexpire().Key(r.key).Milliseconds(r.m.ttl()).Build())
	}
	for _, changed := range append([]address{r}, others...) {
		if changed.m.loads.Load() {
			cmds = append(cmds, changed.endLoad())
		}
		if changed.m.settings.cached > 0 {
			cached = append(cached, changed)
			changed.forget()
		}
	}
	if len(cmds)+len(cached) == 0 {
		return
	}
	_, err := promptly(ctx, r.m.tree, behind.Command, func() (struct{}, error) {
		ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), afterWait)
		defer cancel()
		_, err := r.m.tree.fenced(ctx, cmds, cached)
		return struct{}{}, err
	})
	if err != nil { // the fences are still on their way
		r.m.tree.strays.note(cached, []bool{false})
	}
}

// promptly does something that outlives ctx, and waits for it until at most [giveUpWait] after the
// end of ctx. Then it continues in the background, and the caller gets the context's error.
func promptly[R any](ctx context.Context, t *tree, w behind.Work, do func() (R, error)) (R, error) {
	type outcome struct {
		v   R
		err error
	}
	came := make(chan outcome, 1)
	go func() {
		v, err := do()
		came <- outcome{v, err}
	}()
	gone, stop := soonAfter(ctx)
	defer stop()
	select {
	case o := <-came:
		return o.v, o.err
	case <-gone:
		t.behind.Go(w, func() { <-came })
		var zero R
		return zero, ctx.Err()
	}
}

// soonAfter returns a channel that is closed [giveUpWait] after the end of ctx.
func soonAfter(ctx context.Context) (gone <-chan struct{}, stop func() bool) {
	late := make(chan struct{})
	return late, context.AfterFunc(ctx, func() { time.AfterFunc(giveUpWait, func() { close(late) }) })
}

// briefWait bounds a wait for a key whose slot is moving.
const briefWait = 50 * time.Millisecond

// errBrief ends such a wait if nothing came.
var errBrief = errors.New("nothing came yet, and the slot is moving")

// blockBriefly sends a blocking command for a key whose slot is moving. Only the client can follow
// the key, and it loses what is popped for a caller whose context ends. So the command waits for
// just a moment, whatever ctx says, and late takes the answer if the caller does not wait for it.
func (r address) blockBriefly(ctx context.Context, wait time.Duration, build waitBuilder, late func(context.Context, rueidis.RedisMessage)) (rueidis.RedisMessage, error) {
	brief := wait == 0 || wait > briefWait
	if brief {
		wait = briefWait
	}
	came := make(chan rueidis.RedisResult)
	gone, stop := soonAfter(ctx)
	r.m.tree.behind.Go(behind.Wait, func() {
		ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), wait+answerTimeout)
		defer cancel()
		client := r.m.tree.client
		result := client.Do(ctx, build(client.B(), waitSeconds(wait)))
		select {
		case came <- result:
		case <-gone:
			if answer, err := result.ToMessage(); err == nil && late != nil {
				late(context.WithoutCancel(ctx), answer)
			}
		}
	})
	select {
	case result := <-came:
		stop()
		answer, err := result.ToMessage()
		if brief && rueidis.IsRedisNil(err) {
			err = errBrief
		}
		return answer, lostWaiting(err)
	case <-gone:
		return rueidis.RedisMessage{}, ctx.Err()
	}
}

// waitSeconds returns a duration as blocking commands take it.
func waitSeconds(d time.Duration) string { return strconv.FormatFloat(d.Seconds(), 'f', -1, 64) }

// block sends a blocking command that waits for wait. If ctx ends first, block tells the server to
// end the command and still waits for the answer, because an element that was popped just then
// would otherwise be lost. If the server stands still, this continues in the background, and late
// takes the answer. block waits for a connection for no longer than patience, and for the answer
// for no longer than answerTimeout after that, unless patience is 0.
func (r address) block(ctx context.Context, patience, wait time.Duration, build waitBuilder, late func(context.Context, rueidis.RedisMessage)) (rueidis.RedisMessage, error) {
	client := r.m.tree.client
	l := &line{tree: r.m.tree}
	if err := l.openWithin(ctx, patience); err != nil {
		return rueidis.RedisMessage{}, err
	}
	conn := l.conn
	opening := ctx
	if patience > 0 {
		var cancel context.CancelFunc
		opening, cancel = context.WithTimeout(ctx, patience)
		defer cancel()
	}
	// The first command selects the server: the one that has the key.
	first := l.send(opening,
		conn.B().Exists().Key(r.key).Build(),
		conn.B().Arbitrary("CLIENT", "ID").Build())
	for _, answer := range first {
		if err := answer.Error(); err != nil {
			// The key may be moving between servers, or the server may not number its connections.
			// The client handles both: it follows the key, or closes the connection to such a
			// server. It does so over one more connection, and this may be the only one.
			l.giveBackWithin(ctx)
			if whyUnexecuted(err) == slotMoves {
				return r.blockBriefly(ctx, wait, build, late)
			}
			if _, answered := rueidis.IsRedisErr(err); answered {
				bounded := ctx
				if patience > 0 {
					var cancel context.CancelFunc
					bounded, cancel = context.WithTimeout(ctx, patience+answerTimeout)
					defer cancel()
				}
				answer, err := client.Do(bounded, build(client.B(), waitSeconds(wait))).ToMessage()
				switch {
				case unanswered(err) && ctx.Err() == nil && bounded.Err() != nil:
					err = &awayError{errSilent, true}
				case unanswered(err):
					err = lostWaiting(ended(ctx, err))
				}
				return answer, err
			}
			if ctx.Err() == nil && opening.Err() != nil {
				return rueidis.RedisMessage{}, errNoLine
			}
			if err = ended(ctx, err); lost(err) {
				err = &notBegunError{err} // the wait has not begun
			}
			return rueidis.RedisMessage{}, err
		}
	}
	id, err := first[1].AsInt64()
	if err != nil {
		l.giveBackWithin(ctx)
		return rueidis.RedisMessage{}, errAnswer
	}
	done, left := make(chan rueidis.RedisResult, 1), make(chan struct{})
	go func() { done <- conn.Do(context.WithoutCancel(ctx), build(conn.B(), waitSeconds(wait))) }()
	defer l.whenLeftBehind(func() { close(left) })()
	var overdue <-chan time.Time
	overdueErr := error(&awayError{errSilent, true})
	if patience > 0 {
		allowed := patience + answerTimeout
		if timeout := r.m.tree.options.timeout; timeout > 0 {
			allowed = patience - connectTime + timeout
			overdueErr = &lateError{allowed, byWait, nil}
		}
		timer := time.NewTimer(allowed)
		defer timer.Stop()
		overdue = timer.C
	}
	var why error
	select {
	case result := <-done:
		l.giveBackWithin(ctx)
		answer, err := result.ToMessage()
		return answer, lostWaiting(err)
	case <-left:
		l.drop()
		if answer, err := (<-done).ToMessage(); err == nil {
			return answer, nil
		}
		return rueidis.RedisMessage{}, errLeftBehind
	case <-overdue:
		why = overdueErr
	case <-ctx.Done():
		why = ctx.Err()
	}
	answered, gone := make(chan rueidis.RedisResult), make(chan struct{})
	r.m.tree.behind.Go(behind.Wait, func() {
		result := r.letGo(context.WithoutCancel(ctx), l, id, done)
		l.giveBack(false)
		select {
		case answered <- result:
		case <-gone:
			if answer, err := result.ToMessage(); err == nil && late != nil {
				late(context.WithoutCancel(ctx), answer)
			}
		}
	})
	timer := time.NewTimer(giveUpWait)
	defer timer.Stop()
	select {
	case result := <-answered:
		answer, err := result.ToMessage()
		if err == nil || ctx.Err() == nil && rueidis.IsRedisNil(err) {
			return answer, err
		}
	case <-timer.C:
		close(gone)
	}
	return rueidis.RedisMessage{}, why
}

// errSilent ends a wait on a server that is taken for dead.
var errSilent = errors.New("the server has not answered within " + answerTimeout.String() + " after the end of the wait")

// letGo makes the server end a blocking command. It returns the command's answer: what it took, or
// why it ended.
func (r address) letGo(ctx context.Context, l *line, id int64, done <-chan rueidis.RedisResult) rueidis.RedisResult {
	// On another server, that number belongs to another connection.
	for began := time.Now(); time.Since(began) < unblockTimeout && !l.leftBehind(); {
		r.unblock(ctx, id)
		select {
		case result := <-done:
			return result
		case <-time.After(unblockPause):
		}
	}
	l.conn.Close()
	return <-done
}

// unblock tells the server that has the key to end another connection's command, as if its time
// were up. It uses a shared connection, because there may be no dedicated one left.
func (r address) unblock(ctx context.Context, id int64) {
	ctx, cancel := context.WithTimeout(ctx, giveUpTimeout)
	defer cancel()
	client := r.m.tree.client
	client.DoMulti(ctx,
		client.B().Exists().Key(r.key).Build(),
		client.B().Arbitrary("CLIENT", "UNBLOCK", strconv.FormatInt(id, 10)).Build())
}

// putBack runs a command that puts back an element that was popped for a caller that had gone.
func (r address) putBack(ctx context.Context, cmd rueidis.Completed) {
	start := time.Now()
	ctx, cancel := context.WithTimeout(ctx, unblockTimeout)
	defer cancel()
	if _, err := send(ctx, r, command[int64]{op: &opPutBack, cmd: cmd}); err != nil {
		r.tell(ctx, Event{Op: opPutBack.name, Start: start, Err: err, Unreturned: true})
	}
}

var opPutBack = operation[int64]{"put back", replyInt}

// ended returns the context's error if err was caused by the context's end. The client reports a
// deadline that passes while it connects as a network timeout.
func ended(ctx context.Context, err error) error {
	if errors.Is(err, ErrUnsent) {
		return err
	}
	if deadline, ok := ctx.Deadline(); ok && !time.Now().Before(deadline) {
		return context.DeadlineExceeded
	}
	if ctx.Err() != nil {
		return ctx.Err()
	}
	return err
}
