//nest:ignore what calls say that cannot be sent is tested here

package suite_test

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/redisimnest/redisimnest/nest"
	"github.com/redisimnest/redisimnest/nest/nesttest"
)

// Observers did not see calls that send nothing, such as those on a reference that lacks a
// parameter.
func TestObserversAreToldWhatIsNotSent(t *testing.T) {
	t.Parallel()
	ctx := t.Context()
	ended, cancel := context.WithCancel(ctx)
	cancel()
	name, count, jobs, queue, board, gate, chat := nest.Key[string]("name:<n>"), nest.Counter[int]("count:<n>"), nest.Stream[int]("jobs:<n>"),
		nest.List[int]("queue:<n>"), nest.SortedSet[int]("board:<n>"), nest.Lock("gate:<n>", nest.TTL(60)), nest.Channel[int]("chat:<n>")
	elsewhere := nest.Key[string]("elsewhere")
	seen := &events{}
	group := nest.Cluster("group:<g>", nest.Sub(name, count, jobs, queue, board, gate, chat))
	root := nesttest.Open(t, nest.Cluster("told", nest.Sub(group)), nest.WithObserver(seen))
	s, bad := group.At(root, "a"), group.At(root)
	loader := func(context.Context) (string, error) { return "", nil }
	for what, c := range map[string]struct {
		do       func() error
		op       string
		template string
	}{
		"get":           {func() error { return second(name.At(s).Get(ctx)) }, "get", "group:<g>:name:<n>"},
		"set":           {func() error { return name.At(s).Set(ctx, "x") }, "set", "group:<g>:name:<n>"},
		"nil context":   {func() error { return name.At(s, 1).Set(nil, "x") }, "set", "group:<g>:name:<n>"}, //nolint:staticcheck //nest:ignore it is what is tested
		"extra":         {func() error { return second(name.At(s, 1, 2).Exists(ctx)) }, "exists", "group:<g>:name:<n>"},
		"incr":          {func() error { return second(count.At(s).Incr(ctx)) }, "incr", "group:<g>:count:<n>"},
		"bad scope":     {func() error { return second(name.At(bad, 1).Get(ctx)) }, "at", "group:<g>"},
		"not mounted":   {func() error { return second(elsewhere.At(s).Get(ctx)) }, "at", "elsewhere"},
		"nil":           {func() error { return second((*nest.KeyDef[int])(nil).At(s).Get(ctx)) }, "at", "group:<g>"},
		"load":          {func() error { return second(name.At(s).GetOrLoad(ctx, loader)) }, "get or load", "group:<g>:name:<n>"},
		"update":        {func() error { return second(name.At(s).Update(ctx, nil)) }, "update", "group:<g>:name:<n>"},
		"consume":       {func() error { return jobs.At(s).Consume(ctx, "g", "c", nil) }, "consume", "group:<g>:jobs:<n>"},
		"no handler":    {func() error { return jobs.At(s, 1).Consume(ctx, "g", "c", nil) }, "consume", "group:<g>:jobs:<n>"},
		"read":          {func() error { return second(jobs.At(s).Read(ctx, "")) }, "read", "group:<g>:jobs:<n>"},
		"wait":          {func() error { _, _, err := queue.At(s).WaitPopLeft(ctx, time.Second); return err }, "wait pop left", "group:<g>:queue:<n>"},
		"wait for some": {func() error { return second(board.At(s).WaitPopMaxN(ctx, 1, time.Second)) }, "wait pop max n", "group:<g>:board:<n>"},
		"iterate":       {func() error { return ending(queue.At(s).Iterate(ctx)) }, "range", "group:<g>:queue:<n>"},
		"acquire":       {func() error { return second(gate.At(s).Acquire(ctx)) }, "acquire", "group:<g>:gate:<n>"},
		"run":           {func() error { return gate.At(s).Run(ctx, nil) }, "run", "group:<g>:gate:<n>"},
		"subscribe":     {func() error { return ending(chat.At(s).Subscribe(ctx)) }, "subscribe", "group:<g>:chat:<n>"},
		"clear":         {func() error { return second(bad.Clear(ctx)) }, "clear", "group:<g>"},
		"keys":          {func() error { return ending(bad.Keys(ctx)) }, "keys", "group:<g>"},
		"transact":      {func() error { return nest.Transact(ctx, bad, nil) }, "transact", "group:<g>"},
		"no function":   {func() error { return nest.Transact(ctx, s, nil) }, "transact", "group:<g>"},
		"rotate":        {func() error { return second(nest.Rotate(ctx, s)) }, "rotate", "group:<g>"},
		"in a batch":    {func() error { b := s.Batch(); name.At(s).In(b).Get(); return b.Exec(ctx) }, "at", "group:<g>:name:<n>"},
		"a late batch":  {func() error { b := s.Batch(); name.At(s, 1).In(b).Get(); return b.Exec(ended) }, "get", "group:<g>:name:<n>"},
	} {
		seen.mu.Lock()
		seen.all = nil
		seen.mu.Unlock()
		err := c.do()
		require.Error(t, err, what)
		if strings.Contains(what, "batch") {
			require.Equal(t, []string{"batch", c.op}, seen.ops(), what)
			require.Equal(t, 1, seen.all[0].Batch, what)
			seen.all = seen.all[1:]
		}
		require.Len(t, seen.all, 1, what)
		e := seen.all[0]
		require.Equal(t, c.op, e.Op, what)
		require.True(t, strings.HasSuffix(e.Template, c.template), "%s: %q", what, e.Template)
		require.ErrorIs(t, err, e.Err, what)
		if errors.Is(err, nest.ErrMissingParam) && e.Op != "clear" {
			require.Empty(t, e.Key, what)
		}
	}
}

// A reference with an error printed nothing.
func TestReferencesWithErrorsPrintWhatIsWrong(t *testing.T) {
	t.Parallel()
	name := nest.Key[string]("name:<n>", nest.Params(nest.Param[int]("n", nest.Sensitive())))
	group := nest.Cluster("group:<g>", nest.Sub(name))
	s := nesttest.Open(t, nest.Cluster("told", nest.Sub(group)))
	for what, v := range map[string]struct {
		v    fmt.Stringer
		text string
	}{
		"missing":    {name.At(group.At(s, "a")), "missing parameter"},
		"scope":      {group.At(s), "missing parameter"},
		"below":      {name.At(group.At(s), 1), "missing parameter"},
		"wrong type": {name.At(group.At(s, "a"), "hidden"), "wrong parameter type"}, //nest:ignore it is what is tested
		"zero":       {nest.KeyRef[int]{}, "zero reference"},
		"zero scope": {nest.Scope{}, "zero scope"},
	} {
		for _, verb := range []string{"%s", "%v", "%+v", "%#v", "%d"} {
			text := fmt.Sprintf(verb, v.v)
			require.Contains(t, text, v.text, what)
			require.NotContains(t, text, "hidden", what)
		}
	}
}
