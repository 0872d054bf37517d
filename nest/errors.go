package nest

import (
	"errors"
	"strings"

	"github.com/redis/rueidis"

	"github.com/redisimnest/redisimnest/nest/internal/names"
)

// The sentinels that an [*Error] wraps, for errors.Is.
var (
	// ErrNotFound: the key does not exist and its declaration has no default.
	ErrNotFound = errors.New("not found")
	// ErrMissingParam: At was called with fewer arguments than there are open parameters.
	ErrMissingParam = errors.New("missing parameter")
	// ErrExtraParam: At was called with an argument for which there is no open parameter.
	ErrExtraParam = errors.New("unexpected parameter")
	// ErrParamType: an argument is of a type that its parameter does not take.
	ErrParamType = errors.New("wrong parameter type")
	// ErrParamValue: an argument is empty, too long, out of range, or refused by its validation.
	ErrParamValue = errors.New("invalid parameter value")
	// ErrNotMounted: the declaration is not in the tree below the scope.
	ErrNotMounted = errors.New("not mounted")
	// ErrAmbiguous: the declaration is mounted in several places below the scope.
	ErrAmbiguous = errors.New("ambiguous path")
	// ErrDeclaration: [Open] or [Check] refuses the tree.
	ErrDeclaration = errors.New("invalid declaration")
	// ErrCollision: two declared keys can have the same name. It is a kind of [ErrDeclaration].
	ErrCollision = errors.New("colliding keys")
	// ErrNoMatch: no declared key can have this name.
	ErrNoMatch = errors.New("no declaration matches")
	// ErrDecode: the stored value is not one that the codec writes for the declared type.
	ErrDecode = errors.New("cannot decode the stored value")
	// ErrEncode: the codec cannot write the given value.
	ErrEncode = errors.New("cannot encode the value")
	// ErrOpen: a stored secret or password cannot be opened. It was altered, moved here from
	// another place, sealed by a key that is not in the keyring, or not sealed at all. The
	// keyring's own error comes with it and says which.
	ErrOpen = errors.New("cannot open the stored value")
	// ErrNoKeyring: a secret is declared, or is to be rotated, without [WithKeyring].
	ErrNoKeyring = errors.New("no keyring")
	// ErrNoHasher: a password is declared without [WithPasswords].
	ErrNoHasher = errors.New("no password hasher")
	// ErrWrongType: the key holds another Redis type than the declared one.
	ErrWrongType = errors.New("wrong type")
	// ErrProtected: clearing needs [Force].
	ErrProtected = errors.New("protected")
	// ErrExists: the key to be written exists already.
	ErrExists = errors.New("the key exists")
	// ErrArgument: an argument of an operation is invalid or out of range.
	ErrArgument = errors.New("invalid argument")
	// ErrOverflow: the result would be out of range for the counter, which is unchanged.
	ErrOverflow = errors.New("overflow")
	// ErrConflict: an optimistic write lost against other writers. If Update or [Transact] returns
	// it, the write lost too many times.
	ErrConflict = errors.New("too many conflicting writes")
	// ErrUnsupported: the server does not know the command that the operation needs.
	ErrUnsupported = errors.New("not supported by the server")
	// ErrCrossSlot: the keys that one step uses together are in different slots of a Redis Cluster.
	// This is checked on a single server too; see [SingleServer].
	ErrCrossSlot = errors.New("keys in different slots")
	// ErrBatch: a batch was run twice, a result was read before its batch was run, or a write is
	// among the reads of a transaction.
	ErrBatch = errors.New("batch misused")
	// ErrUnsent: the operation was not sent, because another one in its atomic batch cannot be
	// sent, a lease that guards the batch has ended, or no dedicated connection was free in time.
	// Waits, transactions and guarded batches take one dedicated connection each, and all
	// subscriptions of a tree share one. A client has BlockingPoolSize of them for each node, 1,024
	// by default.
	ErrUnsent = errors.New("not sent")
	// ErrAborted: the server refused the whole atomic batch and applied none of it.
	ErrAborted = errors.New("aborted")
	// ErrOutcomeUnknown: a write may have been executed, and nobody knows. Its answer did not come,
	// or the connection was lost: the error is [ErrAway] too. Or the context ended while an atomic
	// batch or the writes of a transaction were on their way. Of these, either all were applied or
	// none. A wait whose connection was lost may have taken something that is lost with it.
	ErrOutcomeUnknown = errors.New("outcome unknown")
	// ErrAway: Redis could not be asked, or could not be written. Connections were refused or lost,
	// no answer came in time ([WithTimeout]), nothing was sent ([WithBreaker]), or the server
	// answered that it cannot serve now (LOADING, CLUSTERDOWN, MASTERDOWN, BUSY, a slot that moves
	// for too long) or cannot be written (READONLY, OOM, NOREPLICAS, MISCONF). A write that may
	// have been executed all the same wraps [ErrOutcomeUnknown] too; ErrAway without that is safe
	// to send again. What a key or a value says is never ErrAway, and neither is the end of the
	// caller's own context.
	ErrAway = errors.New("Redis is away") //nolint:staticcheck // a name
	// ErrNoClient: the scope is the zero Scope or was opened with [NamesOnly].
	ErrNoClient = errors.New("no client")
	// ErrLimited: the context ends before the limiter would allow the events.
	ErrLimited = errors.New("rate limited")
	// ErrLockLost: the lease ended before it was released, because it could not be extended in time
	// or the lock was released by force. Another client may hold the lock.
	ErrLockLost = errors.New("the lock is lost")
	// ErrLockReleased: the lease was released.
	ErrLockReleased = errors.New("the lock is released")
)

