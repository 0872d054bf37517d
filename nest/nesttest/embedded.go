package nesttest

import (
	"context"
	"strings"
	"unicode/utf8"

	"github.com/alicebob/miniredis/v2"
	"github.com/alicebob/miniredis/v2/server"
	"github.com/redis/rueidis"
)

// embedded is an engine: miniredis in this process.
type embedded struct {
	mini *miniredis.Miniredis
	keep bool // keep the data on a restart
}

func startEmbedded(o startOptions) (*Server, error) {
	e := &embedded{mini: miniredis.NewMiniRedis(), keep: o.persistent}
	if err := e.start(); err != nil {
		return nil, err
	}
	return newServer(KindEmbedded, e, rueidis.ClientOption{
		// miniredis does not support tracking, answers CLUSTER SLOTS although it is not a Redis
		// Cluster, and does not let a RESP3 connection go on after a SUBSCRIBE.
		DisableCache:      true,
		ForceSingleClient: true,
		AlwaysRESP2:       true,
	}, e.mini.Addr()), nil
}

func (e *embedded) start() error {
	if err := e.mini.Start(); err != nil {
		return err
	}
	e.mini.Server().SetPreHook(tamePatterns)
	return nil
}

func (e *embedded) Kill() error {
	e.mini.Close()
	return nil
}

func (e *embedded) Restart() error {
	// miniredis ends its context when it is closed; after that, no command ever blocks again.
	e.mini.Ctx, e.mini.CtxCancel = context.WithCancel(context.Background()) //nolint:gosec // miniredis cancels it
	if !e.keep {
		e.mini.FlushAll()
	}
	return e.start()
}

func (e *embedded) Close() error { return e.Kill() }

// tamePatterns is called before each command. It changes the pattern of a scan in place where
// miniredis would panic. miniredis turns the pattern into a regular expression, which cannot
// contain bytes that are not UTF-8 or a backslash before an E. tamePatterns replaces them with the
// wildcard for one character, so that the scan returns what it should and possibly more.
func tamePatterns(_ *server.Peer, _ string, args ...string) (done bool) {
	for i := range len(args) - 1 {
		if strings.EqualFold(args[i], "MATCH") {
			args[i+1] = tame(args[i+1])
		}
	}
	return false
}

func tame(pattern string) string {
	var b strings.Builder
	for i := 0; i < len(pattern); {
		r, n := utf8.DecodeRuneInString(pattern[i:])
		switch {
		case strings.HasPrefix(pattern[i:], `\\`):
			b.WriteByte('?')
			n = 2
		case r == utf8.RuneError && n == 1:
			b.WriteByte('?')
		default:
			b.WriteString(pattern[i : i+n])
		}
		i += n
	}
	return b.String()
}
