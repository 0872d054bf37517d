package nest

import (
	"errors"
	"strings"
)

// The sentinels that an [*Error] wraps, for errors.Is.
var (
	// ErrNotFound: the key does not exist and its declaration has no default.
	ErrNotFound = errors.New("not found")
	// ErrMissingParam: At was called with fewer arguments than there are open parameters.
	ErrMissingParam = errors.New("missing parameter")
	// ErrExtraParam: At was given an argument that no open parameter takes.
	ErrExtraParam = errors.New("unexpected parameter")
	// ErrParamType: an argument is of a type that its parameter does not take.
	ErrParamType = errors.New("wrong parameter type")
	// ErrParamValue: an argument is empty, too long, out of range or refused by its validation.
	ErrParamValue = errors.New("invalid parameter value")
	// ErrNotMounted: the declaration is not in the tree below the scope.
	ErrNotMounted = errors.New("not mounted")
	// ErrAmbiguous: the declaration is mounted in several places below the scope.
	ErrAmbiguous = errors.New("ambiguous path")
	// ErrDeclaration: a tree that [Open] or [Check] refuses.
	ErrDeclaration = errors.New("invalid declaration")
	// ErrCollision: two declared keys can have the same name. It is a kind of [ErrDeclaration].
	ErrCollision = errors.New("colliding keys")
	// ErrNoMatch: no declaration can have this name.
	ErrNoMatch = errors.New("no declaration matches")
	// ErrDecode: what is stored is not what the codec writes for the declared type.
	ErrDecode = errors.New("cannot decode the stored value")
	// ErrEncode: the codec cannot write the given value.
	ErrEncode = errors.New("cannot encode the value")
	// ErrOpen: a stored secret or password does not open: it was altered, moved here from another
	// place, sealed by a key that is not in the keyring, or not sealed at all. It comes with the
	// keyring's own error, which tells which.
	ErrOpen = errors.New("cannot open the stored value")
	// ErrNoKeyring: a secret is declared, or to be rotated, and there is no [WithKeyring].
	ErrNoKeyring = errors.New("no keyring")
	// ErrNoHasher: a password is declared and there is no [WithPasswords].
	ErrNoHasher = errors.New("no password hasher")
	// ErrWrongType: the key holds another Redis type than the declared one.
	ErrWrongType = errors.New("wrong type")
	// ErrProtected: clearing needs [Force].
	ErrProtected = errors.New("protected")
	// ErrExists: the key to be written exists already.
	ErrExists = errors.New("the key exists")
	// ErrArgument: an operation's argument is outside of what it takes.
	ErrArgument = errors.New("invalid argument")
	// ErrOverflow: the result would be outside of what the counter can hold, which is unchanged.
	ErrOverflow = errors.New("overflow")
	// ErrConflict: an optimistic write lost against other writers, too many times when it is
	// what Update or [Transact] returns.
	ErrConflict = errors.New("too many conflicting writes")
	// ErrUnsupported: the server does not know the command that the operation needs.
	ErrUnsupported = errors.New("not supported by the server")
	// ErrCrossSlot: the keys of one atomic step live in different slots of a Redis Cluster.
	ErrCrossSlot = errors.New("keys in different slots")
	// ErrBatch: a batch was run twice, a result was read before its batch was run, or a write
	// stands among the reads of a transaction.
	ErrBatch = errors.New("batch misused")
	// ErrUnsent: the operation was not sent, because another one of its atomic batch cannot be,
	// or a lease that guards the batch has ended.
	ErrUnsent = errors.New("not sent")
	// ErrAborted: the server refused the whole atomic batch and applied none of it.
	ErrAborted = errors.New("aborted")
	// ErrOutcomeUnknown: the connection was lost, or the context ended, while an atomic batch or
	// the writes of a transaction were on their way. They were applied whole or not at all.
	ErrOutcomeUnknown = errors.New("outcome unknown")
	// ErrNoClient: the scope is the zero Scope or was opened with [NamesOnly].
	ErrNoClient = errors.New("no client")
)

// Error is the one shape of this package's errors.
type Error struct {
	// Op is what was tried: "get", "at", "open".
	Op string
	// Template is the declaration's full template, "root:user:<user_id>:age", or "" when the
	// error is about no single declaration.
	Template string
	// Key is the full name in Redis, or "" when there is none. Sensitive parameters are
	// replaced by their own template: "root:session:<token>".
	Key string
	// Err is the reason. It wraps one of the sentinels of this package, an error of the
	// client, of the server or of the context.
	Err error
}

// Error gives the operation, the key or, where there is none, the template, and the reason.
func (e *Error) Error() string {
	var b strings.Builder
	b.WriteString("nest: ")
	b.WriteString(e.Op)
	if name := e.Key; name != "" || e.Template != "" {
		if name == "" {
			name = e.Template
		}
		b.WriteString(` "`)
		b.WriteString(printable(name))
		b.WriteString(`"`)
	}
	if e.Err != nil {
		b.WriteString(": ")
		b.WriteString(e.Err.Error())
	}
	return b.String()
}

// Unwrap gives the reason.
func (e *Error) Unwrap() error { return e.Err }

// reason is an explanation in words that wraps a sentinel without repeating it where the words
// already say it.
type reason struct {
	text string
	kind error
}

func (r *reason) Error() string { return r.text }
func (r *reason) Unwrap() error { return r.kind }

// because explains a sentinel: "wrong type: holds a hash".
func because(kind error, text string) error {
	return &reason{kind.Error() + ": " + text, kind}
}
