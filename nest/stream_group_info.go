package nest

import (
	"context"
	"strconv"
	"time"

	"github.com/redis/rueidis"
)

// StreamInfo is what the server reports about a stream. Servers before Redis 7.0, and the embedded
// one, leave out some of it: fields that are not reported are 0 or "".
type StreamInfo struct {
	Len       int64  // entries now
	Added     int64  // entries ever added (Redis 7.0)
	Groups    int64  // groups of consumers
	FirstID   string // of the oldest entry
	LastID    string // of the newest entry ever added
	DeletedID string // the greatest ID of a removed entry (Redis 7.0)
}

// GroupInfo is what the server reports about a group of consumers.
type GroupInfo struct {
	Name      string
	Consumers int64
	Pending   int64  // entries delivered and not acknowledged
	LastID    string // of the last entry that was delivered
	Lag       int64  // entries not yet delivered, -1 when the server does not know (Redis 7.0)
}

// ConsumerInfo is what the server reports about a consumer.
type ConsumerInfo struct {
	Name    string
	Pending int64
	Idle    time.Duration // since its last request
}

// PendingSummary summarizes the pending entries of a group.
type PendingSummary struct {
	Count           int64
	FirstID, LastID string
	Consumers       map[string]int64 // how many entries are pending for each
}

// PendingEntry is an entry that was delivered to a consumer and not acknowledged.
type PendingEntry struct {
	ID         string
	Consumer   string
	Idle       time.Duration // since it was last delivered
	Deliveries int64         // how many times it was delivered
}

// PendingQuery selects pending entries. The zero value selects the first hundred.
type PendingQuery struct {
	Consumer string        // only those of this consumer
	Idle     time.Duration // pending at least this long; 0 or at least a millisecond (Redis 6.2)
	From, To string        // the range of IDs, inclusive
	Limit    int64         // at most this many; 0 stands for 100
}

// Info returns information about the stream (XINFO STREAM). The error wraps [ErrNotFound] when it
// does not exist.
func (r StreamRef[T]) Info(ctx context.Context) (StreamInfo, error) {
	return call(ctx, r.at, r.at.info)
}

//nest:ttl keeps
func (r address) info() command[StreamInfo] {
	return command[StreamInfo]{op: &opStreamInfo, cmd: r.b().Arbitrary("XINFO", "STREAM").Keys(r.key).ReadOnly()}
}

// Groups returns information about the groups of consumers (XINFO GROUPS). The error wraps
// [ErrNotFound] when the stream does not exist.
func (r StreamRef[T]) Groups(ctx context.Context) ([]GroupInfo, error) {
	return call(ctx, r.at, r.at.groups)
}

//nest:ttl keeps
func (r address) groups() command[[]GroupInfo] {
	return command[[]GroupInfo]{op: &opGroups, cmd: r.b().Arbitrary("XINFO", "GROUPS").Keys(r.key).ReadOnly()}
}

// Consumers returns information about the consumers of a group (XINFO CONSUMERS).
func (r StreamRef[T]) Consumers(ctx context.Context, group string) ([]ConsumerInfo, error) {
	return call(ctx, r.at, func() command[[]ConsumerInfo] { return r.at.consumers(group) })
}

//nest:ttl keeps
func (r address) consumers(group string) command[[]ConsumerInfo] {
	if group == "" {
		return refuse(&opConsumers, errNoName)
	}
	return command[[]ConsumerInfo]{op: &opConsumers, cmd: r.b().Arbitrary("XINFO", "CONSUMERS").Keys(r.key).Args(group).ReadOnly()}
}

// PendingSummary returns how many entries are pending in a group, and for which consumers
// (XPENDING).
func (r StreamRef[T]) PendingSummary(ctx context.Context, group string) (PendingSummary, error) {
	return call(ctx, r.at, func() command[PendingSummary] { return r.at.pendingSummary(group) })
}

//nest:ttl keeps
func (r address) pendingSummary(group string) command[PendingSummary] {
	if group == "" {
		return refuse(&opPendingSummary, errNoName)
	}
	return command[PendingSummary]{op: &opPendingSummary, cmd: r.b().Arbitrary("XPENDING").Keys(r.key).Args(group).ReadOnly()}
}

// Pending returns the pending entries of a group, lowest ID first (XPENDING).
func (r StreamRef[T]) Pending(ctx context.Context, group string, query PendingQuery) ([]PendingEntry, error) {
	return call(ctx, r.at, func() command[[]PendingEntry] { return r.at.pending(group, query) })
}

//nest:ttl keeps
func (r address) pending(group string, q PendingQuery) command[[]PendingEntry] {
	from, to, err := bounds(q.From, q.To)
	switch {
	case err != nil:
	case group == "":
		err = errNoName
	case q.Limit < 0:
		err = errLimit
	default:
		err = checkIdle(q.Idle)
	}
	if err != nil {
		return refuse(&opPending, err)
	}
	if q.Limit == 0 {
		q.Limit = 100
	}
	args := []string{group}
	if q.Idle > 0 {
		args = append(args, "IDLE", millis(q.Idle.Milliseconds()))
	}
	args = append(args, from, to, strconv.FormatInt(q.Limit, 10))
	if q.Consumer != "" {
		args = append(args, q.Consumer)
	}
	return command[[]PendingEntry]{op: &opPending, cmd: r.b().Arbitrary("XPENDING").Keys(r.key).Args(args...).ReadOnly()}
}

