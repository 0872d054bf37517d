package nest

import (
	"context"
	"errors"
	"fmt"
	"hash/fnv"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/redis/rueidis"
)

// RotateOption is an option of [Rotate].
type RotateOption interface {
	applyRotate(o *rotateOptions) error
}

type rotateOptions struct {
	count    int
	dryRun   bool
	rate     int
	resume   string
	progress func(RotateReport)
}

type rotateOption func(o *rotateOptions) error

func (f rotateOption) applyRotate(o *rotateOptions) error { return f(o) }

// DryRun lets [Rotate] read and open everything, and write nothing.
func DryRun() RotateOption {
	return rotateOption(func(o *rotateOptions) error {
		o.dryRun = true
		return nil
	})
}

// KeysPerSecond bounds how many secrets and passwords [Rotate] looks at in a second. The default
// is no bound.
func KeysPerSecond(n int) RotateOption {
	return rotateOption(func(o *rotateOptions) error {
		if n < 1 {
			return fmt.Errorf("KeysPerSecond(%d): at least 1", n)
		}
		o.rate = n
		return nil
	})
}

// Progress lets [Rotate] call report after each step of the scan with what it did so far. It is
// called from the goroutine that called Rotate.
func Progress(report func(RotateReport)) RotateOption {
	return rotateOption(func(o *rotateOptions) error {
		if report == nil {
			return errors.New("Progress: a nil function")
		}
		o.progress = report
		return nil
	})
}

// ResumeFrom lets [Rotate] go on where another pass over the same scope stood, by the Cursor of
// its report; "" is the beginning. When the servers have changed since, it begins anew.
func ResumeFrom(cursor string) RotateOption {
	return rotateOption(func(o *rotateOptions) error {
		o.resume = cursor
		return nil
	})
}

func (n ScanCountOption) applyRotate(o *rotateOptions) error { //nolint:unparam // as its interface has it
	if n >= 1 {
		o.count = int(n)
	}
	return nil
}

// Rotate seals anew what below the scope is not sealed by the keyring's primary key: secrets,
// passwords and secret fields of hashes, also those that the Python library stored if the keyring
// reads them. It goes through the keys of every primary server (SCAN), reads what is declared to
// be sealed (STRLEN, GET), and writes back by comparing with the bytes that it read (EVAL): a
// value that somebody else writes meanwhile stands, and every TTL goes on.
//
// What does not open is never overwritten and does not stop the pass: the report counts it, and
// names it. Keys that appear during the pass may be missed. [RotateReport.Clean] tells when
// nothing is left to do.
//
// An error ends the pass: of the server, of the connection or of the context. The report, which
// is valid then too, tells with its Cursor where [ResumeFrom] can go on, which is the beginning
// while no server has been asked; the values of one step are counted again. The error wraps [ErrNoKeyring] when the tree was opened without one, and
// [ErrArgument] for options that make no sense.
func Rotate(ctx context.Context, scope Scope, opts ...RotateOption) (RotateReport, error) {
	if err := scope.ready(ctx, "rotate"); err != nil {
		return RotateReport{}, err
	}
	t := scope.at.tree
	o := rotateOptions{count: t.options.scan.count}
	for _, opt := range opts {
		err := errNilOption
		if opt != nil {
			err = opt.applyRotate(&o)
		}
		if err != nil {
			return RotateReport{}, scope.fail("rotate", because(ErrArgument, err.Error()))
		}
	}
	if t.options.sealer == nil {
		return RotateReport{}, scope.fail("rotate", because(ErrNoKeyring, "Rotate needs the option WithKeyring"))
	}
	s := sweep{scope: scope, options: o, start: time.Now(), report: RotateReport{
		DryRun: o.dryRun, ByKeyID: make(map[string]int64), FailuresByKind: make(map[string]int64), Cursor: o.resume,
	}}
	err := s.run(ctx)
	s.report.Elapsed = time.Since(s.start)
	if err != nil {
		err = scope.fail("rotate", err)
	}
	scope.observe(ctx, "rotate", s.start, err)
	return s.report, err
}

// sweep is one pass of Rotate.
type sweep struct {
	scope   Scope
	options rotateOptions
	start   time.Time
	report  RotateReport
}

