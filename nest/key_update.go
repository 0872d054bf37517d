package nest

import (
	"context"

	"github.com/redis/rueidis"
)

var (
	opUpdate = operation[swapped]{"update", replySwapped}
	opStored = operation[found[string]]{"get", replyStored}
)

// comparing writes a value only if the key still holds what was read. ARGV[1] says whether there
// was a value, and ARGV[2] is that value. If the key holds something else, the answer says what.
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

// swapped is the answer of comparing: whether it wrote, and if not, what the key holds.
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

// revise is Update for every kind that stores one value as a string. decode returns the value of
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
	told := false // now is the value that the script returned to a lost try
	for c := (contest{}); ; {
		v, text, err := revised(r, now, change, decode, encode)
		switch {
		case err != nil && !fromMemory:
			return zero, err
		case err != nil:
			// The value that change failed on may be older than the last write.
			fresh, readErr := send(ctx, r, r.stored(false))
			switch {
			case readErr != nil:
				return zero, readErr
			case fresh == now:
				return zero, err
			}
			now, fromMemory = fresh, false
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
		if !told {
			// The value is fresh now, and would not be after a pause.
			if err := c.lost(ctx, ErrConflict); err != nil {
				return zero, r.fail("update", err)
			}
			told = true
			continue
		}
		if err := c.pause(ctx, ErrConflict); err != nil {
			return zero, r.fail("update", err)
		}
		if now, err = send(ctx, r, r.stored(false)); err != nil {
			return zero, err
		}
		told = false
	}
}

// revised returns the result of change on what the key holds, and its encoding.
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

// stored reads what the key holds, undecoded, from the client's memory or from the server.
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

//nest:ttl restarts
func (r address) compare(was found[string], text string) command[swapped] {
	return command[swapped]{op: &opUpdate, cmd: comparing.command(r.b(), []string{r.key}, bit(was.ok), was.value, text, millis(r.m.ttl()))}
}
