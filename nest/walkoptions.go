package nest

import (
	"fmt"
	"time"

	"github.com/redisimnest/redisimnest/nest/internal/names"
)

// The defaults of [ScanCount] and [DeleteChunk].
const (
	DefaultScanCount   = 1000
	DefaultDeleteChunk = 500
)

// ScanOption is an option of [Scope.Keys], [Scope.Subkeys], [Scope.Count] and [Scope.Inspect].
type ScanOption interface {
	InspectOption
	applyScan(o *walkOptions) error
}

// ClearOption is an option of [Scope.Clear].
type ClearOption interface {
	applyClear(o *walkOptions) error
}

// RotateOption is an option of [Rotate].
type RotateOption interface {
	applyRotate(o *walkOptions) error
}

// MigrateOption is an option of [Migrate].
type MigrateOption interface {
	applyMigrate(o *walkOptions) error
}

// SweepOption is an option of the walks that change keys: [Scope.Clear], [Rotate] and [Migrate].
type SweepOption interface {
	ClearOption
	RotateOption
	MigrateOption
}

// WalkOption is an option of every walk through the keyspace.
type WalkOption interface {
	ScanOption
	SweepOption
}

// walkOptions holds the options of a walk.
type walkOptions struct {
	count    int // of SCAN
	chunk    int // of UNLINK
	force    bool
	dryRun   bool
	rate     int // keys in a second, or 0
	resume   string
	progress func(WalkProgress)

	where      []names.Arg
	only       []Node
	undeclared bool // only names that nothing declares
	companions bool // companions too

	measured bool // ask for bytes
	samples  int
	maxValue int64 // up to which values are read, in bytes; 0: not at all
}

// filtered reports whether the walk takes the keys of some declarations or parameters only.
func (o *walkOptions) filtered() bool { return len(o.where) > 0 || len(o.only) > 0 }

type (
	walkOption  func(o *walkOptions) error
	scanOption  func(o *walkOptions) error
	sweepOption func(o *walkOptions) error
	clearOption func(o *walkOptions) error
)

// narrowing is a [WalkOption] that restricts the walk to some keys.
type narrowing struct{ walkOption }

// Narrows says so to package audit.
func (narrowing) Narrows() {}

func (f walkOption) applyInspect(o *walkOptions) error  { return f(o) }
func (f walkOption) applyScan(o *walkOptions) error     { return f(o) }
func (f walkOption) applyClear(o *walkOptions) error    { return f(o) }
func (f walkOption) applyRotate(o *walkOptions) error   { return f(o) }
func (f scanOption) applyInspect(o *walkOptions) error  { return f(o) }
func (f scanOption) applyScan(o *walkOptions) error     { return f(o) }
func (f sweepOption) applyClear(o *walkOptions) error   { return f(o) }
func (f sweepOption) applyRotate(o *walkOptions) error  { return f(o) }
func (f clearOption) applyClear(o *walkOptions) error   { return f(o) }
func (f walkOption) applyMigrate(o *walkOptions) error  { return f(o) }
func (f sweepOption) applyMigrate(o *walkOptions) error { return f(o) }

// ScanCountOption is the result of [ScanCount]. It is a [WalkOption] and an [OpenOption], and the
// option of the streams through one key, such as [HashRef.Iterate].
type ScanCountOption int

// ScanCount sets how many names the server looks at in one step of a scan (the COUNT of SCAN). A
// larger count makes the whole scan faster, but each step keeps the server from other work for
// longer. The default is [DefaultScanCount], or the value that [Open] was given. A value below 1
// stands for the default.
func ScanCount(n int) ScanCountOption { return ScanCountOption(n) }

func (n ScanCountOption) applyScan(o *walkOptions) error {
	if n >= 1 {
		o.count = int(n)
	}
	return nil
}
func (n ScanCountOption) applyInspect(o *walkOptions) error { return n.applyScan(o) }
func (n ScanCountOption) applyClear(o *walkOptions) error   { return n.applyScan(o) }
func (n ScanCountOption) applyRotate(o *walkOptions) error  { return n.applyScan(o) }
func (n ScanCountOption) applyMigrate(o *walkOptions) error { return n.applyScan(o) }
func (n ScanCountOption) applyOpen(o *openOptions) error {
	if n < 1 {
		return fmt.Errorf("ScanCount(%d): at least 1", int(n))
	}
	return n.applyScan(&o.scan)
}