// Error is the common form of this package's errors.
type Error struct {
	// Op is the operation that failed, such as "get", "at" or "open".
	Op string
	// Template is the declaration's full template, "root:user:<user_id>:age", or "" if the error is
	// not about a single declaration.
	Template string
	// Key is the full name in Redis, or "" if there is none. Sensitive parameters are replaced by
	// their own template: "root:session:<token>".
	Key string
	// Err is the reason. It wraps one of the sentinels of this package, or an error of the client,
	// the server or the context.
	Err error
}

// Error returns a text with the operation, the key (or, if there is none, the template) and the
// reason.
func (e *Error) Error() string {
	var b strings.Builder
	b.WriteString("nest: ")
	b.WriteString(e.Op)
	if name := e.Key; name != "" || e.Template != "" {
		if name == "" {
			name = e.Template
		}
		b.WriteString(` "`)
		b.WriteString(names.Printable(name))
		b.WriteString(`"`)
	}
	if e.Err != nil {
		b.WriteString(": ")
		b.WriteString(e.Err.Error())
	}
	return b.String()
}

// Unwrap returns the reason.
func (e *Error) Unwrap() error { return e.Err }

// reason is an explanation that wraps a sentinel. Its text already says what the sentinel says, so
// the sentinel is not printed again.
type reason struct {
	text string
	kind error
}

func (r *reason) Error() string { return r.text }
func (r *reason) Unwrap() error { return r.kind }

// because returns a sentinel with an explanation: "wrong type: holds a hash". It stands in hundreds
// of places, and would otherwise be copied into each.
//
//go:noinline
func because(kind error, text string) error {
	return &reason{kind.Error() + ": " + text, kind}
}

var errNilContext = because(ErrArgument, "the context is nil")

// underFormer is part of the answer of a script that does not move sealed values from their former
// names.
const underFormer = "a key stands under its former name"

// serverError returns the sentinel for an answer of the server, if there is one. Other answers are
// wrapped, without the arguments that some of them repeat. Servers word the errors of a script's
// command in several ways: older servers and the embedded one put words before the error. Redis and
// Valkey word some answers differently, so this looks for a part that all versions share.
func serverError(err error) error {
	answer, ok := rueidis.IsRedisErr(err)
	if !ok {
		return err
	}
	text := strings.TrimPrefix(answer.Error(), "ERR ")
	lower := strings.ToLower(text)
	switch {
	case strings.HasPrefix(text, "member ") && strings.Contains(text, " does not exist"):
		// Valkey 9.1 repeats the member, which can contain any of the words below.
		return because(ErrNotFound, "no such member to search from")
	case strings.Contains(text, "WRONGTYPE "):
		return ErrWrongType
	case strings.Contains(lower, "user executing the script can't"), strings.Contains(lower, "acl failure in script"):
		return denied(text, err)
	case strings.Contains(text, underFormer):
		return because(ErrConflict, "the key was moved back to its former name meanwhile")
	case strings.HasPrefix(text, "BUSYKEY"):
		return ErrExists
	case strings.Contains(text, "NOGROUP "), strings.Contains(text, "requires the key to exist"):
		return because(ErrNotFound, "the stream or its group does not exist")
	case strings.HasPrefix(text, "no such key"):
		return ErrNotFound
	case strings.Contains(text, "equal or smaller than"), strings.Contains(text, "is smaller than"):
		return because(ErrArgument, "the ID is not greater than the stream's last one")
	case strings.Contains(text, "' not supported"), strings.HasPrefix(text, "unknown command"):
		return unsupported(text)
	case strings.HasPrefix(text, "unknown subcommand"):
		return because(ErrUnsupported, "the server does not know the subcommand, or the command's second word is missing")
	case strings.Contains(lower, "unknown redis command called from script"),
		strings.Contains(lower, "unknown command called from script"): // Valkey
		return because(ErrUnsupported, "a command of the operation is unknown to it")
	case strings.Contains(text, "no such key"):
		return ErrNotFound
	case strings.Contains(text, "could not decode requested zset member"):
		return because(ErrNotFound, "no such member to search from")
	case strings.Contains(text, "index out of range"):
		return because(ErrNotFound, "no element at this index")
	case strings.Contains(text, "string exceeds maximum allowed size"):
		return because(ErrArgument, "the value would be longer than the server allows")
	case strings.Contains(text, "would overflow"), strings.Contains(text, "NaN or Infinity"), strings.Contains(text, "not a number (NaN)"):
		return ErrOverflow
	case strings.Contains(text, "is not an integer"), strings.Contains(text, "is not a valid float"), strings.Contains(text, "value is not a float"):
		return because(ErrDecode, "no number that the server can add to")
	}
	return err
}

// denied returns the error for a command of a script that the user may not run. It leaves out what
// the server says about the script. Redis 7.0 does not name the command; then the text says where
// to look.
func denied(answer string, err error) error {
	answer, _, _ = strings.Cut(answer, " script: ")
	if strings.Contains(answer, "this command") {
		answer = "NOPERM no right to run one of the commands that the operation consists of"
	}
	return &masked{answer, err}
}

// masked is an error of the server whose text repeats a key, with the key's sensitive parameters
// replaced.
type masked struct {
	text string
	err  error
}

// errSlots refuses keys in different slots where one step on the server needs all of them.
var errSlots = because(ErrCrossSlot, "a HashTag on a cluster above all keys, or the same braces in their templates, puts them into one (or, for a single server, SingleServer)")
