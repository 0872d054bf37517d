package nest

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"reflect"
	"slices"
	"strings"
	"syscall"
	"time"

	"github.com/redis/rueidis"
)

// What the errors of exchanges with a server say: whether it was asked, and whether what it was
// asked may have been executed.

// obstacle is why a command was not executed.
type obstacle uint8

const (
	noObstacle   obstacle = iota // it was executed, or may have been executed
	slotMoves                    // its slot is moving: it will soon be on the other node
	serverAway                   // no server can execute it now
	stillDialing                 // the client has no connection yet, and is connecting
	othersEnded                  // another call's context ended, on which it depended
	heldBack                     // no server can execute it, and it has been tried for long enough
)

// whyUnexecuted returns why a command that failed with err was not executed.
func whyUnexecuted(err error) obstacle {
	if err == nil || rueidis.IsRedisNil(err) {
		return noObstacle
	}
	if _, ok := errors.AsType[*notBegunError](err); ok {
		return serverAway
	}
	if _, ok := errors.AsType[*brokenError](err); ok {
		return heldBack
	}
	if spent, ok := errors.AsType[*spentError](err); ok {
		if whyUnexecuted(spent.cause) == noObstacle {
			return noObstacle
		}
		return heldBack
	}
	if answer, ok := rueidis.IsRedisErr(err); ok {
		switch first, _, _ := strings.Cut(answer.Error(), " "); first {
		case "MOVED", "ASK", "TRYAGAIN":
			return slotMoves
		case "LOADING", "CLUSTERDOWN", "MASTERDOWN", "READONLY", "BUSY":
			return serverAway
		}
		return noObstacle
	}
	if dialed(err) != nil {
		return stillDialing
	}
	if dial, ok := errors.AsType[*net.OpError](err); ok && dial.Op == "dial" || errors.Is(err, syscall.ECONNREFUSED) {
		return serverAway
	}
	return noObstacle
}

// bare reports whether a client is one of rueidis itself, and wraps none.
func bare(client rueidis.Client) bool {
	t := reflect.TypeOf(client)
	if t.Kind() == reflect.Pointer {
		t = t.Elem()
	}
	return t.PkgPath() == reflect.TypeFor[rueidis.ClientOption]().PkgPath()
}

// ofOthers reports whether an error is that of a context which is not ctx. The deadline is looked
// at because a connection notices its own a moment before the context does.
func ofOthers(ctx context.Context, err error) bool {
	if ctx.Err() != nil || !endsContext(err) {
		return false
	}
	if err == context.Canceled { //nolint:errorlint // see endsContext
		return true
	}
	deadline, bounded := ctx.Deadline()
	return !bounded || time.Now().Before(deadline)
}

// endsContext reports whether an error is that of a context itself. A client returns it bare; what
// wraps it is of this package.
func endsContext(err error) bool {
	return err == context.Canceled || err == context.DeadlineExceeded //nolint:errorlint // it must be bare
}

// failedAll returns the answers to n commands that were not answered.
func failedAll(n int, err error) []rueidis.RedisResult {
	failed := make([]rueidis.RedisResult, n)
	for i := range failed {
		failed[i] = rueidis.NewErrorResult(err)
	}
	return failed
}

// notBegunError is the error of a lost connection that carried only what may be sent again.
type notBegunError struct{ cause error }

func (u *notBegunError) Error() string { return u.cause.Error() }
func (u *notBegunError) Unwrap() error { return u.cause }

// dialed returns a channel that is closed once the client's pending attempt to connect has
// succeeded or failed. It returns nil if there is none. A client says that it is connecting by an
// error that has such a method, as the client of package env does.
func dialed(err error) <-chan struct{} {
	if waits, ok := errors.AsType[interface {
		error
		Dialed() <-chan struct{}
	}](err); ok {
		return waits.Dialed()
	}
	return nil
}

// awayError says that Redis could not be asked, or could not be written.
type awayError struct {
	cause   error
	unknown bool // a write may have been executed all the same
}

func (e *awayError) Error() string {
	if e.unknown {
		return ErrAway.Error() + ", " + ErrOutcomeUnknown.Error() + ": " + e.cause.Error()
	}
	return ErrAway.Error() + ": " + e.cause.Error()
}

func (e *awayError) Unwrap() error { return e.cause }

func (e *awayError) Is(target error) bool {
	return target == ErrAway || e.unknown && target == ErrOutcomeUnknown
}

// away marks the error of an exchange with [ErrAway], if that is what it says. writes says that
// what failed may have changed something.
func away(err error, writes bool) error {
	if e, ok := errors.AsType[*awayError](err); ok {
		if e.unknown && !writes && err == error(e) { //nolint:errorlint // what wraps it says more
			return &awayError{e.cause, false}
		}
		return err
	}
	if !saysAway(err) {
		return err
	}
	return &awayError{err, writes && !wasAnswered(err) && !unexecutedYet(err) && !errors.Is(err, ErrUnsent)}
}

// exchangeError returns the error of an exchange that may have written: what [serverError] returns,
// marked with [ErrAway] if that is what it says.
func exchangeError(err error) error { return away(serverError(err), true) }

// saysAway reports whether the error of an exchange says that Redis could not be asked, or could
// not be written. What ended because its caller's own context ended says nothing about Redis.
func saysAway(err error) bool {
	if answer, ok := errors.AsType[*rueidis.RedisError](err); ok {
		return answersAway(answer)
	}
	if _, ok := errors.AsType[interface {
		error
		saysAway()
	}](err); ok {
		return true
	}
	if errors.Is(err, context.Canceled) || errors.Is(err, rueidis.ErrClosing) {
		return false
	}
	if whyUnexecuted(err) != noObstacle || unexecutedYet(err) {
		return true
	}
	if errors.Is(err, context.DeadlineExceeded) {
		return false
	}
	for _, known := range []error{io.EOF, io.ErrUnexpectedEOF, os.ErrDeadlineExceeded, net.ErrClosed, rueidis.ErrNoSlot} {
		if errors.Is(err, known) {
			return true
		}
	}
	if _, ok := errors.AsType[net.Error](err); ok {
		return true
	}
	_, ok := errors.AsType[syscall.Errno](err)
	return ok
}

