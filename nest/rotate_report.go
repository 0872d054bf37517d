package nest

import (
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"
)

// MaxRotateKeyIDs is how many ids of keys a [RotateReport] tells apart.
const MaxRotateKeyIDs = 100

// OtherKeyIDs is what the values are counted under whose key's id came after [MaxRotateKeyIDs] others.
const OtherKeyIDs = "others"

// MaxRotateFailures is how many keys that could not be sealed anew a [RotateReport] names. All
// of them are counted.
const MaxRotateFailures = 100

// RotateReport tells what [Rotate] did, or would do in a dry run. It holds no values, and the
// names of keys with sensitive parameters as their templates.
type RotateReport struct {
	// DryRun tells that nothing was written.
	DryRun bool
	// Scanned counts the sealed values that were looked at: secrets, passwords, and secret
	// fields. It is the sum of the next four.
	Scanned int64
	// Current counts the values that the primary key had sealed already.
	Current int64
	// Resealed counts the values that were sealed anew; in a dry run, that would be.
	Resealed int64
	// Conflicts counts the values that somebody else wrote or deleted in between. They were left
	// alone, and another pass looks at them again.
	Conflicts int64
	// Failed counts the values that do not open or are of a wrong type. They were left alone.
	Failed int64
	// ByKeyID counts the values by the id of the key that had sealed them before; "" stands for
	// those that were not sealed at all, "fernet" for the Python library's. Whoever writes Redis
	// can make ids up: those past [MaxRotateKeyIDs] are counted together, under [OtherKeyIDs].
	ByKeyID map[string]int64
	// FailuresByKind counts the values that failed by the innermost reason.
	FailuresByKind map[string]int64
	// Failures names those that failed, the first [MaxRotateFailures].
	Failures []RotateFailure
	// Cursor is where the pass stands, for [ResumeFrom]; "" when it is at its end, and as long
	// as it has not begun.
	Cursor string
	// Whole tells that the pass went from the beginning to the end: it was not resumed in
	// between, and no error ended it.
	Whole bool
	// Elapsed is how long the pass took.
	Elapsed time.Duration
}

// RotateFailure is a value that could not be sealed anew.
type RotateFailure struct {
	Key   string
	Field string // of a hash, else ""
	Err   error
}

// Clean tells that the pass was [RotateReport.Whole] and found nothing but values that the primary
// key has sealed. Once such a pass began after the last process that seals with another key was
// gone, and no slot of a Redis Cluster moved meanwhile, the other keys can be removed.
func (r RotateReport) Clean() bool { return r.Whole && r.Current == r.Scanned }

// String tells the numbers in a few lines, and how each kind of failure came about.
func (r RotateReport) String() string {
	var b strings.Builder
	verb := "resealed"
	if r.DryRun {
		verb = "to reseal"
	}
	fmt.Fprintf(&b, "scanned %d: current %d, %s %d, conflicts %d, failed %d\n", r.Scanned, r.Current, verb, r.Resealed, r.Conflicts, r.Failed)
	for _, id := range slices.Sorted(maps.Keys(r.ByKeyID)) {
		name := "sealed by " + id
		if id == "" {
			name = "not sealed"
		}
		fmt.Fprintf(&b, "  %s: %d\n", printable(name), r.ByKeyID[id])
	}
	for _, kind := range slices.Sorted(maps.Keys(r.FailuresByKind)) {
		fmt.Fprintf(&b, "  failed, %s: %d\n", printable(kind), r.FailuresByKind[kind])
	}
	for _, f := range r.Failures {
		name := f.Key
		if f.Field != "" {
			name += " field " + f.Field
		}
		fmt.Fprintf(&b, "    %s\n", printable(name))
	}
	if more := r.Failed - int64(len(r.Failures)); more > 0 {
		fmt.Fprintf(&b, "    and %d more\n", more)
	}
	if r.Cursor != "" {
		fmt.Fprintf(&b, "  not at its end: resume from %s\n", r.Cursor)
	}
	return b.String()
}

// clone gives a report that does not change with r.
func (r RotateReport) clone() RotateReport {
	r.ByKeyID, r.FailuresByKind, r.Failures = maps.Clone(r.ByKeyID), maps.Clone(r.FailuresByKind), slices.Clone(r.Failures)
	return r
}

func (r *RotateReport) sealedBy(id string) {
	if _, known := r.ByKeyID[id]; !known && len(r.ByKeyID) >= MaxRotateKeyIDs {
		id = OtherKeyIDs
	}
	r.ByKeyID[id]++
}

func (r *RotateReport) failed(v *sealedValue) {
	r.Failed++
	r.FailuresByKind[innermost(v.err).Error()]++
	if len(r.Failures) < MaxRotateFailures {
		r.Failures = append(r.Failures, RotateFailure{v.m.redact(v.key), v.field, v.err})
	}
}

// innermost gives the last reason in a chain, which is a sentinel and the same for all errors of
// a kind.
func innermost(err error) error {
	for {
		switch e := err.(type) { //nolint:errorlint // it unwraps step by step
		case interface{ Unwrap() []error }:
			all := e.Unwrap()
			err = all[len(all)-1]
		default:
			inner := errors.Unwrap(err)
			if inner == nil {
				return err
			}
			err = inner
		}
	}
}
