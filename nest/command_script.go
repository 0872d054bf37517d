package nest

import (
	"context"
	"crypto/sha1" //nolint:gosec // how Redis names a script: nothing rests on it
	"encoding/hex"
	"strconv"
	"strings"

	"github.com/redis/rueidis"
)

// script is a Lua script that makes several commands one atomic step. An operation that is sent
// alone names it by its hash (EVALSHA) and says it whole (EVAL) when the server does not know it:
// after a restart, a SCRIPT FLUSH, on a new node. Nothing has been executed then, so that nothing
// happens twice. Where commands travel together, in batches and in writes to keys that are cached or
// loaded, it is whole from the start: one that had to be said again would come after those that
// follow it, and a transaction cannot be said again. A hash in place of the text makes a single call
// 1.1 times as fast.
type script struct{ text, sha string }

// scripts holds the texts by their hashes. It is filled while the package's variables are made,
// and only read afterwards.
var scripts = map[string]string{}

func newScript(text string) script {
	sum := sha1.Sum([]byte(text)) //nolint:gosec // see above
	s := script{text, hex.EncodeToString(sum[:])}
	scripts[s.sha] = text
	return s
}

const evalSHA = "EVALSHA"

// command makes the command of an operation.
func (s script) command(b rueidis.Builder, keys []string, args ...string) rueidis.Completed {
	return b.Arbitrary(evalSHA, s.sha, strconv.Itoa(len(keys))).Keys(keys...).Args(args...).Build()
}

// inFull makes a command that needs no server to know the script.
func (s script) inFull(b rueidis.Builder, keys []string, args ...string) rueidis.Completed {
	return b.Arbitrary("EVAL", s.text, strconv.Itoa(len(keys))).Keys(keys...).Args(args...).Build()
}

// named tells whether a command names a script of this package: [Ref.Do] sends others'.
func named(words []string) bool {
	return words[0] == evalSHA && len(words) > 3 && scripts[words[1]] != ""
}

// inFull gives an operation's command in the form in which it can travel with others.
func (t *tree) inFull(cmd rueidis.Completed) rueidis.Completed {
	if words := cmd.Commands(); named(words) {
		return spelledOut(t.client.B(), words, marksOf(cmd))
	}
	return cmd
}

// marks are what the client knows of a command beside its words.
type marks struct{ readOnly, retryable bool }

func marksOf(cmd rueidis.Completed) marks { return marks{cmd.IsReadOnly(), cmd.IsRetryable()} }

func spelledOut(b rueidis.Builder, words []string, m marks) rueidis.Completed {
	keys, err := strconv.Atoi(words[2])
	if keys = min(keys, len(words)-3); err != nil || keys < 0 {
		keys = 0 // somebody's own: the server tells what is wrong with it
	}
	spelled := b.Arbitrary("EVAL", scripts[words[1]], words[2]).Keys(words[3 : 3+keys]...).Args(words[3+keys:]...)
	switch {
	case m.readOnly:
		return spelled.ReadOnly()
	case m.retryable:
		return spelled.Build().ToRetryable()
	}
	return spelled.Build()
}

// do sends the command of one operation, and gives the server's answer.
func (t *tree) do(ctx context.Context, cmd rueidis.Completed) (rueidis.RedisMessage, error) {
	if named(cmd.Commands()) {
		return t.evaluate(ctx, cmd)
	}
	return t.client.Do(ctx, cmd).ToMessage()
}

func (t *tree) evaluate(ctx context.Context, cmd rueidis.Completed) (rueidis.RedisMessage, error) {
	// The client takes the command's words for the next one as soon as it was sent.
	var room [16]string
	words, m := append(room[:0], cmd.Commands()...), marksOf(cmd)
	answer, err := t.client.Do(ctx, cmd).ToMessage()
	if err == nil {
		return answer, nil
	}
	if refused, ok := rueidis.IsRedisErr(err); !ok || !strings.HasPrefix(refused.Error(), "NOSCRIPT") {
		return answer, err
	}
	return t.client.Do(ctx, spelledOut(t.client.B(), words, m)).ToMessage()
}
