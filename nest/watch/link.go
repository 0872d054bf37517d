package watch

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync/atomic"
	"time"

	"github.com/redis/rueidis"

	"github.com/redisimnest/redisimnest/nest"
)

// link is the watch's connection to one primary. It is not used again once that is lost.
type link struct {
	key    string // identifies the server among the links
	name   string // for messages
	client rueidis.Client
	again  bool // it stands in for another one: what happened meanwhile is missing
	stood  bool
	cancel context.CancelFunc
	owned  atomic.Pointer[ownership] // of a node of a Redis Cluster
}

// linkNews is what the manager of a watch is told by a link: that it stands, or, with an error,
// that it has ended.
type linkNews struct {
	link *link
	err  error
}

// errEnded is the loss of a connection that the client says nothing about.
var errEnded = errors.New("the connection was lost")

// run keeps the connection until it is lost or ctx ends.
func (l *link) run(ctx context.Context, w *watch) {
	err := l.serve(ctx, w)
	select {
	case w.news <- linkNews{l, err}:
	case <-ctx.Done():
	}
}

func (l *link) serve(ctx context.Context, w *watch) error {
	conn, err := dedicate(ctx, l.client)
	if err != nil {
		return err
	}
	// Given back, the connection would still be subscribed. Close waits for a server that may be
	// silent.
	defer func() { go conn.Close() }()
	db, err := l.configure(ctx, conn, w)
	if err != nil {
		return err
	}
	lead := "__keyspace@" + db + "__:"
	closed := conn.SetPubSubHooks(rueidis.PubSubHooks{OnMessage: func(m rueidis.PubSubMessage) {
		if key, ok := strings.CutPrefix(m.Channel, lead); ok {
			w.hear(l, key, m.Message)
		}
	}})
	subscribing, cancel := context.WithTimeout(ctx, askTimeout)
	err = conn.Do(subscribing, conn.B().Psubscribe().Pattern(lead+w.pattern()).Build()).Error()
	cancel()
	if err != nil {
		return explain(err, "PSUBSCRIBE")
	}
	select {
	case w.news <- linkNews{link: l}:
	case <-ctx.Done():
		return ctx.Err()
	}
	select {
	case err := <-closed:
		if err == nil {
			err = errEnded
		}
		return err
	case <-ctx.Done():
		return ctx.Err()
	}
}

// configure checks which notifications the server sends, and returns the number of the connection's
// database.
func (l *link) configure(ctx context.Context, conn rueidis.DedicatedClient, w *watch) (db string, err error) {
	ctx, cancel := context.WithTimeout(ctx, askTimeout)
	defer cancel()
	info, err := conn.Do(ctx, conn.B().Arbitrary("CLIENT", "INFO").Build()).ToString()
	if err != nil {
		return "", explain(err, "CLIENT INFO")
	}
	db = "0"
	for field := range strings.FieldsSeq(info) {
		if number, ok := strings.CutPrefix(field, "db="); ok {
			db = number
		}
	}
	if w.options.unchecked {
		return db, nil
	}
	setting, err := l.setting(ctx, conn)
	if err != nil {
		return "", err
	}
	missing := missingFrom(setting, w.classes)
	if missing == "" {
		return db, nil
	}
	needed := ordered(setting + w.classes)
	if !w.options.enable {
		return "", fmt.Errorf("%w: %s lacks the classes %q (notify-keyspace-events is %q): "+
			"set it to %q, or let watch.Enable do that", ErrNotEnabled, l.name, missing, setting, needed)
	}
	err = conn.Do(ctx, conn.B().ConfigSet().ParameterValue().ParameterValue("notify-keyspace-events", needed).Build()).Error()
	if err != nil {
		return "", explain(err, "CONFIG SET")
	}
	if setting, err = l.setting(ctx, conn); err == nil && missingFrom(setting, w.classes) != "" {
		err = fmt.Errorf("%w: %s took the value %q for notify-keyspace-events and made %q of it", ErrNotEnabled, l.name, needed, setting)
	}
	return db, err
}

func (l *link) setting(ctx context.Context, conn rueidis.DedicatedClient) (string, error) {
	values, err := conn.Do(ctx, conn.B().ConfigGet().Parameter("notify-keyspace-events").Build()).AsStrMap()
	if err != nil {
		return "", explain(err, "CONFIG GET")
	}
	return values["notify-keyspace-events"], nil
}

// refusal is a server's answer that no other try changes.
type refusal struct {
	command string
	err     error
}

func (r *refusal) Error() string {
	text := fmt.Sprintf("the server refuses %s: %v", r.command, r.err)
	if r.command == "CONFIG GET" {
		text += " (watch.Unchecked does not ask)"
	}
	return text
}

func (r *refusal) Unwrap() []error {
	if strings.HasPrefix(r.err.Error(), "unknown") {
		return []error{nest.ErrUnsupported, r.err}
	}
	return []error{r.err}
}

// explain returns an answer of the server that ends the watch as a [refusal].
func explain(err error, command string) error {
	answer, ok := rueidis.IsRedisErr(err)
	if !ok {
		return err
	}
	text := answer.Error()
	for _, passing := range []string{"LOADING", "CLUSTERDOWN", "MASTERDOWN", "TRYAGAIN"} {
		if strings.HasPrefix(text, passing) {
			return err
		}
	}
	return &refusal{command, err}
}

// dedicate takes a connection of the client's. The client may have to wait for one, and does so
// without a context.
func dedicate(ctx context.Context, client rueidis.Client) (rueidis.DedicatedClient, error) {
	type taken struct {
		conn    rueidis.DedicatedClient
		release func()
	}
	got := make(chan taken, 1)
	go func() {
		conn, release := client.Dedicate()
		got <- taken{conn, release}
	}()
	timer := time.NewTimer(startTimeout)
	defer timer.Stop()
	var err error
	select {
	case t := <-got:
		return t.conn, nil
	case <-ctx.Done():
		err = ctx.Err()
	case <-timer.C:
		err = errors.New("the client had no connection of its own for the watch in time (BlockingPoolSize)")
	}
	go func() { (<-got).release() }()
	return nil, err
}