// sealedValue is one value on its way through a sweep.
type sealedValue struct {
	m      *mounted
	key    string
	field  string // of a hash
	stored string
	// sealed is what to write, "" when the value is current already; err why there is nothing.
	sealed string
	err    error
}

func (s *sweep) run(ctx context.Context) error {
	nodes, err := s.scope.at.tree.servers(ctx)
	if err != nil {
		return err
	}
	servers := fingerprint(nodes)
	node, cursor, err := parseCursor(s.options.resume, servers)
	if err != nil || node >= len(nodes) {
		return because(ErrArgument, "ResumeFrom takes the Cursor of a RotateReport")
	}
	s.report.Cursor = formatCursor(servers, node, cursor)
	begun := node == 0 && cursor == 0
	for node < len(nodes) {
		client := nodes[node].client
		page, err := client.Do(ctx, s.scope.scan(client, cursor, s.options.count)).AsScanEntry()
		if err != nil {
			return err
		}
		if err := s.page(ctx, s.scope.filter(page.Elements)); err != nil {
			return err
		}
		if cursor = page.Cursor; cursor == 0 {
			node++
		}
		s.report.Cursor = formatCursor(servers, node, cursor)
		if node == len(nodes) {
			s.report.Cursor, s.report.Whole = "", begun
		}
		if s.options.progress != nil {
			s.report.Elapsed = time.Since(s.start)
			s.options.progress(s.report.clone())
		}
	}
	return nil
}

// A cursor names the servers that it goes through, since what stands for the place in one of them
// means nothing in others.

// fingerprint stands for servers.
func fingerprint(nodes []server) string {
	h := fnv.New32a()
	for _, n := range nodes {
		_, _ = h.Write([]byte(n.addr + " "))
	}
	return strconv.FormatUint(uint64(h.Sum32()), 16)
}

func formatCursor(servers string, node int, cursor uint64) string {
	return servers + "-" + strconv.Itoa(node) + "-" + strconv.FormatUint(cursor, 10)
}

// parseCursor gives the beginning for a cursor of other servers.
func parseCursor(text, servers string) (node int, cursor uint64, err error) {
	if text == "" {
		return 0, 0, nil
	}
	parts := strings.Split(text, "-")
	if len(parts) != 3 {
		return 0, 0, errors.New("it has three parts")
	}
	place, err := strconv.ParseUint(parts[1], 10, 31)
	if err == nil {
		cursor, err = strconv.ParseUint(parts[2], 10, 64)
	}
	if err != nil || parts[0] != servers {
		return 0, 0, err
	}
	return int(place), cursor, nil
}

// page looks at the keys that one step of the scan found.
func (s *sweep) page(ctx context.Context, names []string) error {
	var values []sealedValue
	for _, name := range names {
		m := s.scope.at.tree.index.find(name)
		if m == nil || !s.scope.at.holds(m) {
			continue
		}
		if _, ok := m.bound.(sealed); ok {
			values = append(values, sealedValue{m: m, key: name})
		}
	}
	size := maxPipeline
	if s.options.rate > 0 {
		size = min(size, s.options.rate/10+1)
	}
	for chunk := range slices.Chunk(values, size) {
		if err := s.chunk(ctx, chunk); err != nil {
			return err
		}
		if err := s.pace(ctx); err != nil {
			return err
		}
	}
	return nil
}

// pace waits until no more was scanned than the rate allows.
func (s *sweep) pace(ctx context.Context) error {
	if s.options.rate == 0 {
		return nil
	}
	due := time.Duration(float64(s.report.Scanned) / float64(s.options.rate) * float64(time.Second))
	timer := time.NewTimer(due - time.Since(s.start))
	defer timer.Stop()
	select {
	case <-ctx.Done():
		return ctx.Err()
	case <-timer.C:
		return nil
	}
}

// maxRotateBytes is how much is read at once: whoever writes Redis decides how long values are.
const maxRotateBytes = 32 << 20

