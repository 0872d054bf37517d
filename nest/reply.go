package nest

import (
	"time"

	"github.com/redis/rueidis"
)

// These functions turn answers into results that are not values of a declared type. An answer that
// does not have the form that the command promises is errAnswer: the client's own errors repeat the
// answer.

func replyNone(*mounted, rueidis.RedisMessage) (struct{}, error) { return struct{}{}, nil }

func replyBool(m *mounted, a rueidis.RedisMessage) (bool, error) {
	n, err := replyInt(m, a)
	return n > 0, err
}

func replyMessage(_ *mounted, a rueidis.RedisMessage) (rueidis.RedisMessage, error) { return a, nil }

// replyTTL reads PTTL: -2 means no key, -1 no expiry.
func replyTTL(m *mounted, a rueidis.RedisMessage) (time.Duration, error) {
	switch ms, err := replyInt(m, a); {
	case err != nil:
		return 0, err
	case ms == -2:
		return 0, ErrNotFound
	case ms < 0:
		return Forever, nil
	default:
		return fromMillis(ms), nil
	}
}

// replyExpireTime reads PEXPIRETIME: -2 means no key, -1 no expiry.
func replyExpireTime(m *mounted, a rueidis.RedisMessage) (time.Time, error) {
	switch ms, err := replyInt(m, a); {
	case err != nil:
		return time.Time{}, err
	case ms == -2:
		return time.Time{}, ErrNotFound
	case ms < 0:
		return time.Time{}, nil
	default:
		return time.UnixMilli(ms), nil
	}
}

func replyType(_ *mounted, a rueidis.RedisMessage) (string, error) {
	t, err := a.ToString()
	if err == nil && t == "none" {
		return "", ErrNotFound
	}
	return t, err
}

func replyMemory(m *mounted, a rueidis.RedisMessage) (int64, error) {
	if a.IsNil() {
		return 0, ErrNotFound
	}
	return replyInt(m, a)
}

// replyDump returns bytes that belong to the caller. The client's own accessor returns those of the
// answer, which may also be in its cache.
func replyDump(_ *mounted, a rueidis.RedisMessage) ([]byte, error) {
	if a.IsNil() {
		return nil, ErrNotFound
	}
	text, err := a.ToString()
	if err != nil {
		return nil, errAnswer
	}
	return []byte(text), nil
}

// Forever is the TTL of a key that has no expiry, as returned by [Ref.TTL].
const Forever time.Duration = -1
