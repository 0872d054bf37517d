package nest

import (
	"strconv"

	"github.com/redis/rueidis"
)

// script is a Lua script that makes several commands one atomic step. It is sent whole each
// time (EVAL): the server keeps the compiled form by the text's hash, and no restart, flush or
// new node can have forgotten it.
type script struct{ text string }

func (s script) command(b rueidis.Builder, keys []string, args ...string) rueidis.Completed {
	return b.Arbitrary("EVAL", s.text, strconv.Itoa(len(keys))).Keys(keys...).Args(args...).Build()
}
