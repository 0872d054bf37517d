package nest

import (
	"context"
	"slices"
	"strings"
	"time"

	"github.com/redis/rueidis"

	"github.com/redisimnest/redisimnest/nest/internal/local"
)

// What a client that cannot track remembers by itself, see [LocalFor]. Nothing tells it of changes
// but this process's own writes, which make it forget what they wrote once they have been answered.

// readRemembered answers a read from this process's memory, or asks the server and remembers what
// it answers.
func (r address) readRemembered(ctx context.Context, cmd rueidis.Completed) (rueidis.RedisMessage, error) {
	form := formOf(cmd.Commands())
	if answer, ok := r.remembered(form, r.m.settings.local); ok {
		return answer, nilError(&answer)
	}
	reading := r.m.tree.values.Begin(r.key)
	answer, err := r.m.tree.do(ctx, cmd)
	keepAnswer(reading, form, &answer, err)
	return answer, err
}

// remembered returns what a read found less than d ago.
func (r address) remembered(form string, d time.Duration) (rueidis.RedisMessage, bool) {
	return r.m.tree.values.Get(r.key, form, d)
}

// keepAnswer ends a read, and remembers its answer unless it is an error. What is remembered is a
// copy, so that the size of what it refers to is known.
func keepAnswer(reading local.Reading[rueidis.RedisMessage], form string, answer *rueidis.RedisMessage, err error) {
	if err != nil && !rueidis.IsRedisNil(err) {
		reading.End()
		return
	}
	var kept rueidis.RedisMessage
	text := answer.CacheMarshal(nil)
	if err := kept.CacheUnmarshalView(text); err != nil {
		reading.End()
		return
	}
	reading.Keep(form, kept, len(text)+messageSize*messages(&kept))
}

// messageSize is about how much memory one message takes beside its text.
const messageSize = 48

// messages returns how many messages there are in one.
func messages(m *rueidis.RedisMessage) int {
	n := 1
	if parts, err := m.ToArray(); err == nil {
		for i := range parts {
			n += messages(&parts[i])
		}
	} else if parts, err := m.ToMap(); err == nil {
		n += 2 * len(parts)
	}
	return n
}

// nilError returns the error with which the client returns the answer that there is nothing.
func nilError(answer *rueidis.RedisMessage) error {
	if answer.IsNil() {
		return rueidis.Nil
	}
	return nil
}

// formOf tells the reads of one key apart, by their words and the lengths of these.
func formOf(words []string) string {
	if len(words) == 2 {
		return words[0] // and the key
	}
	return lengths(words) + strings.Join(words, "")
}

// remembers reports whether reads are answered from this process's memory.
func (t *tree) remembers() bool { return t.values != nil && t.untracked.Load() }

// forget forgets what is remembered of a key that this process has written.
func (r address) forget() {
	if r.m.tree.remembers() {
		r.m.tree.values.Drop(r.key)
	}
}

// forgetAll forgets everything that is remembered.
func (t *tree) forgetAll() {
	if t.remembers() {
		t.values.Clear()
	}
}

// mostUnsaid is how many answers have to look as if the client did not track, if the server does
// not say.
const mostUnsaid = 3

// doubtTracking finds out whether the client tracks, from an answer to a cached read that the
// client did not know. A client that tracks says until when it remembers the answer. One that does
// not say so makes the server be asked.
func (t *tree) doubtTracking(ctx context.Context, answer *rueidis.RedisMessage, err error) {
	if answer.IsCacheHit() || err != nil && !answer.IsNil() || answer.CachePXAT() >= 0 || t.untracked.Load() || !t.asked.CompareAndSwap(false, true) {
		return
	}
	defer t.asked.Store(false)
	info, err := t.client.Do(ctx, t.client.B().Arbitrary("CLIENT", "TRACKINGINFO").Build()).AsMap()
	refused, answered := rueidis.IsRedisErr(err)
	switch {
	case answered && strings.HasPrefix(refused.Error(), "NOPERM"):
		if t.unsaid.Add(1) < mostUnsaid {
			return
		}
	case answered: // it knows of no tracking
	case err != nil:
		return
	default:
		said := info["flags"]
		if flags, err := said.AsStrSlice(); err != nil || !slices.Contains(flags, "off") {
			return
		}
	}
	t.cannotTrack()
}
