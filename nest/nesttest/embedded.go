package nesttest

import (
	"github.com/alicebob/miniredis/v2"
	"github.com/redis/rueidis"
)

// embedded is an engine: miniredis in this process.
type embedded struct {
	mini *miniredis.Miniredis
	keep bool // the data, over a restart
}

func startEmbedded(o startOptions) (*Server, error) {
	e := &embedded{mini: miniredis.NewMiniRedis(), keep: o.persistent}
	if err := e.mini.Start(); err != nil {
		return nil, err
	}
	return newServer(KindEmbedded, e, rueidis.ClientOption{
		// miniredis knows no tracking, answers CLUSTER SLOTS although it is no Redis Cluster,
		// and does not let a RESP3 connection go on after a SUBSCRIBE.
		DisableCache:      true,
		ForceSingleClient: true,
		AlwaysRESP2:       true,
	}, e.mini.Addr()), nil
}

func (e *embedded) kill() error {
	e.mini.Close()
	return nil
}

func (e *embedded) restart() error {
	if !e.keep {
		e.mini.FlushAll()
	}
	return e.mini.Restart()
}

func (e *embedded) close() error { return e.kill() }
