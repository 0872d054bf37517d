package nest

import (
	"context"
	"slices"
	"time"

	"github.com/redisimnest/redisimnest/nest/internal/hashslot"
)

// Rotate reseals the values below the scope that are not sealed by the keyring's primary key:
// secrets, passwords and secret fields of hashes and records. This includes values that the Python
// library stored, if the keyring reads them. Rotate goes through the keys of every primary server
// (SCAN) and reads the values that are declared to be sealed (STRLEN, GET, HSTRLEN, HGET, and HSCAN
// in a script for hashes whose fields are all secret). It writes back by comparing with the bytes
// that it read (EVAL): a value that another client writes meanwhile is kept, and every TTL goes on,
// that of a field too.
//
// A value that does not open is never overwritten and does not stop the pass: the report counts and
// names it. Keys that appear during the pass may be missed. Keys in a slot of a Redis Cluster that
// moves meanwhile, and keys of a server that is restarted, are examined again and counted once.
// Keys that could not be examined end the pass with an error, as [Scope.Keys] describes, which also
// names the rights that the user needs. Values are read from the primaries. [RotateReport.Clean]
// reports whether nothing is left to do.
//
// An error of the server, of the connection or of the context ends the pass. The report is valid
// then too. Its Cursor is where [ResumeFrom] can continue: the beginning while no server has been
// asked. A pass that continues there counts the values of one step again. The error wraps
// [ErrNoKeyring] if the tree was opened without one, and [ErrArgument] if the options make no
// sense.
func Rotate(ctx context.Context, scope Scope, opts ...RotateOption) (report RotateReport, err error) {
	if err := scope.admit(ctx, "rotate"); err != nil {
		return RotateReport{}, err
	}
	err = scope.observed(ctx, "rotate", func(ctx context.Context) error {
		report, err = rotate(ctx, scope, opts)
		return err
	})
	return report, err
}

func rotate(ctx context.Context, scope Scope, opts []RotateOption) (RotateReport, error) {
	t := scope.at.tree
	o := t.options.scan
	err := eachOption(opts, func(opt RotateOption) error { return opt.applyRotate(&o) })
	var w *walking
	if err == nil {
		w, err = scope.walking("rotate", o)
	}
	if err != nil {
		return RotateReport{}, scope.fail("rotate", err)
	}
	if t.options.sealer == nil {
		return RotateReport{}, scope.fail("rotate", because(ErrNoKeyring, "Rotate needs the option WithKeyring"))
	}
	s := sweep{walking: w, report: RotateReport{
		DryRun: o.dryRun, ByKeyID: make(map[string]int64), FailuresByKind: make(map[string]int64),
	}}
	err = s.run(ctx)
	s.report.Elapsed, s.report.Cursor = time.Since(w.start), w.now.Cursor
	if err != nil {
		err = scope.fail("rotate", err)
	}
	return s.report, err
}

// sweep is one pass of Rotate.
type sweep struct {
	*walking
	at *holder // the server of the page that is being examined

	looked int64
	tally  tally
	report RotateReport
}

func (s *sweep) run(ctx context.Context) error {
	s.keyWalk.again = func(slots *hashslot.Set) {
		s.withdraw(slots)
		s.counting.Lock()
		defer s.counting.Unlock()
		if !s.last.clustered {
			every := hashslot.Every()
			slots = &every
		}
		s.tally.withdraw(&s.report, slots)
	}
	s.done = func() (int64, int64) { return s.report.Resealed, s.report.Failed }
	err := s.inTurn(ctx, func(p walkPage) error {
		s.at = p.server
		seen := slices.DeleteFunc(s.sight(p), func(found sighting) bool { return found.verdict != taken })
		if err := s.page(ctx, seen); err != nil {
			return err
		}
		s.count(p, slices.DeleteFunc(seen, func(found sighting) bool { return !found.m.seals() }))
		return nil
	})
	s.report.Whole = err == nil && s.begun
	s.finish(err)
	return err
}

// seals reports whether a key holds anything that is sealed.
func (m *mounted) seals() bool {
	_, ok := m.bound.(sealed)
	return ok || secretsOf(m) != nil
}
