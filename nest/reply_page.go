package nest

import (
	"context"
	"iter"
	"strconv"

	"github.com/redis/rueidis"
)

// page is one answer of HSCAN, SSCAN or ZSCAN: the cursor of the next page, and names and encoded
// values.
type page struct {
	cursor string
	texts  []string
}

// lastCursor ends a scan, and begins one.
const lastCursor = "0"

func replyPage(_ *mounted, a rueidis.RedisMessage) (p page, err error) {
	parts, err := a.ToArray()
	if err != nil || len(parts) != 2 {
		return p, errAnswer
	}
	if p.cursor, err = parts[0].ToString(); err != nil {
		return p, errAnswer
	}
	if p.texts, err = parts[1].AsStrSlice(); err != nil {
		return p, errAnswer
	}
	return p, nil
}

// pairs yields the texts of a page in pairs.
func (p page) pairs() iter.Seq2[string, string] {
	return func(yield func(string, string) bool) {
		for i := 0; i+1 < len(p.texts); i += 2 {
			if !yield(p.texts[i], p.texts[i+1]) {
				return
			}
		}
	}
}

// scanCommand returns the command for one page. It is not marked as a read for the client: a client
// may send each read to another replica, and a cursor is valid only on the server that it came
// from.
//
//nest:ttl renews
func (r address) scanCommand(op *operation[page], name, cursor, count string) command[page] {
	if r.readsRenew() {
		return command[page]{op: op, cmd: r.scripted(renewing, name, []string{cursor, "COUNT", count})}
	}
	cmd := r.b().Arbitrary(name).Keys(r.key).Args(cursor, "COUNT", count).Build().ToRetryable()
	return command[page]{op: op, cmd: cmd}
}

// scanPages streams the pages of a scan of this key, until an error ends it. A scan that fits into
// one page takes one ordinary command. A longer one asks for all its pages on one connection. Its
// cursor must go back to the server that it came from, before that restarts: after a restart, or on
// another node after a slot has moved, the order is different.
func (r address) scanPages(ctx context.Context, op *operation[page], name string, opts []ScanCountOption) iter.Seq2[page, error] {
	return func(yield func(page, error) bool) {
		size, err := r.scanning(ctx, op.name, opts)
		if err != nil {
			yield(page{}, err)
			return
		}
		count := strconv.Itoa(size)
		switch p, err := run(ctx, r, r.scanCommand(op, name, lastCursor, count)); {
		case err != nil:
			yield(page{}, err)
			return
		case p.cursor == lastCursor:
			yield(p, nil)
			return
		}
		s := keyScan{r: r, op: op, name: name, count: count, line: line{tree: r.m.tree}}
		defer func() { s.line.giveBack(false) }()
		for cursor := lastCursor; ; {
			p, err := s.next(ctx, cursor)
			if err != nil {
				yield(page{}, err)
				return
			}
			if !yield(p, nil) || p.cursor == lastCursor {
				return
			}
			cursor = p.cursor
		}
	}
}

// keyScan is a scan of one key on its own connection.
type keyScan struct {
	r       address
	op      *operation[page]
	name    string // of the command
	count   string
	line    line
	waits   persistence
	restart int // how often the connection was lost
}

// next asks for the page at a cursor, and tells the observers of it.
func (s *keyScan) next(ctx context.Context, cursor string) (page, error) {
	if !s.r.m.tree.observed() {
		return s.orFirst(ctx, cursor)
	}
	ctx, o := s.r.begin(ctx, Event{Op: s.op.name})
	defer o.end()
	p, err := s.orFirst(ctx, cursor)
	o.event.Err = err
	return p, err
}

// orFirst asks for the page at a cursor, or for the first one if the scan has to begin again.
func (s *keyScan) orFirst(ctx context.Context, cursor string) (page, error) {
	for {
		p, again, err := s.page(ctx, s.r.scanCommand(s.op, s.name, cursor, s.count))
		if !again {
			return p, err
		}
		cursor = lastCursor
	}
}

// page asks for a page, or reports that the scan has to begin again. It has to if its key has
// moved, or if the connection was lost, since the server may have restarted.
func (s *keyScan) page(ctx context.Context, c command[page]) (p page, again bool, err error) {
	r := s.r
	if r.m.far() {
		if err := r.carry(ctx); err != nil {
			return p, false, r.fail(c.op.name, err)
		}
	}
	if err := s.line.openWithin(ctx, walkPatience); err != nil {
		return p, false, r.fail(c.op.name, err)
	}
	answer, failed := s.line.conn.Do(ctx, r.m.tree.inFull(r.moved(c.cmd))).ToMessage()
	switch {
	case whyUnexecuted(failed) != noObstacle:
		s.line.giveBack(false)
		if s.waits.again(ctx, failed) {
			return p, true, nil
		}
		failed = s.waits.lastly(ctx, failed)
	case unanswered(failed) && ctx.Err() == nil && s.restart < walkTries:
		s.line.drop()
		s.restart++
		if sleep(ctx, walkPause) == nil {
			return p, true, nil
		}
	}
	c.reading = true
	p, err = finish(ctx, r, &c, &answer, failed)
	return p, false, err
}

// scanning returns the number of elements in each page of an iteration, or why it cannot begin.
func (r address) scanning(ctx context.Context, op string, opts []ScanCountOption) (int, error) {
	if err := r.admit(ctx, op); err != nil {
		return 0, err
	}
	o := r.m.tree.options.scan
	for _, opt := range opts {
		if err := opt.applyScan(&o); err != nil {
			return 0, r.reject(ctx, op, err)
		}
	}
	return o.count, nil
}