// answersAway reports whether an answer says that the server cannot serve now.
func answersAway(answer *rueidis.RedisError) bool {
	switch first, _, _ := strings.Cut(answer.Error(), " "); first {
	case "LOADING", "CLUSTERDOWN", "MASTERDOWN", "BUSY", "READONLY", "OOM", "NOREPLICAS", "MISCONF", "TRYAGAIN", "MOVED", "ASK":
		return true
	}
	return false
}

// unserved is the error of something that no server had executed when the context ended.
type unserved struct{ ended, cause error }

func (u *unserved) Error() string {
	return u.ended.Error() + ": not executed until then: " + u.cause.Error()
}
func (u *unserved) Unwrap() []error { return []error{u.ended, u.cause} }

// answers lists the errors that servers' answers become, see [serverError].
var answers = []error{ErrWrongType, ErrUnsupported, ErrArgument, ErrDecode, ErrNotFound, ErrExists, ErrOverflow}

// wasAnswered reports whether an error is the answer of a server.
func wasAnswered(err error) bool {
	if _, ok := errors.AsType[*rueidis.RedisError](err); ok {
		return true
	}
	return slices.ContainsFunc(answers, func(answer error) bool { return errors.Is(err, answer) })
}

// mayHaveRun reports whether something that failed may have been executed, because nothing was
// answered.
func mayHaveRun(err error) bool {
	return err != nil && !wasAnswered(err) && whyUnexecuted(err) == noObstacle
}

// unexecutedYet reports whether an error says, at any depth, that something was not executed.
func unexecutedYet(err error) bool {
	if u, ok := errors.AsType[*unserved](err); ok {
		return whyUnexecuted(u.cause) != noObstacle
	}
	for ; err != nil; err = errors.Unwrap(err) {
		if whyUnexecuted(err) != noObstacle {
			return true
		}
	}
	return false
}

// misdirected returns the answer that refused a transaction because another server is to be asked,
// or nil.
func misdirected(answers []rueidis.RedisResult) error {
	if answers[0].Error() == nil { // otherwise each was executed or refused by itself
		for _, a := range answers {
			if err := a.Error(); elsewhere(err) {
				return err
			}
		}
	}
	return nil
}

// How long reads of many pages, of the keyspace or of one key, go on without having come any
// further.
const (
	// walkPatience is the limit on waiting: for slots that are moving or that no node has.
	walkPatience = 10 * time.Second
	// walkTries is how often the same part is read again without having come further.
	walkTries = 5
	// walkPause is the first pause between two tries. It doubles up to walkPauses.
	walkPause, walkPauses = 20 * time.Millisecond, 500 * time.Millisecond
)

// elsewhere reports whether an answer means that the server is not, or not yet, the one to ask. A
// command with such an answer was not executed.
func elsewhere(err error) bool {
	answer, ok := rueidis.IsRedisErr(err)
	if !ok {
		return false
	}
	switch first, _, _ := strings.Cut(answer.Error(), " "); first {
	case "MOVED", "ASK", "TRYAGAIN", "CLUSTERDOWN", "LOADING", "READONLY", "MASTERDOWN":
		return true
	}
	return false
}

// lateError is the error of an exchange that a limit ended.
type lateError struct {
	limit time.Duration
	by    limitedBy
	cause error
}

func (e *lateError) Error() string {
	text := "no answer within " + e.limit.Round(time.Millisecond).String() + " (" + string(e.by) + ")"
	if e.cause != nil && e.cause != context.DeadlineExceeded && e.cause != context.Canceled { //nolint:errorlint // the very ones say nothing more
		text += ": " + e.cause.Error()
	}
	return text
}

func (e *lateError) Unwrap() error        { return e.cause }
func (e *lateError) Is(target error) bool { return target == context.DeadlineExceeded }
func (e *lateError) saysAway()            {}

// spentError is the error of something that the client has sent again for long enough, to a server
// that refuses it.
type spentError struct {
	cause   error // of the last attempt
	refused error // what the server said
}

func (e *spentError) Error() string { return e.refused.Error() }
func (e *spentError) Unwrap() error { return e.cause }
func (e *spentError) saysAway()     {}

// limitedBy is what bounds an exchange, beside the caller's own context.
type limitedBy string

const (
	byTimeout limitedBy = "WithTimeout"
	byWait    limitedBy = "the wait and WithTimeout"
	byHalf    limitedBy = "half of the context's time, the rest is for what is done without Redis"
)

// sinceError says for how long a server has been away.
type sinceError struct {
	cause error
	since time.Duration
}

func (e *sinceError) Error() string { return e.cause.Error() + "; away for " + shown(e.since) }
func (e *sinceError) Unwrap() error { return e.cause }

// brokenError is the error of what was not sent, because the server has failed too often.
type brokenError struct {
	fails int
	since time.Duration
	last  error
}

func (e *brokenError) Error() string {
	return fmt.Sprintf("not sent, since the last %d exchanges with the server have failed (WithBreaker); away for %s; the last error: %v",
		e.fails, shown(e.since), e.last)
}

func (e *brokenError) saysAway() {}

func shown(d time.Duration) string { return d.Round(time.Millisecond).String() }
