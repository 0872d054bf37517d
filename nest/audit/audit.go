// Package audit says of a live Redis whether it is what the code says: what is there of each
// declaration, how much memory it takes, how long it lives, and what of it differs from the
// declaration.
//
//	report, err := audit.Run(ctx, root)
//	fmt.Print(report)
//	if err := report.Err(); err != nil { … } // something was found
//
// An audit reads and never writes. It walks through all keys below a scope, as [nest.Scope.Inspect]
// does, and takes the options of walks ([Walk]): filters, a limit of keys per second, progress.
// [MaxAddedLatency] makes it measure how long the server keeps others waiting, and slow down when
// that is too long. An audit that was interrupted goes on where it was ([Continue]).
//
// The report is text ([Report.String]), Markdown, JSON ([encoding/json]) or an HTML page. Examples
// in it are redacted as the errors of package nest are, and it never contains a value.
package audit

import (
	"context"
	"errors"
	"fmt"
	"math"
	"time"

	"github.com/redisimnest/redisimnest/nest"
)

// Option is an option of [Run].
type Option interface{ apply(o *options) error }

type options struct {
	walk     []nest.WalkOption
	sample   int
	values   int
	examples int
	ceiling  time.Duration
	earlier  *Report
	filtered bool // the walk takes some keys only
}

type option func(o *options) error

func (f option) apply(o *options) error { return f(o) }

// Walk passes on options of the walk: [nest.Where] and [nest.Only] restrict the audit to some keys,
// [nest.KeysPerSecond] paces it, [nest.Progress] reports how far it is, how fast, and how long the
// rest takes. With a filter, names that nothing declares are counted ([Report.Uncounted]) and not
// described. To go on with an interrupted audit, use [Continue]: with [nest.ResumeFrom] the report
// is about the rest only.
func Walk(opts ...nest.WalkOption) Option {
	return option(func(o *options) error {
		for i, opt := range opts {
			if opt == nil {
				return fmt.Errorf("%w: Walk: option %d of %d is nil", nest.ErrArgument, i+1, len(opts))
			}
			if _, narrows := opt.(interface{ Narrows() }); narrows {
				o.filtered = true
			}
		}
		o.walk = append(o.walk, opts...)
		return nil
	})
}

// All makes [SampleMemory] measure every key.
const All = math.MaxInt

// The defaults of [SampleMemory] and [Examples].
const (
	DefaultSample   = 1000
	DefaultExamples = 5
)

// SampleMemory sets of how many keys of each declaration the memory is measured (MEMORY USAGE with
// the server's own default of five samples of a collection). The keys are chosen at random; the
// memory of the others is estimated from them, and the report says so beside each such number.
// [All] measures every key, and 0 measures none. The default is [DefaultSample]. A server that
// refuses the command leaves the report without bytes, see [Report.Unmeasured].
func SampleMemory(n int) Option {
	return option(func(o *options) error {
		if n < 0 {
			return fmt.Errorf("%w: SampleMemory(%d): at least 0", nest.ErrArgument, n)
		}
		o.sample = n
		return nil
	})
}

// CheckValues makes the audit read all values of up to maxBytes and decode them, which is what
// finds [nest.Undecodable], [nest.Unsealed] and [nest.RetiredVersion]; see [nest.InspectValue]. The
// audit transfers all that it reads, and holds what up to 600 keys contain in memory. The default
// is to read no values.
func CheckValues(maxBytes int) Option {
	return option(func(o *options) error {
		if maxBytes < 1 {
			return fmt.Errorf("%w: CheckValues(%d): at least 1", nest.ErrArgument, maxBytes)
		}
		o.values = maxBytes
		return nil
	})
}

// Examples sets how many keys the report names for each finding, for each group of names that
// nothing declares, and as the largest of each declaration. The default is [DefaultExamples].
func Examples(n int) Option {
	return option(func(o *options) error {
		if n < 0 || n > 1000 {
			return fmt.Errorf("%w: Examples(%d): from 0 to 1000", nest.ErrArgument, n)
		}
		o.examples = n
		return nil
	})
}

// MaxAddedLatency makes the audit measure how long a PING takes, on a connection of its own to each
// primary, and go through the keys no faster than that the 90th percentile grows by d. It measures
// without work first, for 0.3 seconds, and again every ten seconds. What the machine of the audit
// itself adds counts too. [Report.Latency] has the measurements. The least pace is 100 keys per
// second. The default is no ceiling.
//
// Steps of the scan are then of 100 names, unless [Walk] has a [nest.ScanCount].
func MaxAddedLatency(d time.Duration) Option {
	return option(func(o *options) error {
		if d <= 0 {
			return fmt.Errorf("%w: MaxAddedLatency(%v): more than 0", nest.ErrArgument, d)
		}
		o.ceiling = d
		return nil
	})
}

// Continue goes on with an audit that an error or the end of its context has interrupted: what
// earlier has found is part of the new report. The report may come from JSON. The scope and the
// options have to be those of the earlier audit; another filter is [nest.ErrArgument]. If the
// servers have changed since, or were restarted, the audit begins again, without what earlier has
// found.
func Continue(earlier *Report) Option {
	return option(func(o *options) error {
		switch {
		case earlier == nil:
			return fmt.Errorf("%w: Continue: a nil report", nest.ErrArgument)
		case earlier.Complete:
			return fmt.Errorf("%w: Continue: the report is complete", nest.ErrArgument)
		}
		o.earlier = earlier
		return nil
	})
}

// Run audits all keys below the scope. If the walk ends with an error, Run returns it together with
// the report on what was audited until then, from which [Continue] goes on. The report is nil if
// the audit could not begin: an option was refused, or the scope has an error or no client.
//
// The walk is that of [nest.Scope.Inspect]: on all primaries, without a snapshot. Keys that are
// written meanwhile may or may not be in the report.
func Run(ctx context.Context, scope nest.Scope, opts ...Option) (*Report, error) {
	o := options{sample: DefaultSample, examples: DefaultExamples}
	for _, opt := range opts {
		err := fmt.Errorf("%w: a nil option", nest.ErrArgument)
		if opt != nil {
			err = opt.apply(&o)
		}
		if err != nil {
			return nil, fail(scope, err)
		}
	}
	if err := scope.Err(); err != nil {
		return nil, err
	}
	switch {
	case ctx == nil:
		return nil, fail(scope, fmt.Errorf("%w: the context is nil", nest.ErrArgument))
	case scope.Client() == nil:
		return nil, fail(scope, fmt.Errorf("%w: the scope was opened with NamesOnly", nest.ErrNoClient))
	}
	a, err := newAuditor(scope, &o)
	if err != nil {
		return nil, fail(scope, err)
	}
	err = a.run(ctx)
	return a.report(), err
}

// fail returns an error of the audit as one of the scope.
func fail(scope nest.Scope, err error) error {
	if e, ok := errors.AsType[*nest.Error](err); ok {
		return e
	}
	shown := ""
	if scope.Err() == nil {
		shown = scope.String()
	}
	return &nest.Error{Op: "audit", Key: shown, Err: err}
}
