package audit

import (
	"time"

	"github.com/redisimnest/redisimnest/nest"
)

// Report is the result of an audit. It marshals to JSON and back; durations in it are in
// nanoseconds, and what only the program knows, such as the positions of declarations, is left out.
type Report struct {
	// Scope is the prefix that was audited, and Template the one that was declared.
	Scope    string `json:"scope"`
	Template string `json:"template"`
	// Began is when the audit began, and Took how long it worked, on both sides of [Continue].
	Began time.Time     `json:"began"`
	Took  time.Duration `json:"took_ns"`
	// Complete reports whether the audit has reached its end.
	Complete bool `json:"complete"`
	// Cursor is where [Continue] goes on, or "" if that is the beginning or the audit is complete.
	Cursor string `json:"cursor,omitempty"`
	// Sample is of how many keys of each declaration the memory was measured, see [SampleMemory].
	Sample int `json:"sample"`
	// Values is up to how many bytes values were read, or 0 if they were not, see [CheckValues].
	Values int `json:"values"`
	// Unmeasured is why the server did not say how much memory keys take, or "".
	Unmeasured string `json:"unmeasured,omitempty"`
	// Latency is what [MaxAddedLatency] has measured, or nil.
	Latency *Latency `json:"latency,omitempty"`

	// Total is about all keys: those of all declarations, of no declaration, and companions.
	Total Stats `json:"total"`
	// Clusters are the clusters below the scope, in the order of declaration, each before what is
	// in it. The first one is that of the scope.
	Clusters []Cluster `json:"clusters"`
	// Keys are the declared keys, in the order of declaration. Channels are not among them.
	Keys []Key `json:"keys"`
	// Undeclared are the names that nothing declares, grouped by their shape, those with the most
	// keys first. There are at most 200 groups: the more different the names, the coarser they are.
	Undeclared []Group `json:"undeclared"`
	// Uncounted is how many names of an audit with a filter nothing declares. They are in no other
	// number.
	Uncounted int64 `json:"uncounted,omitempty"`
	// Companions is what package nest keeps beside keys, such as the last token of a lock.
	Companions Stats `json:"companions"`
	// Findings are what differs from the declarations, by kind and declaration.
	Findings []Finding `json:"findings"`
	// Repeated is how many keys count twice, because their slot moved or a server was restarted
	// during the audit.
	Repeated int64 `json:"repeated,omitempty"`
}

// Cluster is what is below a cluster, under all values of its parameters together.
type Cluster struct {
	// Name is the full name with the parameters that the scope has not filled in, as
	// [nest.Description] has it, and Template the full template.
	Name     string `json:"name"`
	Template string `json:"template"`
	// In is the index in [Report.Clusters] of the cluster that it stands in, or -1 for the first.
	In  int    `json:"in"`
	Doc string `json:"doc,omitempty"`
	// Source is the position of the declaration, as "file:line".
	Source string `json:"-"`
	Stats
}

// Key is what exists of the keys of one declaration.
type Key struct {
	// Name is the full name with the parameters that the scope has not filled in, as
	// [nest.Description] has it, and Template the full template.
	Name     string `json:"name"`
	Template string `json:"template"`
	// In is the index in [Report.Clusters] of the cluster that it stands in.
	In   int       `json:"in"`
	Kind nest.Kind `json:"kind"`
	// GoType is the Go type of its values.
	GoType string `json:"go_type,omitempty"`
	// TTL is the declared TTL, or 0.
	TTL time.Duration `json:"ttl_ns,omitempty"`
	Doc string        `json:"doc,omitempty"`
	// Source is the position of the declaration, as "file:line".
	Source string `json:"-"`
	// OldNames is how many of the keys stand under a former name, see [nest.Was].
	OldNames int64 `json:"old_names,omitempty"`
	// OldGenerations is how many of the keys are of a generation that is no longer the current one.
	OldGenerations int64 `json:"old_generations,omitempty"`
	Stats
}

// Group is what exists under names of one shape that nothing declares.
type Group struct {
	// Shape is the names with what varies replaced: <n> stands for digits, <uuid>, <hex>, <id>,
	// <date> and <email> for what they say, <name> for one of many words, <text> for what is long,
	// <binary> for what is no text, and <...> for further parts.
	Shape    string   `json:"shape"`
	Examples []string `json:"examples"`
	Stats
}

// Stats is what was counted of some keys.
type Stats struct {
	Keys int64 `json:"keys"`
	// Bytes is how much memory the keys take on the server. It is estimated from Sampled keys if
	// these are fewer than Keys.
	Bytes   int64 `json:"bytes"`
	Sampled int64 `json:"sampled"`
	// Types counts the keys by Redis type, and Encodings by how the server stores them.
	Types     map[string]int64 `json:"types,omitempty"`
	Encodings map[string]int64 `json:"encodings,omitempty"`
	// Elements is how many elements, fields or entries the collections have, and how many bytes
	// the strings. Longest is the most that one key has.
	Elements int64 `json:"elements"`
	Longest  int64 `json:"longest"`
	// TTLs is a histogram of how long the keys still live.
	TTLs Histogram `json:"ttls"`
	// Largest are the keys that take the most memory, as far as it was measured. Keys with many
	// elements are always measured, unless nothing is.
	Largest []Sized `json:"largest,omitempty"`
}

// Estimated reports whether Bytes is an estimate.
func (s *Stats) Estimated() bool { return s.Sampled > 0 && s.Sampled < s.Keys }

// Measured reports whether Bytes says anything: whether the memory of a key was measured, or there
// is no key.
func (s *Stats) Measured() bool { return s.Sampled > 0 || s.Keys == 0 }

// Sized is a key with its size. Key is redacted.
type Sized struct {
	Key   string `json:"key"`
	Bytes int64  `json:"bytes"`
	Len   int64  `json:"len"`
}

// Latency is what [MaxAddedLatency] has measured. All are 90th percentiles of how long a PING took.
type Latency struct {
	// Ceiling is the option.
	Ceiling time.Duration `json:"ceiling_ns"`
	// Baseline is the median of the windows without work, and Loaded that of the windows with work.
	Baseline time.Duration `json:"baseline_ns"`
	Loaded   time.Duration `json:"loaded_ns"`
	// Windows is how many windows with work there were. A window is a fifth of a second.
	Windows int `json:"windows"`
	// Rate is the pace at the end, in keys per second.
	Rate float64 `json:"rate"`
}

// Added is by how much the audit has raised the 90th percentile.
func (l *Latency) Added() time.Duration { return max(0, l.Loaded-l.Baseline) }

// Key returns what exists of the declaration with this full name or template, and whether there is
// one.
func (r *Report) Key(name string) (Key, bool) {
	for _, k := range r.Keys {
		if k.Name == name || k.Template == name {
			return k, true
		}
	}
	return Key{}, false
}

// Cluster returns what is below the cluster with this full name or template, and whether there is
// one.
func (r *Report) Cluster(name string) (Cluster, bool) {
	for _, c := range r.Clusters {
		if c.Name == name || c.Template == name {
			return c, true
		}
	}
	return Cluster{}, false
}