// DeleteChunkOption is the result of [DeleteChunk]. It is a [ClearOption] and an [OpenOption].
type DeleteChunkOption int

// DeleteChunk sets how many keys [Scope.Clear] deletes with one command. The default is
// [DefaultDeleteChunk], or the value that [Open] was given. A value below 1 stands for the default.
func DeleteChunk(n int) DeleteChunkOption { return DeleteChunkOption(n) }

func (n DeleteChunkOption) applyClear(o *walkOptions) error {
	if n >= 1 {
		o.chunk = int(n)
	}
	return nil
}
func (n DeleteChunkOption) applyOpen(o *openOptions) error {
	if n < 1 {
		return fmt.Errorf("DeleteChunk(%d): at least 1", int(n))
	}
	return n.applyClear(&o.scan)
}

// Force lets [Scope.Clear] delete [Protected] keys, and the keys of a scope without a prefix.
func Force() ClearOption {
	return clearOption(func(o *walkOptions) error {
		o.force = true
		return nil
	})
}

// DryRun lets a walk read everything and write nothing. [Scope.Clear] then returns how many keys it
// would delete, and needs no [Force]; [Rotate] opens and seals as it would.
func DryRun() SweepOption {
	return sweepOption(func(o *walkOptions) error {
		o.dryRun = true
		return nil
	})
}

// KeysPerSecond limits how many keys a walk goes through in a second, on all servers together. It
// counts the keys that the servers look at, whether the walk takes them or not. [Rotate] also keeps
// the number of values that it examines below n. The default is no limit.
func KeysPerSecond(n int) WalkOption {
	return walkOption(func(o *walkOptions) error {
		if n < 1 {
			return because(ErrArgument, fmt.Sprintf("KeysPerSecond(%d): at least 1", n))
		}
		o.rate = n
		return nil
	})
}

// Progress makes a walk call report after each step with what it has done so far, and once more at
// the end, also if the walk ends with an error. report is called in the goroutine that called the
// walk, which waits for it. Of several such options, each function is called, in their order.
func Progress(report func(WalkProgress)) WalkOption {
	return walkOption(func(o *walkOptions) error {
		if report == nil {
			return because(ErrArgument, "Progress: a nil function")
		}
		if before := o.progress; before != nil {
			o.progress = func(p WalkProgress) { before(p); report(p) }
		} else {
			o.progress = report
		}
		return nil
	})
}

// ResumeFrom makes a walk continue where another one stopped. cursor is the Cursor of that walk's
// last [WalkProgress] or [RotateReport]; "" is the beginning. What the walk returns and reports is
// then about the rest only, and what the last step found may count twice. If the servers have
// changed since, were restarted, or have other slots, the walk starts from the beginning. The
// cursor of another operation, scope or filter is [ErrArgument].
func ResumeFrom(cursor string) WalkOption {
	return walkOption(func(o *walkOptions) error {
		o.resume = cursor
		return nil
	})
}

// Where restricts a walk to the keys whose path has these very parameters with these values, in
// whatever cluster the parameters stand:
//
//	root.Clear(ctx, nest.Where(users.ID.Of(42)))
//
// deletes everything of user 42. A parameter is the [ParamDef] that [Params] attaches; one that
// merely has the same name is never meant. Several values of one parameter stand for any of them;
// of several parameters, a key must have all. Names that nothing declares are never taken.
// [WalkProgress] counts those below a cluster whose prefix has all the values.
//
// The walk asks the servers only for names that can match, and a key whose name is determined is
// looked up without a scan. A parameter that no Params below the scope attaches is [ErrArgument];
// so are no arguments, and a filter that no key can match. A value that the parameter refuses is
// [ErrParamValue].
func Where(args ...Arg) WalkOption {
	return narrowing{func(o *walkOptions) error {
		if len(args) == 0 {
			return because(ErrArgument, "Where: no arguments; without the option, the walk takes all keys")
		}
		for i, a := range args {
			if a.of.ID() == 0 {
				return because(ErrArgument, fmt.Sprintf("Where: argument %d of %d is the zero Arg: make it with a Param's Of", i+1, len(args)))
			}
			o.where = append(o.where, a.of)
		}
		return nil
	}}
}

