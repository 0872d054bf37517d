package nest

import (
	"strconv"

	"github.com/redis/rueidis"
)

// spelled runs the command ARGV[2] on the key. ARGV[1], the lengths of its arguments, only makes
// two different commands differ in the client's cache.
const spelled = "return redis.call(ARGV[2],KEYS[1],unpack(ARGV,3))"

// cacheForm gives a command in a form in which no other one is taken for it in the client's
// cache, which knows the commands on a key by their words, strung together: "LRANGE 1 23" and
// "LRANGE 12 3" would be one, and so would "HGET ALL" and "HGETALL". A name with one argument at
// most is clear as it is; so are words that are fixed, since no other command has the like. What
// is left becomes a script that reads (EVAL_RO, Redis 7.0) and has an argument more, which tells
// where the others end. It is false for a command that is too long for that.
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

// lengths gives the lengths of words, a point after each.
func lengths(words []string) string {
	var few [64]byte
	text := few[:0]
	for _, w := range words {
		text = append(strconv.AppendInt(text, int64(len(w)), 10), '.')
	}
	return string(text)
}
