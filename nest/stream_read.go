package nest

import (
	"context"
	"errors"
	"iter"
	"slices"
	"strconv"
	"time"

	"github.com/redis/rueidis"

	"github.com/redisimnest/redisimnest/nest/internal/behind"
)

// Lookup returns the value of one entry and reports whether the entry exists (XRANGE).
func (r StreamRef[T]) Lookup(ctx context.Context, id string) (T, bool, error) {
	return both(call(ctx, r.at, func() command[found[T]] { return r.lookup(id) }))
}

func (r StreamRef[T]) lookup(id string) command[found[T]] {
	op := &r.stream().lookup
	if _, err := parseID(id); err != nil {
		return refuse(op, err)
	}
	return command[found[T]]{op: op, cmd: r.at.read("XRANGE", id, id), cacheable: true}
}

// Entries returns up to limit entries from one ID to another, both included, oldest first (XRANGE).
// "" stands for the stream's beginning and end. [StreamRef.Range] streams any number.
func (r StreamRef[T]) Entries(ctx context.Context, from, to string, limit int64) ([]Entry[T], error) {
	return call(ctx, r.at, func() command[[]Entry[T]] { return r.entries(from, to, limit) })
}

func (r StreamRef[T]) entries(from, to string, limit int64) command[[]Entry[T]] {
	return r.between(&r.stream().entries, false, from, to, limit)
}

// between reads up to limit entries from one ID to another, newest first if reversed.
func (r StreamRef[T]) between(op *operation[[]Entry[T]], reversed bool, from, to string, limit int64) command[[]Entry[T]] {
	from, to, err := bounds(from, to)
	switch {
	case err != nil:
		return refuse(op, err)
	case limit < 0:
		return refuse(op, errLimit)
	case limit == 0:
		return skip(op)
	}
	name := "XRANGE"
	if reversed {
		name, from, to = "XREVRANGE", to, from
	}
	return command[[]Entry[T]]{op: op, cmd: r.at.read(name, from, to, "COUNT", strconv.FormatInt(limit, 10)), cacheable: true}
}

var errLimit = because(ErrArgument, "the limit is negative")

// RevEntries returns up to limit entries from one ID to another, as [StreamRef.Entries] does, but
// newest first (XREVRANGE).
func (r StreamRef[T]) RevEntries(ctx context.Context, from, to string, limit int64) ([]Entry[T], error) {
	return call(ctx, r.at, func() command[[]Entry[T]] { return r.revEntries(from, to, limit) })
}

func (r StreamRef[T]) revEntries(from, to string, limit int64) command[[]Entry[T]] {
	return r.between(&r.stream().reversed, true, from, to, limit)
}

// Range streams the entries from one ID to another, both included, oldest first, in pages of
// [ScanCount] (XRANGE). "" stands for the stream's beginning and end. Entries that are added at the
// end meanwhile are included. An error ends the stream.
func (r StreamRef[T]) Range(ctx context.Context, from, to string, opts ...ScanCountOption) iter.Seq2[Entry[T], error] {
	return r.pages(ctx, false, from, to, opts)
}

// RevRange streams the same entries as [StreamRef.Range], newest first (XREVRANGE).
func (r StreamRef[T]) RevRange(ctx context.Context, from, to string, opts ...ScanCountOption) iter.Seq2[Entry[T], error] {
	return r.pages(ctx, true, from, to, opts)
}

// pages streams page after page until one is not full.
func (r StreamRef[T]) pages(ctx context.Context, reversed bool, from, to string, opts []ScanCountOption) iter.Seq2[Entry[T], error] {
	return func(yield func(Entry[T], error) bool) {
		from, to := from, to
		read, name := r.entries, "entries"
		if reversed {
			read, name = r.revEntries, "reversed entries"
		}
		count, err := r.at.scanning(ctx, name, opts)
		if err != nil {
			yield(Entry[T]{}, err)
			return
		}
		for limit := int64(count); ; {
			c := read(from, to, limit)
			c.cacheable = false // a long stream would evict everything else from the cache
			entries, err := run(ctx, r.at, c)
			if err != nil {
				yield(Entry[T]{}, err)
				return
			}
			for _, e := range entries {
				if !yield(e, nil) {
					return
				}
			}
			if int64(len(entries)) < limit {
				return
			}
			last, err := parseID(entries[len(entries)-1].ID)
			if err != nil {
				return
			}
			past, ok := last.next()
			if reversed {
				past, ok = last.previous()
				to = past.String()
			} else {
				from = past.String()
			}
			if !ok {
				return
			}
		}
	}
}

// Read returns the entries after an ID, oldest first (XREAD). "" reads from the beginning;
// [NewEntries] reads only what is added from now on. [Count] limits the number of entries. [Block]
// makes Read wait for some. If there are none, Read returns none and no error. A read that is
// waiting continues on the new primary after a failover by Sentinel. It continues on a new
// connection when its own is lost, unless it waits for NewEntries.
func (r StreamRef[T]) Read(ctx context.Context, after string, opts ...ReadOption) ([]Entry[T], error) {
	if err := r.at.admit(ctx, "read"); err != nil {
		return nil, err
	}
	op := &r.stream().read
	o, err := readOptionsOf(opts)
	if err == nil {
		after, err = startingID(after)
	}
	if err != nil {
		return nil, r.at.reject(ctx, op.name, err)
	}
	return readStream(ctx, r.at, op, o, after, "XREAD")
}

// startingID checks an ID after which a read or a group begins.
func startingID(id string) (string, error) {
	if id == "" {
		return "0-0", nil
	}
	if id != NewEntries {
		if _, err := parseID(id); err != nil {
			return "", err
		}
	}
	return id, nil
}

