package nest

import (
	"context"
	"math/rand/v2"
	"time"

	"github.com/redis/rueidis"
)

// maxUpdates is how many times Update, and a guarded transaction, tries before it gives up with
// ErrConflict.
// Where sixteen write one key without a pause, who tries this often gives up once in ten million
// times.
const maxUpdates = 256

var (
	opUpdate = operation[swapped]{"update", replySwapped}
	opStored = operation[found[string]]{"get", replyStored}
)

// comparing writes a value only when the key still holds what was read: ARGV[1] tells whether
// there was a value, ARGV[2] is it. A loser learns what the key holds instead.
var comparing = newScript(`local now = redis.call('GET', KEYS[1])
if (ARGV[1] == '1' and now == ARGV[2]) or (ARGV[1] == '0' and not now) then
	if ARGV[4] == '0' then
		redis.call('SET', KEYS[1], ARGV[3])
	else
		redis.call('SET', KEYS[1], ARGV[3], 'PX', ARGV[4])
	end
	return {1}
end
if now then return {0, now} end
return {0}`)

// swapped is the answer of comparing: whether it wrote, else what the key holds.
type swapped struct {
	done bool
	now  found[string]
}

func replySwapped(m *mounted, a rueidis.RedisMessage) (swapped, error) {
	parts, err := a.ToArray()
	if err != nil || len(parts) == 0 {
		return swapped{}, errAnswer
	}
	n, err := replyInt(m, parts[0])
	if err != nil || n == 1 || len(parts) == 1 {
		return swapped{done: n == 1}, err
	}
	text, err := parts[1].ToString()
	return swapped{now: found[string]{text, true}}, err
}

// Update replaces the value by what change makes of it, and gives the new value. change gets
// the value and whether the key exists; without the key it gets the default, or the zero value.
// The write happens only if nobody else wrote in between, else change runs again on the newer
// value: it must be free of side effects. It restarts the declared TTL.
//
// An error of change is returned as it is and nothing is written. The error wraps
// [ErrConflict] when 256 tries were not enough.
//
// It takes two round trips, one for the value (GET) and one that compares and
// sets it (GET and SET in one script), and one more for
// each time that it lost: the script tells the loser what the key holds. A key that is declared
// [Cached] is not asked for while the client has its value in memory, so that one round trip is
// enough when the server still holds that. An error of change on a value from memory counts only
// when the server holds it too, for which it is asked then.
func (r KeyRef[T]) Update(ctx context.Context, change func(T, bool) (T, error)) (T, error) {
	return watched(ctx, r.at, "update", func() (T, error) {
		return revise(ctx, r.at, change, r.current, r.encode)
	})
}

// revise is Update of every kind that stores one value as a string: decode gives the value of
// what the key holds, or what stands for a missing one.
func revise[T any](ctx context.Context, r address, change func(T, bool) (T, error), decode func(found[string]) (T, error), encode func(T) (string, error)) (T, error) {
	var zero T
	if err := r.ready(ctx, "update"); err != nil {
		return zero, err
	}
	if change == nil {
		return zero, r.fail("update", because(ErrArgument, "the function is nil"))
	}
	fromMemory := r.m.settings.cached > 0
	now, err := send(ctx, r, r.stored(fromMemory))
	if err != nil {
		return zero, err
	}
	for try := range maxUpdates {
		v, text, err := revised(r, now, change, decode, encode)
		if err != nil && !fromMemory {
			return zero, err
		}
		if err != nil {
			// What made it fail may be older than the last write.
			fromMemory = false
			fresh, readErr := send(ctx, r, r.stored(false))
			switch {
			case readErr != nil:
				return zero, readErr
			case fresh == now:
				return zero, err
			}
			now = fresh
			continue
		}
		result, err := send(ctx, r, r.compare(now, text))
		if err != nil {
			return zero, err
		}
		if result.done {
			return v, nil
		}
		now, fromMemory = result.now, false
		// No longer than that, since the winners go on without a pause.
		if err := rest(ctx, min(100*time.Microsecond<<min(try, 10), 10*time.Millisecond)); err != nil {
			return zero, r.fail("update", err)
		}
	}
	return zero, r.fail("update", ErrConflict)
}

// revised gives what change makes of what the key holds, and how it is stored.
func revised[T any](r address, now found[string], change func(T, bool) (T, error), decode func(found[string]) (T, error), encode func(T) (string, error)) (v T, text string, err error) {
	old, err := decode(now)
	if err != nil {
		return v, "", r.fail("update", err)
	}
	if v, err = change(old, now.ok); err != nil {
		return v, "", err
	}
	if text, err = encode(v); err != nil {
		return v, "", r.fail("update", err)
	}
	return v, text, nil
}

// stored reads what the key holds, as it is: from the client's memory or from the server.
//
//nest:ttl keeps
func (r address) stored(fromMemory bool) command[found[string]] {
	return command[found[string]]{op: &opStored, cmd: r.b().Get().Key(r.key).Build(), cacheable: fromMemory}
}

func replyStored(_ *mounted, a rueidis.RedisMessage) (found[string], error) {
	if a.IsNil() {
		return found[string]{}, nil
	}
	text, err := a.ToString()
	return found[string]{text, err == nil}, err
}

// current decodes what the key holds, or gives what stands for a missing key.
func (r KeyRef[T]) current(now found[string]) (v T, err error) {
	switch {
	case now.ok:
		if v, err = r.value().typed.Decode(now.value); err != nil {
			err = decodeError(r.at.m, err)
		}
	case r.value().hasDefault:
		v, err = r.value().defaultValue()
	}
	return v, err
}

//nest:ttl restarts
func (r address) compare(was found[string], text string) command[swapped] {
	had := "0"
	if was.ok {
		had = "1"
	}
	return command[swapped]{op: &opUpdate, cmd: comparing.command(r.b(), []string{r.key}, had, was.value, text, millis(r.m.ttl()))}
}

// pause waits a little before another try: up to 2^try × 100 µs, at most 50 ms, at random so
// that writers who met once do not meet again (exponential backoff with full jitter).
func pause(ctx context.Context, try int) error {
	return rest(ctx, min(100*time.Microsecond<<min(try, 10), 50*time.Millisecond))
}

// rest waits for a random time of up to longest.
func rest(ctx context.Context, longest time.Duration) error { return sleep(ctx, rand.N(longest)) }

// sleep waits for d, unless the context ends before.
func sleep(ctx context.Context, d time.Duration) error {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-ctx.Done():
		return ctx.Err()
	case <-timer.C:
		return nil
	}
}