// Only restricts a walk to the keys of these declarations, wherever they are mounted below the
// scope. A cluster stands for everything below it. Together with [Where], a key must satisfy both.
// A declaration that is not mounted there is [ErrNotMounted].
func Only(nodes ...Node) WalkOption {
	return narrowing{func(o *walkOptions) error {
		if len(nodes) == 0 {
			return because(ErrArgument, "Only: no declarations; without the option, the walk takes all keys")
		}
		for i, n := range nodes {
			if isNil(n) || n.declared().id == 0 {
				return because(ErrArgument, fmt.Sprintf("Only: argument %d of %d is nil or a zero value: make it with Cluster, Key or another constructor", i+1, len(nodes)))
			}
		}
		o.only = append(o.only, nodes...)
		return nil
	}}
}

// Undeclared restricts a walk to the names that nothing declares. With [Where] or [Only], these are
// the names below a cluster whose prefix has all the values, or that Only names.
func Undeclared() ScanOption {
	return scanOption(func(o *walkOptions) error {
		o.undeclared = true
		return nil
	})
}

// Companions lets a walk also take what this package keeps beside keys, such as the token of a lock
// or the mark of a load that is running. [Match.Companion] returns what a name serves.
func Companions() ScanOption {
	return scanOption(func(o *walkOptions) error {
		o.companions = true
		return nil
	})
}

// InspectOption is an option of [Scope.Inspect] and [Match.Inspect].
type InspectOption interface {
	applyInspect(o *walkOptions) error
}

type inspectOption func(o *walkOptions) error

func (f inspectOption) applyInspect(o *walkOptions) error { return f(o) }

// InspectBytes asks for the memory that each key takes (MEMORY USAGE). The server measures as many
// elements of a collection as samples says, and estimates the rest; 0 measures all of them.
func InspectBytes(samples int) InspectOption {
	return inspectOption(func(o *walkOptions) error {
		if samples < 0 {
			return because(ErrArgument, fmt.Sprintf("InspectBytes(%d): at least 0", samples))
		}
		o.measured, o.samples = true, samples
		return nil
	})
}

// InspectValue reads values of up to maxBytes, returns them as JSON and checks that they are of the
// declared type. A collection counts with the memory that it takes on the server. A longer value is
// left out, as its Len and a nil Value show.
//
// Secrets, passwords, secret fields, and the values of keys that are declared [Sensitive] are
// checked but never shown; neither are those of locks, limiters and companions. A value that is not
// of the declared type, and one that nothing declares, is shown as it is stored. A string that is
// not UTF-8 is {"base64": "…"}.
func InspectValue(maxBytes int) InspectOption {
	return inspectOption(func(o *walkOptions) error {
		if maxBytes < 1 {
			return because(ErrArgument, fmt.Sprintf("InspectValue(%d): at least 1", maxBytes))
		}
		o.maxValue = int64(maxBytes)
		return nil
	})
}

// WalkProgress describes what a walk has done so far. What is walked through again, because a slot
// of a Redis Cluster moved or a server was restarted, counts once.
type WalkProgress struct {
	// Scanned counts the names that the servers returned. Names that a filter rules out are not
	// among them, as far as the servers could tell.
	Scanned int64
	// Matched counts the names that the walk takes.
	Matched int64
	// Done counts what was done: the names that Keys has yielded and Count has counted, the keys
	// that Clear has deleted, the values that Rotate has resealed. In a dry run, it counts what
	// would be done.
	Done int64
	// Undeclared counts the names that nothing declares; with a filter, those below a cluster whose
	// prefix has all the values of [Where].
	Undeclared int64
	// Failed counts the values that Rotate could not reseal.
	Failed int64
	// By counts the keys among Matched by their template.
	By map[string]int64
	// Rate is how many keys the servers have gone through in a second, on average.
	Rate float64
	// Left is an estimate of how long the rest takes, or 0 if there is none.
	Left time.Duration
	// Cursor is the position of the walk, for [ResumeFrom]. It is "" before the walk has begun and
	// once it has reached its end.
	Cursor string
}
