package nest

import (
	"context"
	"iter"
	"slices"
	"strconv"
	"time"

	"github.com/redis/rueidis"
)

// Lookup gives the value of one entry and whether it is there (XRANGE).
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

// Entries gives up to limit entries from one ID to another, both included, oldest first; ""
// stands for the stream's beginning and end (XRANGE). [StreamRef.Range] streams any number.
func (r StreamRef[T]) Entries(ctx context.Context, from, to string, limit int64) ([]Entry[T], error) {
	return call(ctx, r.at, func() command[[]Entry[T]] { return r.entries(from, to, limit) })
}

func (r StreamRef[T]) entries(from, to string, limit int64) command[[]Entry[T]] {
	op := &r.stream().entries
	from, to, err := bounds(from, to)
	switch {
	case err != nil:
		return refuse(op, err)
	case limit < 0:
		return refuse(op, errLimit)
	case limit == 0:
		return skip(op)
	}
	return command[[]Entry[T]]{op: op, cmd: r.at.read("XRANGE", from, to, "COUNT", strconv.FormatInt(limit, 10)), cacheable: true}
}

var errLimit = because(ErrArgument, "the limit is negative")

// RevEntries gives up to limit entries from one ID to another as [StreamRef.Entries] does, but
// newest first (XREVRANGE).
func (r StreamRef[T]) RevEntries(ctx context.Context, from, to string, limit int64) ([]Entry[T], error) {
	return call(ctx, r.at, func() command[[]Entry[T]] { return r.revEntries(from, to, limit) })
}

func (r StreamRef[T]) revEntries(from, to string, limit int64) command[[]Entry[T]] {
	op := &r.stream().reversed
	from, to, err := bounds(from, to)
	switch {
	case err != nil:
		return refuse(op, err)
	case limit < 0:
		return refuse(op, errLimit)
	case limit == 0:
		return skip(op)
	}
	return command[[]Entry[T]]{op: op, cmd: r.at.read("XREVRANGE", to, from, "COUNT", strconv.FormatInt(limit, 10)), cacheable: true}
}

// Range streams the entries from one ID to another, both included, oldest first, in pages of
// [ScanCount]; "" stands for the stream's beginning and end (XRANGE). What is added at the end
// meanwhile is among them. An error ends the stream.
func (r StreamRef[T]) Range(ctx context.Context, from, to string, opts ...ScanOption) iter.Seq2[Entry[T], error] {
	return func(yield func(Entry[T], error) bool) {
		from := from
		r.walk(ctx, opts, yield, func(limit int64) command[[]Entry[T]] { return r.entries(from, to, limit) },
			func(last entryID) bool {
				next, ok := last.next()
				from = next.String()
				return ok
			})
	}
}

// RevRange streams the same entries as [StreamRef.Range], newest first (XREVRANGE).
func (r StreamRef[T]) RevRange(ctx context.Context, from, to string, opts ...ScanOption) iter.Seq2[Entry[T], error] {
	return func(yield func(Entry[T], error) bool) {
		to := to
		r.walk(ctx, opts, yield, func(limit int64) command[[]Entry[T]] { return r.revEntries(from, to, limit) },
			func(last entryID) bool {
				previous, ok := last.previous()
				to = previous.String()
				return ok
			})
	}
}

// walk yields page after page until one is not full; turn moves on from a page's last entry.
func (r StreamRef[T]) walk(ctx context.Context, opts []ScanOption, yield func(Entry[T], error) bool,
	page func(limit int64) command[[]Entry[T]], turn func(last entryID) bool) {
	err := r.at.usable()
	if err == nil {
		err = r.at.ready(ctx, page(1).op.name)
	}
	if err != nil {
		yield(Entry[T]{}, err)
		return
	}
	for limit := int64(r.at.scanOptions(opts).count); ; {
		c := page(limit)
		c.cacheable = false // a long stream would drive everything else out of the cache
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
		if last, err := parseID(entries[len(entries)-1].ID); err != nil || !turn(last) {
			return
		}
	}
}

// Read gives the entries after an ID, oldest first: "" for all, [NewEntries] for what is added
// from now on (XREAD). [Count] limits how many, [Block] lets it wait for some. Without any it
// gives none and no error.
func (r StreamRef[T]) Read(ctx context.Context, after string, opts ...ReadOption) ([]Entry[T], error) {
	if err := r.at.ready(ctx, "read"); err != nil {
		return nil, err
	}
	op := &r.stream().read
	o, err := readOptionsOf(opts)
	if err == nil {
		after, err = startingID(after)
	}
	if err != nil {
		return nil, r.at.fail(op.name, err)
	}
	return readStream(ctx, r.at, op, o, after, "XREAD")
}

// startingID checks an ID after which to read or where a group begins.
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

// readStream reads one stream with XREAD or XREADGROUP, whose words come first.
//
//nest:ttl renews
func readStream[R any](ctx context.Context, r address, op *operation[R], o readOptions, after string, words ...string) (R, error) {
	words = append(slices.Clip(words), "COUNT", strconv.FormatInt(o.count, 10))
	if o.block > 0 {
		words = append(words, "BLOCK", strconv.FormatInt(o.block.Milliseconds(), 10))
	}
	if o.noAck && words[0] != "XREAD" {
		words = append(words, "NOACK")
	}
	b := r.b().Arbitrary(words...).Args("STREAMS").Keys(r.key).Args(after)
	var cmd rueidis.Completed
	switch {
	case o.block > 0:
		cmd = b.Blocking()
	case words[0] == "XREAD":
		cmd = b.ReadOnly()
	default:
		cmd = b.Build()
	}
	if o.block > 0 {
		var cancel context.CancelFunc
		ctx, cancel = context.WithTimeout(ctx, o.block+answerTimeout)
		defer cancel()
		ctx = undated{ctx}
	}
	v, err := run(ctx, r, command[R]{op: op, cmd: cmd})
	if err == nil && r.renews() {
		_, err = run(ctx, r, r.expire(time.Duration(r.m.ttl())*time.Millisecond, 0))
	}
	return v, err
}

// maxBlock bounds a single wait for an entry. A server that has not answered answerTimeout after
// the end of a wait is taken for dead: nothing else would notice that its connection died in
// silence.
const (
	maxBlock      = 5 * time.Second
	answerTimeout = 5 * time.Second
)

// Follow streams the entries after an ID, and goes on waiting for those that are added; "" begins
// with the oldest one, [NewEntries] with the next one (XREAD BLOCK, on a connection of its own).
// The stream ends, without an error, when the context does; any other error ends it too, and
// following the last entry's ID goes on where it broke off.
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

// undated is a context that does not tell its deadline, but ends then. The client makes a
// deadline the connection's own time-out, and in a command that waits looks at nothing else:
// neither at a cancellation nor, exactly, at whose deadline it was.
type undated struct{ context.Context } //nolint:containedctx // it is one itself

func (undated) Deadline() (deadline time.Time, ok bool) { return deadline, false }
