package nest

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/redis/rueidis"

	"github.com/redisimnest/redisimnest/nest/internal/names"
)

// MaxMigrateFailures is the maximum number of keys that a [MigrateReport] names because they could
// not be moved. All of them are counted.
const MaxMigrateFailures = 100

// MigrateReport describes what [Migrate] did, or would do in a dry run. It holds no values, and
// sensitive parameters in the names of keys only as their templates.
type MigrateReport struct {
	// DryRun reports that nothing was written.
	DryRun bool
	// Found counts the keys that were found under a former name. It is the sum of the next four.
	Found int64
	// Moved counts the keys that were moved or, in a dry run, would be.
	Moved int64
	// Both counts the keys that exist under both names. They were left alone: a program that knows
	// only one of the names has written them.
	Both int64
	// Gone counts the keys that were moved or deleted by another program since they were found.
	Gone int64
	// Failed counts the keys that could not be moved, such as secrets that do not open.
	Failed int64
	// By counts the keys that were moved by the template of their declaration.
	By map[string]int64
	// Failures names the first [MaxMigrateFailures] keys that exist under both names or could not
	// be moved. For those that exist twice, Err wraps [ErrExists].
	Failures []MigrateFailure
	// Cursor is the position of the pass, for [ResumeFrom]. It is "" before the pass has begun and
	// once it has reached its end.
	Cursor string
	// Whole reports whether the pass went from the beginning to the end: it was not resumed in
	// between, and no error ended it.
	Whole bool
	// Elapsed is how long the pass took.
	Elapsed time.Duration
}

// MigrateFailure is a key that stays under its former name.
type MigrateFailure struct {
	Key string
	Err error
}

// Clean reports whether the pass was [MigrateReport.Whole] and found no key under a former name. If
// such a pass began after the last program that writes former names had ended, Was can be removed.
func (r MigrateReport) Clean() bool { return r.Whole && r.Found == 0 }

// String returns the numbers in a few lines.
func (r MigrateReport) String() string {
	var b strings.Builder
	verb := "moved"
	if r.DryRun {
		verb = "to move"
	}
	fmt.Fprintf(&b, "under former names %d: %s %d, under both names %d, gone %d, failed %d\n", r.Found, verb, r.Moved, r.Both, r.Gone, r.Failed)
	for _, template := range slices.Sorted(maps.Keys(r.By)) {
		fmt.Fprintf(&b, "  %s %s: %d\n", verb, names.Printable(template), r.By[template])
	}
	for _, f := range r.Failures {
		fmt.Fprintf(&b, "  left %s: %v\n", names.Printable(f.Key), f.Err)
	}
	if r.Cursor != "" {
		fmt.Fprintf(&b, "  not at its end: resume from %s\n", r.Cursor)
	}
	return b.String()
}

// migrating moves a key (KEYS[1]) to its present name (KEYS[2]). It answers 0 if that exists, and
// -1 if there is nothing to move.
var migrating = newScript(`if redis.call('EXISTS', KEYS[1]) == 0 then return -1 end
if redis.call('EXISTS', KEYS[2]) == 1 then return 0 end
redis.call('RENAME', KEYS[1], KEYS[2])
return 1`)

// Migrate moves the keys below the scope that stand under a former name to their present one, see
// [Was]: one after the other, each in one atomic step, by the same step that an operation takes
// (SCAN, then EXISTS and RENAME in a script; what that is with [AcrossSlots], it says). Secrets,
// passwords and hashes with secret fields are opened and sealed again. No write is lost of programs
// that declare both names.
//
// A key that exists under both names is left as it is, and the report names it: it has to be
// decided which of the two counts. Keys that appear under a former name during the pass may be
// missed, so only [MigrateReport.Clean] says that none is left. Walks are described at
// [Scope.Keys], which also names the rights that the user needs.
//
// An error of the server, of the connection or of the context ends the pass. The report is valid
// then too. Its Cursor is where [ResumeFrom] can continue. The error wraps [ErrArgument] if nothing
// below the scope declares Was.
func Migrate(ctx context.Context, scope Scope, opts ...MigrateOption) (report MigrateReport, err error) {
	if err := scope.admit(ctx, opMigrate); err != nil {
		return MigrateReport{}, err
	}
	err = scope.observed(ctx, opMigrate, func(ctx context.Context) error {
		report, err = migrate(ctx, scope, opts)
		return err
	})
	return report, err
}

const opMigrate = "migrate"

func migrate(ctx context.Context, scope Scope, opts []MigrateOption) (MigrateReport, error) {
	o := scope.at.tree.options.scan
	err := eachOption(opts, func(opt MigrateOption) error { return opt.applyMigrate(&o) })
	var f *filter
	if err == nil {
		f, err = scope.formerFilter(&o)
	}
	start := time.Now()
	if err != nil {
		return MigrateReport{}, scope.fail(opMigrate, err)
	}
	m := migration{walking: scope.walkingWith(opMigrate, f, o), report: MigrateReport{DryRun: o.dryRun, By: make(map[string]int64)}}
	m.walking.done = func() (int64, int64) { return m.report.Moved, m.report.Failed + m.report.Both }
	m.walking.deletes = !o.dryRun
	err = m.each(ctx, m.page)
	if m.walking.deletes {
		scope.at.tree.forgetAll()
	}
	m.finish(err)
	m.report.Cursor, m.report.Whole, m.report.Elapsed = m.now.Cursor, err == nil && m.begun, time.Since(start)
	if err != nil {
		err = scope.fail(opMigrate, err)
	}
	return m.report, err
}

