package nest

import (
	"time"

	"github.com/redis/rueidis"
)

// How answers become results that are no values of a declared type. An answer of another form
// than the command promises is errAnswer: the client's own errors repeat it.

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
		return time.Duration(ms) * time.Millisecond, nil
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

// replyDump reads bytes that belong to the caller: the client's own accessor gives those of the
// answer, which its cache may hold too.
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
