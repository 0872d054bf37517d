package suite_test

import (
	"context"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/redisimnest/redisimnest/nest"
	"github.com/redisimnest/redisimnest/nest/nesttest"
	"github.com/redisimnest/redisimnest/nest/nesttest/internal/primaries"
)

// renamedUsers is a cluster before and after it was renamed.
type renamedUsers struct {
	id            *nest.ParamDef[int]
	oldAge, age   *nest.KeyDef[int]
	oldList, list *nest.ListDef[int]
	user          *nest.ClusterDef
	before, now   nest.Scope
}

func openRenamed(t *testing.T, server *nesttest.Server) *renamedUsers {
	t.Helper()
	r := &renamedUsers{
		id:     nest.Param[int]("id"),
		oldAge: nest.Key[int]("age"), age: nest.Key[int]("age"),
		oldList: nest.List[int]("list"), list: nest.List[int]("list"),
	}
	r.user = nest.Cluster("user:{<id>}", nest.Params(r.id), nest.Was("u:{<id>}"), nest.Sub(r.age, r.list))
	old := nest.Cluster("u:{<id>}", nest.Params(r.id), nest.Sub(r.oldAge, r.oldList))
	r.before = server.Open(t, nest.Cluster("r", nest.Sub(old)))
	r.now = server.Open(t, nest.Cluster("r", nest.Sub(r.user)), nest.WithPrefix(strings.TrimSuffix(r.before.Prefix(), ":r")))
	return r
}

// fill writes the keys of n users under their old names.
func (r *renamedUsers) fill(t *testing.T, n int) {
	t.Helper()
	b := r.before.Batch()
	for i := range n {
		r.oldAge.At(r.before, i).In(b).Set(i)
		r.oldList.At(r.before, i).In(b).PushRight(1, 2)
	}
	require.NoError(t, b.Exec(t.Context()))
}

// A pass that was interrupted continues where it stopped.
func TestMigrateResumes(t *testing.T) {
	t.Parallel()
	r := openRenamed(t, nesttest.Shared(t))
	const n = 300
	r.fill(t, n)
	cursor, moved, passes := "", int64(0), 0
	for done := false; !done; passes++ {
		ctx, cancel := context.WithCancel(t.Context())
		steps := 0
		report, err := nest.Migrate(ctx, r.now, nest.ScanCount(40), nest.ResumeFrom(cursor), nest.Progress(func(nest.WalkProgress) {
			if steps++; steps == 2 {
				cancel()
			}
		}))
		cancel()
		moved += report.Moved
		require.Zero(t, report.Both+report.Failed, report.String())
		if done = report.Cursor == ""; !done {
			require.ErrorIs(t, err, context.Canceled)
			require.Contains(t, report.String(), "resume from "+report.Cursor)
		}
		require.False(t, report.Clean(), "no pass saw all keys, or it moved some")
		cursor = report.Cursor
		require.Less(t, passes, 10_000)
	}
	require.LessOrEqual(t, moved, int64(2*n), "what moved while the context ended is not counted")
	report, err := nest.Migrate(t.Context(), r.now)
	require.NoError(t, err)
	require.True(t, report.Clean(), report.String())
	for i := range n {
		age, err := r.age.At(r.now, i).Get(t.Context())
		require.NoError(t, err)
		require.Equal(t, i, age)
	}
}

// Filters take keys under their old names, and no others.
func TestMigrateTakesWhatIsAskedFor(t *testing.T) {
	t.Parallel()
	ctx := t.Context()
	r := openRenamed(t, nesttest.Shared(t))
	r.fill(t, 30)
	for _, c := range []struct {
		scope nest.Scope
		opts  []nest.MigrateOption
		want  int64
	}{
		{r.now, []nest.MigrateOption{nest.Where(r.id.Of(3))}, 2},
		{r.now, []nest.MigrateOption{nest.Where(r.id.Of(3))}, 0},
		{r.now, []nest.MigrateOption{nest.Where(r.id.Of(4)), nest.Only(r.list)}, 1},
		{r.user.At(r.now, 5), nil, 2},
		{r.user.At(r.now, 6), []nest.MigrateOption{nest.Only(r.age)}, 1},
		{r.now, []nest.MigrateOption{nest.Where(r.id.Of(7), r.id.Of(8))}, 4},
		{r.now, []nest.MigrateOption{nest.Only(r.age), nest.DryRun()}, 25},
		{r.now, []nest.MigrateOption{nest.Only(r.age)}, 25},
		{r.now, nil, 25},
		{r.now, nil, 0},
	} {
		count, err := c.scope.Count(ctx)
		require.NoError(t, err)
		report, err := nest.Migrate(ctx, c.scope, c.opts...)
		require.NoError(t, err)
		require.Equal(t, c.want, report.Moved, report.String())
		after, err := c.scope.Count(ctx)
		require.NoError(t, err)
		require.Equal(t, count, after, "a key counts once, under either name")
	}
	for i := range 30 {
		n, err := r.now.Count(ctx, nest.Where(r.id.Of(i)))
		require.NoError(t, err)
		require.EqualValues(t, 2, n)
		length, err := r.list.At(r.now, i).Len(ctx)
		require.NoError(t, err)
		require.EqualValues(t, 2, length)
	}
}

// While slots move and programs write, every key is moved, and no write is lost.
func TestMigrateWhileSlotsMove(t *testing.T) {
	t.Parallel()
	server := nesttest.Cluster(t)
	r := openRenamed(t, server)
	const users, writers, moves = 40, 3, 6
	r.fill(t, users)
	nodes := primaries.Patient(t, server)
	ctx, cancel := context.WithTimeout(t.Context(), 2*time.Minute)
	defer cancel()
	var wg sync.WaitGroup
	for range writers {
		wg.Go(func() {
			for i := range 10 * users {
				if err := second(r.list.At(r.now, i%users).PushRight(ctx, 3)); err != nil {
					t.Error(err)
					return
				}
			}
		})
	}
	for i := range moves {
		nodes.MoveKey(r.age.At(r.now, i).Key(), func() {
			wg.Go(func() {
				if _, err := nest.Migrate(ctx, r.now); err != nil {
					t.Error(err)
				}
			})
		})
	}
	wg.Wait()
	for i := range users {
		age, err := r.age.At(r.now, i).Get(ctx)
		require.NoError(t, err)
		require.Equal(t, i, age)
		length, err := r.list.At(r.now, i).Len(ctx)
		require.NoError(t, err)
		require.EqualValues(t, 2+10*writers, length)
	}
	_, err := nest.Migrate(ctx, r.now)
	require.NoError(t, err)
	report, err := nest.Migrate(ctx, r.now)
	require.NoError(t, err)
	require.True(t, report.Clean(), report.String())
}
