package nest

import (
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/redisimnest/redisimnest/nest/internal/names"
)

// MaxRotateKeyIDs is the maximum number of key ids that a [RotateReport] counts separately.
const MaxRotateKeyIDs = 100

// OtherKeyIDs is the id under which a [RotateReport] counts values whose key's id came after
// [MaxRotateKeyIDs] others.
const OtherKeyIDs = "others"

// MaxRotateFailures is the maximum number of keys that a [RotateReport] names because they could
// not be resealed. All of them are counted.
const MaxRotateFailures = 100

// RotateReport describes what [Rotate] did, or would do in a dry run. It holds no values, and
// sensitive parameters in the names of keys only as their templates.
type RotateReport struct {
	// DryRun reports that nothing was written.
	DryRun bool
	// Scanned counts the sealed values that were examined: secrets, passwords, and secret fields.
	// It is the sum of the next four.
	Scanned int64
	// Current counts the values that the primary key had already sealed.
	Current int64
	// Resealed counts the values that were resealed or, in a dry run, would be.
	Resealed int64
	// Conflicts counts the values that another client wrote or deleted in between. They were left
	// alone; another pass examines them again.
	Conflicts int64
	// Failed counts the values that do not open or are of a wrong type. They were left alone.
	Failed int64
	// ByKeyID counts the values by the id of the key that had sealed them before. "" stands for
	// values that were not sealed at all, "fernet" for the Python library's. Whoever writes to
	// Redis can make up ids: those past [MaxRotateKeyIDs] are counted together, under
	// [OtherKeyIDs].
	ByKeyID map[string]int64
	// FailuresByKind counts the values that failed, by the innermost reason.
	FailuresByKind map[string]int64
	// Failures names the first [MaxRotateFailures] values that failed.
	Failures []RotateFailure
	// Cursor is the position of the pass, for [ResumeFrom]. It is "" before the pass has begun and
	// once it has reached its end.
	Cursor string
	// Whole reports whether the pass went from the beginning to the end: it was not resumed in
	// between, and no error ended it.
	Whole bool
	// Elapsed is how long the pass took.
	Elapsed time.Duration
}

// RotateFailure is a value that could not be resealed.
type RotateFailure struct {
	Key   string
	Field string // the field of a hash, else ""
	Err   error
}

// Clean reports whether the pass was [RotateReport.Whole] and found only values that the primary
// key has sealed. If such a pass began after the last process that seals with another key had
// ended, the other keys can be removed.
func (r RotateReport) Clean() bool { return r.Whole && r.Current == r.Scanned }

// String returns the numbers in a few lines, with the number of failures of each kind and the names
// of the keys that failed.
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
		fmt.Fprintf(&b, "  %s: %d\n", names.Printable(name), r.ByKeyID[id])
	}
	for _, kind := range slices.Sorted(maps.Keys(r.FailuresByKind)) {
		fmt.Fprintf(&b, "  failed, %s: %d\n", names.Printable(kind), r.FailuresByKind[kind])
	}
	for _, f := range r.Failures {
		name := f.Key
		if f.Field != "" {
			name += " field " + f.Field
		}
		fmt.Fprintf(&b, "    %s\n", names.Printable(name))
	}
	if more := r.Failed - int64(len(r.Failures)); more > 0 {
		fmt.Fprintf(&b, "    and %d more\n", more)
	}
	if r.Cursor != "" {
		fmt.Fprintf(&b, "  not at its end: resume from %s\n", r.Cursor)
	}
	return b.String()
}

// sealedBy counts a value by the id of its key, and returns the id under which it was counted.
func (r *RotateReport) sealedBy(id string) string {
	if _, known := r.ByKeyID[id]; !known && len(r.ByKeyID) >= MaxRotateKeyIDs {
		id = OtherKeyIDs
	}
	r.ByKeyID[id]++
	return id
}

// failed counts a value that failed. It returns the kind of failure and whether the report names
// it.
func (r *RotateReport) failed(v *sealedValue) (kind string, named bool) {
	r.Failed++
	kind = innermost(v.err).Error()
	r.FailuresByKind[kind]++
	if named = len(r.Failures) < MaxRotateFailures; named {
		r.Failures = append(r.Failures, RotateFailure{v.m.name.Redact(v.key), v.field, v.err})
	}
	return kind, named
}

// innermost returns the last reason in a chain. It is a sentinel, the same for all errors of a
// kind.
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
