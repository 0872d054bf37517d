package nest

import (
	"context"
	"errors"
	"fmt"
	"hash/fnv"
	"strconv"
	"strings"
	"sync"
	"time"
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
// passwords and secret fields of hashes and records, also those that the Python library stored if
// the keyring reads them. It goes through the keys of every primary server (SCAN), reads what is
// declared to be sealed (STRLEN, GET, HSTRLEN, HGET, and HSCAN in a script for hashes whose fields
// are all secret), and writes back by comparing with the bytes that it read (EVAL): a value that
// somebody else writes meanwhile stands, and every TTL goes on, of a field too.
//
// What does not open is never overwritten and does not stop the pass: the report counts it, and
// names it. Keys that appear during the pass may be missed, and so may those of a slot of a Redis
// Cluster that moves to another node meanwhile. [RotateReport.Clean] tells when nothing is left to
// do.
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

	counting sync.Mutex
	report   RotateReport
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
		page, err := scanned(client.Do(ctx, s.scope.scan(client, cursor, s.options.count)).ToMessage())
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
