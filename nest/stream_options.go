package nest

import (
	"errors"
	"fmt"
	"strconv"
	"strings"
	"time"
)

// EntryOption is an option of [StreamRef.Add].
type EntryOption interface {
	applyEntry(o *entryOptions) error
}

type entryOptions struct {
	id       string
	ifExists bool
	trim     TrimOption
}

type entryOption func(o *entryOptions) error

func (f entryOption) applyEntry(o *entryOptions) error { return f(o) }

// WithID sets the ID of the new entry: "1526919030474-55", or "1526919030474-*" for the next ID of
// that millisecond (Redis 7.0). It must be greater than the stream's last ID; otherwise the error
// wraps [ErrArgument], as it does for 0-0, which no entry can have.
func WithID(id string) EntryOption {
	return entryOption(func(o *entryOptions) error {
		given, next := strings.CutSuffix(id, "-*")
		if at, err := parseID(given); err != nil || at == (entryID{}) && !next {
			return errID
		}
		o.id = id
		return nil
	})
}

// KeepLast keeps the newest n entries.
func KeepLast(n int64) TrimOption {
	if n < 0 {
		return TrimOption{err: because(ErrArgument, fmt.Sprintf("KeepLast(%d): it cannot be negative", n))}
	}
	return TrimOption{by: "MAXLEN", threshold: strconv.FormatInt(n, 10)}
}

// KeepFrom keeps the entries from this ID on. [IDAt] returns the ID for a time. KeepFrom needs
// Redis 6.2.
func KeepFrom(id string) TrimOption {
	if _, err := parseID(id); err != nil {
		return TrimOption{err: errID}
	}
	return TrimOption{by: "MINID", threshold: id}
}

// Approx lets the server keep a few more entries where that is much cheaper. This is the usual way
// to trim.
func (o TrimOption) Approx() TrimOption {
	o.approx = true
	return o
}

// Limit makes one call remove at most n entries. It needs Approx and Redis 6.2.
func (o TrimOption) Limit(n int64) TrimOption {
	o.limit = n
	if n < 1 && o.err == nil {
		o.err = because(ErrArgument, fmt.Sprintf("Limit(%d): at least 1", n))
	}
	return o
}

func (o TrimOption) check() error {
	if o.err == nil && o.limit > 0 && !o.approx {
		return because(ErrArgument, "Limit needs Approx")
	}
	return o.err
}

func (o TrimOption) applyEntry(a *entryOptions) error {
	a.trim = o
	return o.check()
}

func (o TrimOption) applyKey(c *config) error {
	if c.trim.by != "" {
		return errors.New("KeepLast or KeepFrom is given twice")
	}
	c.trim = o
	c.onlyFor("trimming", KindStream)
	return o.check()
}

// args returns the words of the command, none for the zero TrimOption.
func (o TrimOption) args() []string {
	if o.by == "" {
		return nil
	}
	args := []string{o.by, "=", o.threshold}
	if o.approx {
		args[1] = "~"
	}
	if o.limit > 0 {
		args = append(args, "LIMIT", strconv.FormatInt(o.limit, 10))
	}
	return args
}

// ReadOption is an option of the reads of a stream.
type ReadOption interface {
	applyRead(o *readOptions) error
}

type readOptions struct {
	count int64
	block time.Duration
	noAck bool
}

// DefaultReadCount is the default of [Count].
const DefaultReadCount = 100

func readOptionsOf(opts []ReadOption) (readOptions, error) {
	o := readOptions{count: DefaultReadCount}
	err := eachOption(opts, func(opt ReadOption) error { return opt.applyRead(&o) })
	return o, err
}

// CountOption is the result of [Count]: a [ReadOption] and a [ConsumeOption].
type CountOption int64

// Count sets how many entries one read returns at most. The default is [DefaultReadCount], and 16
// for [StreamRef.Consume].
func Count(n int64) CountOption { return CountOption(n) }

func (n CountOption) applyRead(o *readOptions) error {
	o.count = int64(n)
	if n < 1 {
		return because(ErrArgument, "Count is at least 1")
	}
	return nil
}

func (n CountOption) applyConsume(o *consumeOptions) error {
	o.count = int64(n)
	if n < 1 {
		return because(ErrArgument, "Count is at least 1")
	}
	return nil
}

type readOption func(o *readOptions) error

func (f readOption) applyRead(o *readOptions) error { return f(o) }

// Block makes a read that finds nothing wait for an entry, for up to d, which is at least one
// millisecond. The read waits on a connection of its own, and ends when the context does. The
// default is not to wait.
func Block(d time.Duration) ReadOption {
	return readOption(func(o *readOptions) error {
		o.block = d
		if d < time.Millisecond {
			return because(ErrArgument, tooShort("Block", d).Error()+" (the context ends a wait without an end)")
		}
		return nil
	})
}

// NoAck makes a group's read acknowledge entries at once. Entries that the reader then fails to
// handle are lost. The default is to wait for [StreamRef.Ack].
func NoAck() ReadOption {
	return readOption(func(o *readOptions) error {
		o.noAck = true
		return nil
	})
}