// formerFilter returns a filter for the former names below the scope that the options ask for.
func (s Scope) formerFilter(o *walkOptions) (*filter, error) {
	f, err := s.filter(o)
	if err != nil {
		return nil, err
	}
	if f == nil {
		f = &filter{scope: s}
		for _, m := range s.below() {
			if !m.def.isCluster() {
				f.formerTargets(m)
			}
		}
	}
	f.targets, f.clusters = make([]*target, len(s.below())), nil
	if len(f.formers) == 0 {
		return nil, because(ErrArgument, "nothing here is declared with Was")
	}
	return f, nil
}

// migration is one pass of Migrate.
type migration struct {
	*walking
	report MigrateReport
}

// migrateChunk is how many keys are moved together.
const migrateChunk = 250

// page moves the keys that one step of the walk found.
func (m *migration) page(ctx context.Context, p walkPage) error {
	seen := slices.DeleteFunc(m.sight(p), func(found sighting) bool { return found.verdict != taken || found.m.present == nil })
	for part := range slices.Chunk(seen, migrateChunk) {
		if err := m.move(ctx, part); err != nil {
			return err
		}
	}
	m.count(p, seen)
	return nil
}

func (m *migration) move(ctx context.Context, seen []sighting) error {
	if m.options.dryRun {
		for i := range seen {
			m.note(&seen[i], movedDone, nil)
		}
		return nil
	}
	var cmds []rueidis.Completed
	var plain []*sighting
	var single []*sighting // they are moved by themselves
	t := m.scope.at.tree
	for i := range seen {
		found := &seen[i]
		if found.m.holdsSealed() || found.m.present.far() {
			single = append(single, found)
			continue
		}
		cmds = append(cmds, migrating.inFull(t.client.B(), []string{found.name, found.presentName()}))
		plain = append(plain, found)
	}
	if len(cmds) > 0 {
		answers, _ := t.doMulti(ctx, cmds, nil)
		for i, answer := range answers {
			n, err := answeredInt(answer.ToMessage())
			if err != nil {
				return err
			}
			m.note(plain[i], moved(n), nil)
		}
	}
	var wg sync.WaitGroup
	var failed sync.Map
	for part := range slices.Chunk(single, max(1, len(single)/movingAtOnce+1)) {
		wg.Go(func() {
			for _, found := range part {
				if err := m.moveOne(ctx, found); err != nil {
					failed.Store(found, err)
					return
				}
			}
		})
	}
	wg.Wait()
	var first error
	failed.Range(func(_, err any) bool { first = err.(error); return false })
	return first
}

// movingAtOnce is how many keys that are moved by themselves are moved at the same time.
const movingAtOnce = 16

// presentName returns the present name of a key that was found under a former one.
func (f *sighting) presentName() string {
	return f.m.name.Translate(f.name, &f.m.present.name)
}

// moveOne moves a sealed value, or a key to another slot. It returns only errors that concern all
// of them.
func (m *migration) moveOne(ctx context.Context, found *sighting) error {
	r, old := address{m: found.m.present, key: found.presentName()}, address{m: found.m, key: found.name}
	var done bool
	var err error
	if r.m.far() {
		var result moved
		if result, err = r.carryWhole(ctx, old); err == nil {
			m.note(found, result, nil)
			return nil
		}
	} else {
		done, err = r.reseat(ctx, old)
	}
	switch {
	case errors.Is(err, ErrOpen), errors.Is(err, ErrWrongType), errors.Is(err, ErrConflict), errors.Is(err, ErrEncode):
		m.note(found, movedNot, err)
	case err != nil:
		return err
	case done:
		m.note(found, movedDone, nil)
	default:
		there, err := send(ctx, r.bare(), r.bare().exists())
		if err != nil {
			return err
		}
		if there {
			m.note(found, movedNot, nil)
		} else {
			m.note(found, movedChanged, nil)
		}
	}
	return nil
}

// note counts what became of a key.
func (m *migration) note(found *sighting, result moved, err error) {
	m.counting.Lock()
	defer m.counting.Unlock()
	r := &m.report
	r.Found++
	switch {
	case err != nil:
		r.Failed++
	case result == movedDone:
		r.Moved++
		r.By[found.m.present.name.Text]++
		return
	case result == movedChanged:
		r.Gone++
		return
	default:
		r.Both++
		err = because(ErrExists, `it exists under its present name too, "`+found.m.present.name.Redact(found.presentName())+`"`)
	}
	if len(r.Failures) < MaxMigrateFailures {
		r.Failures = append(r.Failures, MigrateFailure{found.m.name.Redact(found.name), err})
	}
}