// readStream reads one stream with XREAD or XREADGROUP, whose words come first. It continues when
// Sentinel names another server during the wait. An XREAD also continues when the connection is
// lost.
//
//nest:ttl renews
func readStream[R any](ctx context.Context, r address, op *operation[R], o readOptions, after string, words ...string) (R, error) {
	reads := words[0] == "XREAD"
	if o.block > 0 && after == NewEntries && r.m.tree.client.Mode() == rueidis.ClientModeSentinel {
		last, err := run(ctx, r, command[string]{op: &opLastEntry, cmd: r.read("XREVRANGE", "+", "-", "COUNT", "1")})
		if err != nil {
			return *new(R), err
		}
		after = last
	}
	var p persistence
	for start, left := time.Now(), o.block; ; {
		tried := time.Now()
		o.block = left
		v, err := readOnce(ctx, r, op, o, after, words)
		again := errors.Is(err, errLeftBehind)
		if lost(err) && o.block > 0 {
			if time.Since(tried) > awayPatience {
				p = persistence{}
			}
			if again = reads && after != NewEntries && p.again(ctx, &notBegunError{err}); !again && !reads {
				err = r.fail(op.name, lostWaiting(bareReason(err)))
			}
		}
		if !again || ctx.Err() != nil {
			return v, err
		}
		left = max(left-time.Since(start), time.Millisecond)
		start = time.Now()
	}
}

var opLastEntry = operation[string]{"read", func(_ *mounted, a rueidis.RedisMessage) (string, error) {
	entries, err := rawEntries(a)
	if err != nil || len(entries) == 0 {
		return "0-0", err
	}
	return entries[0].id, nil
}}

// command returns the command that reads the stream, with words in front.
func (o readOptions) command(r address, after string, words []string) rueidis.Completed {
	words = append(slices.Clip(words), "COUNT", strconv.FormatInt(o.count, 10))
	if o.block > 0 {
		words = append(words, "BLOCK", strconv.FormatInt(max(o.block.Milliseconds(), 1), 10))
	}
	if o.noAck && words[0] != "XREAD" {
		words = append(words, "NOACK")
	}
	b := r.b().Arbitrary(words...).Args("STREAMS").Keys(r.key).Args(after)
	switch {
	case o.block > 0:
		return b.Blocking()
	case words[0] == "XREAD":
		return b.ReadOnly()
	}
	return b.Build()
}

// awaiting returns the context of a command that the server answers within block. It ends with
// errLeftBehind if Sentinel names another server.
func (r address) awaiting(ctx context.Context, block time.Duration) (waits context.Context, stop func()) {
	bounded, cancel := context.WithTimeout(ctx, block+answerTimeout)
	caused, leave := context.WithCancelCause(bounded)
	unwatch := (&line{tree: r.m.tree, server: r.m.tree.server()}).whenLeftBehind(func() { leave(errLeftBehind) })
	return undated{caused}, func() {
		unwatch()
		leave(nil)
		cancel()
	}
}

// readOnce is one try of readStream.
func readOnce[R any](ctx context.Context, r address, op *operation[R], o readOptions, after string, words []string) (R, error) {
	cmd := o.command(r, after, words)
	if o.block > 0 {
		waits, stop := r.awaiting(ctx, o.block)
		defer stop()
		ctx = waits
	}
	send := func() (R, error) { return run(ctx, r, command[R]{op: op, cmd: cmd}) }
	var v R
	var err error
	if o.block == 0 {
		v, err = send()
	} else if v, err = promptly(ctx, r.m.tree, behind.Command, send); err != nil { // the client connects without regard to ctx
		err = r.fail(op.name, err)
	}
	if err != nil && errors.Is(context.Cause(ctx), errLeftBehind) {
		err = r.fail(op.name, &declined{errLeftBehind, bareReason(err)})
	}
	if err == nil && r.readsRenew() {
		_, err = run(ctx, r, r.expire(fromMillis(r.m.ttl()), 0))
	}
	return v, err
}

// maxBlock bounds a single wait for an entry.
const maxBlock = 5 * time.Second

// Follow streams the entries after an ID, and then waits for new ones (XREAD BLOCK, on a connection
// of its own). "" begins with the oldest entry, [NewEntries] with the next one. The stream ends
// without an error when the context does. Any other error ends it too; to go on where it broke off,
// call Follow with the last entry's ID.
func (r StreamRef[T]) Follow(ctx context.Context, after string, opts ...ReadOption) iter.Seq2[Entry[T], error] {
	return func(yield func(Entry[T], error) bool) {
		opts := append(slices.Clip(opts), Block(maxBlock))
		after := after
		if after == NewEntries {
			last, err := r.RevEntries(ctx, "", "", 1)
			if err != nil {
				yield(Entry[T]{}, err)
				return
			}
			after = ""
			if len(last) > 0 {
				after = last[0].ID
			}
		}
		for {
			entries, err := r.Read(ctx, after, opts...)
			if err != nil {
				if ctx == nil || ctx.Err() == nil {
					yield(Entry[T]{}, err)
				}
				return
			}
			for _, e := range entries {
				if !yield(e, nil) {
					return
				}
				after = e.ID
			}
		}
	}
}

// undated is a context that hides its deadline, but still ends at it. The client turns a deadline
// into the connection's own time-out. While a command waits, the client looks at nothing else: it
// misses a cancellation, and cannot say exactly whose deadline it was.
type undated struct{ context.Context } //nolint:containedctx // it is a context itself

func (undated) Deadline() (deadline time.Time, ok bool) { return deadline, false }
