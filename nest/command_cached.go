package nest

import (
	"strconv"

	"github.com/redis/rueidis"
)

// spelled runs the command ARGV[2] on the key. ARGV[1], the lengths of its arguments, only
// distinguishes different commands in the client's cache.
const spelled = "return redis.call(ARGV[2],KEYS[1],unpack(ARGV,3))"

// cacheForm returns a command in a form that the client's cache cannot confuse with another one.
// The cache identifies the commands on a key by the concatenation of their words: "LRANGE 1 23" and
// "LRANGE 12 3" would be the same, and so would "HGET ALL" and "HGETALL". A name with at most one
// argument is unambiguous as it is. So are fixed words, since no other command has similar ones.
// Any other command becomes a read-only script (EVAL_RO, Redis 7.0) with one more argument, which
// says where the others end. cacheForm returns false for a command that is too long for that.
func (r address) cacheForm(cmd rueidis.Completed, fixed bool) (rueidis.Cacheable, bool) {
	words := cmd.Commands() // the name, the key, the arguments
	if fixed || len(words) == 2 || len(words) == 3 && !(words[0] == "HGET" && words[2] == "ALL") {
		return rueidis.Cacheable(cmd), true
	}
	if len(words) > bulkSize {
		return rueidis.Cacheable{}, false
	}
	if named(words) { // a script, "1", the key, the arguments, after which one more is harmless
		return r.b().EvalRo().Script(scripts[words[1]]).Numkeys(1).Key(words[3]).
			Arg(words[4:]...).Arg(lengths(words[4:])).Cache(), true
	}
	return r.b().EvalRo().Script(spelled).Numkeys(1).Key(words[1]).
		Arg(lengths(words[2:]), words[0]).Arg(words[2:]...).Cache(), true
}

// lengths returns the lengths of words, with a point after each.
func lengths(words []string) string {
	var few [64]byte
	text := few[:0]
	for _, w := range words {
		text = append(strconv.AppendInt(text, int64(len(w)), 10), '.')
	}
	return string(text)
}