var (
	opStreamInfo     = operation[StreamInfo]{"info", replyStreamInfo}
	opGroups         = operation[[]GroupInfo]{"groups", replyGroups}
	opConsumers      = operation[[]ConsumerInfo]{"consumers", replyConsumers}
	opPendingSummary = operation[PendingSummary]{"pending summary", replyPendingSummary}
	opPending        = operation[[]PendingEntry]{"pending", replyPending}
)

// facts are the names and values in a reply of XINFO. One that is missing, or not of the expected
// type, reads as the zero value.
type facts map[string]rueidis.RedisMessage

func factsOf(a rueidis.RedisMessage) (facts, error) {
	f, err := a.AsMap()
	if err != nil {
		return nil, errAnswer
	}
	return f, nil
}

func (f facts) number(name string) int64 {
	m := f[name]
	n, err := m.AsInt64()
	if err != nil {
		return 0
	}
	return n
}

func (f facts) text(name string) string {
	m := f[name]
	s, err := m.ToString()
	if err != nil {
		return ""
	}
	return s
}

func replyStreamInfo(_ *mounted, a rueidis.RedisMessage) (StreamInfo, error) {
	f, err := factsOf(a)
	if err != nil {
		return StreamInfo{}, err
	}
	info := StreamInfo{
		Len:       f.number("length"),
		Added:     f.number("entries-added"),
		Groups:    f.number("groups"),
		LastID:    f.text("last-generated-id"),
		DeletedID: f.text("max-deleted-entry-id"),
	}
	first := f["first-entry"]
	if parts, err := first.ToArray(); err == nil && len(parts) > 0 {
		info.FirstID, _ = parts[0].ToString()
	}
	return info, nil
}

func replyGroups(_ *mounted, a rueidis.RedisMessage) ([]GroupInfo, error) {
	return replyEach(a, func(a rueidis.RedisMessage) (GroupInfo, error) {
		f, err := factsOf(a)
		g := GroupInfo{
			Name:      f.text("name"),
			Consumers: f.number("consumers"),
			Pending:   f.number("pending"),
			LastID:    f.text("last-delivered-id"),
			Lag:       -1,
		}
		if lag := f["lag"]; lag.IsInt64() {
			g.Lag = f.number("lag")
		}
		return g, err
	})
}

func replyConsumers(_ *mounted, a rueidis.RedisMessage) ([]ConsumerInfo, error) {
	return replyEach(a, func(a rueidis.RedisMessage) (ConsumerInfo, error) {
		f, err := factsOf(a)
		return ConsumerInfo{f.text("name"), f.number("pending"), fromMillis(f.number("idle"))}, err
	})
}

func replyPending(_ *mounted, a rueidis.RedisMessage) ([]PendingEntry, error) {
	return replyEach(a, func(a rueidis.RedisMessage) (p PendingEntry, err error) {
		parts, err := a.ToArray()
		if err != nil || len(parts) != 4 {
			return p, errAnswer
		}
		id, err1 := parts[0].ToString()
		consumer, err2 := parts[1].ToString()
		idle, err3 := parts[2].AsInt64()
		deliveries, err4 := parts[3].AsInt64()
		if err1 != nil || err2 != nil || err3 != nil || err4 != nil {
			return p, errAnswer
		}
		return PendingEntry{id, consumer, fromMillis(idle), deliveries}, nil
	})
}

func replyPendingSummary(_ *mounted, a rueidis.RedisMessage) (s PendingSummary, err error) {
	parts, err := a.ToArray()
	if err != nil || len(parts) != 4 {
		return s, errAnswer
	}
	if s.Count, err = parts[0].AsInt64(); err != nil {
		return s, errAnswer
	}
	s.Consumers = make(map[string]int64)
	if s.Count == 0 {
		return s, nil
	}
	s.FirstID, _ = parts[1].ToString()
	s.LastID, _ = parts[2].ToString()
	_, err = replyEach(parts[3], func(a rueidis.RedisMessage) (struct{}, error) {
		pair, err := a.ToArray()
		if err != nil || len(pair) != 2 {
			return struct{}{}, errAnswer
		}
		name, err1 := pair[0].ToString()
		n, err2 := pair[1].AsInt64()
		if err1 != nil || err2 != nil {
			return struct{}{}, errAnswer
		}
		s.Consumers[name] = n
		return struct{}{}, nil
	})
	return s, err
}

// replyEach reads a list.
func replyEach[E any](a rueidis.RedisMessage, read func(rueidis.RedisMessage) (E, error)) ([]E, error) {
	if a.IsNil() {
		return nil, nil
	}
	answers, err := a.ToArray()
	if err != nil {
		return nil, errAnswer
	}
	list := make([]E, len(answers))
	for i, answer := range answers {
		if list[i], err = read(answer); err != nil {
			return nil, err
		}
	}
	return list, nil
}