// chunk looks at some values. It asks first how long they are, so that long ones come one by one.
func (s *sweep) chunk(ctx context.Context, values []sealedValue) error {
	sizes := make([]int64, len(values))
	answers := s.send(ctx, values, func(b rueidis.Builder, v *sealedValue) rueidis.Completed { return b.Strlen().Key(v.key).Build() })
	for i, a := range answers {
		n, err := a.AsInt64()
		if err := s.stops(&values[i], err); err != nil {
			return err
		}
		sizes[i] = n
	}
	var some []sealedValue
	var bytes int64
	for i := range values {
		if values[i].err != nil {
			s.tally(&values[i])
			continue
		}
		if bytes += sizes[i]; bytes > maxRotateBytes && len(some) > 0 {
			if err := s.reseal(ctx, some); err != nil {
				return err
			}
			some, bytes = some[:0], sizes[i]
		}
		some = append(some, values[i])
	}
	return s.reseal(ctx, some)
}

// stops tells whether the pass ends with an error. That a key is of another type than declared is
// the key's own, everything else concerns all.
func (s *sweep) stops(v *sealedValue, err error) error {
	if err == nil || rueidis.IsRedisNil(err) {
		return nil
	}
	if _, answered := rueidis.IsRedisErr(err); answered {
		if err = serverError(err); errors.Is(err, ErrWrongType) {
			v.err = err
			return nil
		}
	}
	return err
}

// reseal reads the values, seals them anew and writes them back.
func (s *sweep) reseal(ctx context.Context, values []sealedValue) error {
	answers := s.send(ctx, values, func(b rueidis.Builder, v *sealedValue) rueidis.Completed { return b.Get().Key(v.key).Build() })
	there := values[:0:len(values)]
	for i, a := range answers {
		v := values[i]
		stored, err := a.ToString()
		if rueidis.IsRedisNil(err) {
			continue // it has gone since the scan saw it
		}
		if err := s.stops(&v, err); err != nil {
			return err
		}
		v.stored = stored
		there = append(there, v)
	}
	s.seal(there)
	due := make([]sealedValue, 0, len(there))
	for i := range there {
		v := &there[i]
		if v.err == nil && v.sealed != "" && !s.options.dryRun {
			due = append(due, *v)
			continue
		}
		s.tally(v)
	}
	return s.write(ctx, due)
}

// seal opens the values and seals them anew, on all processors.
func (s *sweep) seal(values []sealedValue) {
	workers := runtime.GOMAXPROCS(0)
	var wg sync.WaitGroup
	for part := range slices.Chunk(values, (len(values)+workers-1)/workers+1) {
		wg.Go(func() {
			for i := range part {
				part[i].reseal()
			}
		})
	}
	wg.Wait()
}

func (v *sealedValue) reseal() {
	at := v.m.bound.(sealed)
	if v.err != nil || at.current(v.stored) {
		return
	}
	var plaintext string
	if plaintext, v.err = at.open(v.key, v.field, v.stored); v.err == nil {
		v.sealed, v.err = at.seal(v.key, v.field, plaintext)
	}
}

// write writes the values back where they still hold what was read.
func (s *sweep) write(ctx context.Context, values []sealedValue) error {
	answers := s.send(ctx, values, func(b rueidis.Builder, v *sealedValue) rueidis.Completed {
		return replacing.command(b, []string{v.key}, v.stored, v.sealed)
	})
	for i, a := range answers {
		v := &values[i]
		done, err := a.AsInt64()
		if err := s.stops(v, err); err != nil {
			return err
		}
		if v.err != nil || done == 0 {
			s.count(v)
			s.report.Conflicts++
			continue
		}
		s.tally(v)
	}
	return nil
}

// tally counts a value that is done with.
func (s *sweep) tally(v *sealedValue) {
	s.count(v)
	switch {
	case v.err != nil:
		s.report.failed(v)
	case v.sealed == "":
		s.report.Current++
	default:
		s.report.Resealed++
	}
}

func (s *sweep) count(v *sealedValue) {
	s.report.Scanned++
	id, _ := s.scope.at.tree.options.sealer.KeyID([]byte(v.stored))
	s.report.ByKeyID[id]++
}

// send sends one command for each value.
func (s *sweep) send(ctx context.Context, values []sealedValue, command func(b rueidis.Builder, v *sealedValue) rueidis.Completed) []rueidis.RedisResult {
	if len(values) == 0 {
		return nil
	}
	client := s.scope.at.tree.client
	cmds := make([]rueidis.Completed, len(values))
	for i := range values {
		cmds[i] = command(client.B(), &values[i])
	}
	return client.DoMulti(ctx, cmds...)
}
