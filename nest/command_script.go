package nest

import (
	"crypto/sha1" //nolint:gosec // how Redis names a script; no security rests on it
	"encoding/hex"
	"strconv"

	"github.com/redis/rueidis"

	"github.com/redisimnest/redisimnest/nest/internal/hashslot"
)

// script is a Lua script that makes several commands one atomic step. An operation that is sent
// alone names the script by its hash (EVALSHA). It sends the whole text (EVAL) when the server does
// not know the hash: after a restart, after a SCRIPT FLUSH, or on a new node. The server has
// executed nothing then, so nothing happens twice. Where commands travel together, in batches and
// in writes to keys that are cached or loaded, the text is sent from the start: a script that had
// to be sent again would run after the commands that follow it, and a transaction cannot be sent
// again. A hash in place of the text makes a single call 1.1 times as fast.
type script struct{ text, sha string }

// scripts maps hashes to texts. It is filled while the package's variables are initialized, and
// only read afterwards.
var scripts = map[string]string{}

func newScript(text string) script {
	sum := sha1.Sum([]byte(text)) //nolint:gosec // see above
	s := script{text, hex.EncodeToString(sum[:])}
	scripts[s.sha] = text
	return s
}

// A script runs with the rights of its user, and what it has written stays when a later command is
// denied. So, before it writes, each script checks the rights to all commands that may follow.

// asking defines lacks, which returns an error if the user may not run a command, and nil
// otherwise. Redis 7.0 and Valkey can be asked directly. Redis 6.2 shows it by how it refuses an
// expiry without a time.
const asking = `local function lacks(command, ...)
	local may = redis.acl_check_cmd
	if may then
		may = may(command, ...)
	else
		may = string.sub(command, 1, 7) ~= 'PEXPIRE' or not string.find(redis.pcall(command, KEYS[1], '').err, "can't ", 1, true)
	end
	if not may then return redis.error_reply('NOPERM no right to run ' .. command .. ', nothing was written') end
end
`

// starts adds a function of that name to lacks. It reports whether a key is to get an expiry after
// the write: with renew always, otherwise only if it has none. It returns an error if the user may
// not set one.
const starts = asking + `local function starts(key, ttl, renew)
	if ttl == '0' then return false end
	if not renew then
		local left = redis.pcall('PTTL', key)
		if type(left) == 'table' then return false, lacks('PTTL', key) or left end
		if left >= 0 then return false end
	end
	return true, lacks('PEXPIRE', key, ttl)
end
`

// keepingFieldTTL defines two functions. put writes a field so that the field's own expiry goes on;
// HSET would end it. mayPut returns the error of a user who may not do so.
const keepingFieldTTL = starts + `local function mayPut(key, field)
	local probe = redis.pcall('HPEXPIRETIME', key)
	if probe.err and string.find(string.lower(probe.err), 'unknown', 1, true) then return lacks('HSET', key, field, '') end
	return lacks('HSET', key, field, '') or lacks('HPEXPIRETIME', key, 'FIELDS', 1, field) or
		lacks('HPEXPIREAT', key, 1, 'FIELDS', 1, field)
end
local function put(key, field, value)
	local ends = redis.pcall('HPEXPIRETIME', key, 'FIELDS', 1, field)
	redis.call('HSET', key, field, value)
	if ends[1] and tonumber(ends[1]) > 0 then
		redis.call('HPEXPIREAT', key, string.format('%.0f', ends[1]), 'FIELDS', 1, field)
	end
end
`

const evalSHA = "EVALSHA"

// command returns the command of an operation.
func (s script) command(b rueidis.Builder, keys []string, args ...string) rueidis.Completed {
	return b.Arbitrary(evalSHA, s.sha, strconv.Itoa(len(keys))).Keys(keys...).Args(args...).Build()
}

// inFull returns a command that works even if the server does not know the script.
func (s script) inFull(b rueidis.Builder, keys []string, args ...string) rueidis.Completed {
	return b.Arbitrary("EVAL", s.text, strconv.Itoa(len(keys))).Keys(keys...).Args(args...).Build()
}

// named reports whether a command names a script of this package. [Ref.Do] can send others.
func named(words []string) bool {
	return words[0] == evalSHA && len(words) > 3 && scripts[words[1]] != ""
}

// inFull returns an operation's command in a form that can travel with others.
func (t *tree) inFull(cmd rueidis.Completed) rueidis.Completed {
	if words := cmd.Commands(); named(words) {
		return spelledOut(t.client.B(), words, marksOf(cmd))
	}
	return cmd
}

// marks are what the client knows about a command besides its words.
type marks struct {
	readOnly, retryable bool
	// waits says that it has a connection of its own: on a shared one all others would wait too.
	waits bool
	slot  uint16
}

func marksOf(cmd rueidis.Completed) marks {
	return marks{cmd.IsReadOnly(), cmd.IsRetryable(), cmd.IsBlock(), cmd.Slot()}
}

func spelledOut(b rueidis.Builder, words []string, m marks) rueidis.Completed {
	keys, err := strconv.Atoi(words[2])
	if keys = min(keys, len(words)-3); err != nil || keys < 0 {
		keys = 0 // the caller's own command: the server says what is wrong with it
	}
	spelled := b.Arbitrary("EVAL", scripts[words[1]], words[2]).Keys(words[3 : 3+keys]...).Args(words[3+keys:]...)
	return m.build(spelled)
}

// buildable is a command that still lacks its marks.
type buildable interface {
	ReadOnly() rueidis.Completed
	Blocking() rueidis.Completed
	Build() rueidis.Completed
}

func (m marks) build(cmd buildable) rueidis.Completed {
	switch {
	case m.waits:
		return cmd.Blocking()
	case m.readOnly:
		return cmd.ReadOnly()
	case m.retryable:
		return cmd.Build().ToRetryable()
	}
	return cmd.Build()
}

// rebuilt builds a command from its words, for the slot that it had. Which of the words is the key
// makes no other difference.
func (m marks) rebuilt(b rueidis.Builder, words []string) rueidis.Completed {
	for i, word := range words {
		if i > 0 && hashslot.Of(word) == m.slot&(hashslot.Count-1) {
			return m.build(b.Arbitrary(words[:i]...).Keys(word).Args(words[i+1:]...))
		}
	}
	return m.build(b.Arbitrary(words...))
}

func millis(ms int64) string { return strconv.FormatInt(ms, 10) }

// bit returns a condition as an argument of a script.
func bit(b bool) string {
	if b {
		return "1"
	}
	return "0"
}
