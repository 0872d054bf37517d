package nest

import (
	"encoding/json"
	"math"
	"strings"
	"time"

	"github.com/redisimnest/redisimnest/nest/internal/names"
)

// Description describes what is declared below a scope. It contains no stored data. String returns
// it as a tree, Markdown as a table, and Mermaid as a graph; it marshals to JSON.
type Description struct {
	// Kind is "cluster" or the kind of the key.
	Kind Kind `json:"kind"`
	// Template is the declared text, such as "user:<user_id>".
	Template string `json:"template"`
	// Name is the full name, with the parameters that the scope has filled in and templates for the
	// others: "root:user:<user_id>:age".
	Name string `json:"name"`
	// Type is the Go type of a key's values.
	Type string `json:"type,omitempty"`
	// Params are all parameters of the name, outermost first.
	Params []ParamDescription `json:"params,omitempty"`
	// Missing holds the names of the parameters that are still to be filled in.
	Missing []string `json:"missing,omitempty"`
	// TTL is the TTL that applies, inherited or not, in seconds; 0 if there is none.
	TTL float64 `json:"ttl,omitempty"`
	// AutoRenew, Jitter, Protected and Codec are the settings that apply.
	AutoRenew bool    `json:"auto_renew,omitempty"`
	Jitter    float64 `json:"jitter,omitempty"`
	Protected bool    `json:"protected,omitempty"`
	// Sensitive reports whether tools must not show the key's value.
	Sensitive bool `json:"sensitive,omitempty"`
	// NoRenew reports whether reads leave the TTL as it is although AutoRenew applies, see
	// [NoRenew].
	NoRenew bool `json:"no_renew,omitempty"`
	// Cached is how long reads may be served from the client's memory, in seconds.
	Cached float64 `json:"cached,omitempty"`
	// LocalFor is how long this process serves reads from its own memory if the client cannot
	// track, in seconds.
	LocalFor float64 `json:"local_for,omitempty"`
	// Untracked reports whether the client is known not to track what it reads, so that Cached has
	// no effect and LocalFor has one. Only keys that are Cached have it.
	Untracked bool   `json:"untracked,omitempty"`
	Codec     string `json:"codec,omitempty"`
	// Stored describes the form in which the key is stored, or is nil for a cluster and a channel.
	Stored *StoredDescription `json:"stored,omitempty"`
	// ReadThrough describes how the key is loaded, or is nil if [ReadThrough] is not declared.
	ReadThrough *ReadThroughDescription `json:"read_through,omitempty"`
	// SecretFields are the fields of a hash or record that are encrypted; "*" stands for all.
	SecretFields []string `json:"secret_fields,omitempty"`
	// AcceptPlain reports whether secrets that are not sealed are read, see [AcceptPlain].
	AcceptPlain bool `json:"accept_plain,omitempty"`
	// Was holds the former full names of a key or a cluster, written as Name is, see [Was].
	Was []string `json:"was,omitempty"`
	// AcrossSlots reports whether a former name may be in another slot of a Redis Cluster, see
	// [AcrossSlots].
	AcrossSlots bool `json:"across_slots,omitempty"`
	// HashTag reports whether the cluster's prefix is in braces.
	HashTag bool `json:"hash_tag,omitempty"`
	// Generation is the name of the parameter that is the generation of what is below the cluster,
	// see [Generation].
	Generation string `json:"generation,omitempty"`
	// Rate is the rate that a limiter allows, such as "100 per 1m, burst 20".
	Rate string `json:"rate,omitempty"`
	// Default reports whether reads of a missing key return a declared default.
	Default bool `json:"default,omitempty"`
	// Doc is the text of the Doc option.
	Doc string `json:"doc,omitempty"`
	// Source is the position of the declaration, as "file:line". It is not part of the JSON form,
	// which would otherwise differ from machine to machine.
	Source string `json:"-"`
	// Node is the declaration itself, for [Only]. It is not part of the JSON form.
	Node Node `json:"-"`
	// Nodes are the contents of a cluster, in the order of declaration.
	Nodes []Description `json:"nodes,omitempty"`

	at    *mounted
	scope Scope
}

// ReadThroughDescription describes what [ReadThrough] declares for a key. All durations are in
// seconds.
type ReadThroughDescription struct {
	// RefreshBefore is how long before the end of the TTL a read reloads the value, or 0 if it
	// never does.
	RefreshBefore float64 `json:"refresh_before,omitempty"`
	// StaleFor is how much longer than the TTL the key lives.
	StaleFor float64 `json:"stale_for,omitempty"`
	// NegativeTTL is how long it is remembered that there is nothing to load, or 0 if it is not.
	NegativeTTL float64 `json:"negative_ttl,omitempty"`
	// LoadLease is how long a load may take.
	LoadLease float64 `json:"load_lease"`
}

// notes lists the differences from a key that is loaded without any of the options.
func (d *ReadThroughDescription) notes() []string {
	notes := []string{"read through"}
	add := func(text string, seconds float64) {
		if seconds > 0 {
			notes = append(notes, text+" "+shortDuration(inSeconds(seconds)))
		}
	}
	add("refreshed before", d.RefreshBefore)
	add("stale for", d.StaleFor)
	add("negative for", d.NegativeTTL)
	if d.LoadLease != DefaultLoadLease.Seconds() {
		add("load lease", d.LoadLease)
	}
	return notes
}

// ParamDescription is one parameter of a name.
type ParamDescription struct {
	Name string `json:"name"`
	// Type is the declared Go type, or "" for a parameter that takes any string, integer or
	// boolean.
	Type string `json:"type,omitempty"`
	// Form is how values are written: "any" for a parameter without a type, the kind of a string,
	// integer or boolean type, "time", or "text" with the import path and name of a type that has a
	// text of its own.
	Form string `json:"form"`
	// Escapes are the printable characters that are written as %XX in values.
	Escapes string `json:"escapes"`
	// Layout is the layout in which a time is written, in UTC.
	Layout string `json:"layout,omitempty"`
	// Missing reports whether the scope leaves the parameter open.
	Missing   bool   `json:"missing"`
	Tail      bool   `json:"tail,omitempty"`
	Sensitive bool   `json:"sensitive,omitempty"`
	Doc       string `json:"doc,omitempty"`

	spec *names.Spec
}

// Describe returns a description of what is declared below the scope: names, types, parameters,
// TTLs and docs. It sends nothing. If the scope has an error, the description is empty.
func (s Scope) Describe() Description {
	if s.check("describe") != nil {
		return Description{}
	}
	at := s.at
	if at.def == nil {
		at = at.tree.mounts[0]
	}
	d, _ := s.describe(at)
	return d
}

// describe describes m, which is at or below the scope. It also returns the index of the place that
// comes after it.
func (s Scope) describe(m *mounted) (Description, int) {
	d := Description{
		Kind:      m.def.kind,
		Template:  m.def.template.Text,
		Name:      s.nameOf(m),
		Type:      m.def.goType,
		TTL:       m.settings.ttl.Seconds(),
		AutoRenew: m.settings.autoRenew,
		NoRenew:   m.settings.autoRenew && m.tree.options.noRenew,
		Jitter:    m.settings.jitter,
		Protected: m.settings.protected,
		Sensitive: m.settings.sensitive,
		Cached:    m.settings.cached.Seconds(),
		LocalFor:  m.settings.local.Seconds(),
		Untracked: m.settings.cached > 0 && m.tree.untracked.Load(),
		HashTag:   m.def.config.hashTag,
		Default:   m.def.config.hasDefault,

		Generation:  m.def.config.generation,
		AcceptPlain: m.def.config.acceptPlain,
		Doc:         m.def.config.doc,
		Source:      m.def.Position(),
		Node:        m.def.node,

		at:    m,
		scope: s,
	}
	if m.def.kind == KindChannel { // its messages are gone once they are delivered
		d.TTL = 0
	}
	if !m.def.isCluster() {
		d.Codec = m.settings.codec.Name()
		d.Stored = storedForm(m)
	}
	if o := m.settings.load; o.declared {
		d.ReadThrough = &ReadThroughDescription{
			RefreshBefore: o.refresh.Seconds(),
			StaleFor:      o.stale.Seconds(),
			NegativeTTL:   o.negative.Seconds(),
			LoadLease:     o.leased().Seconds(),
		}
	}
	if s := secretsOf(m); s != nil {
		if d.SecretFields = s.names; s.names == nil {
			d.SecretFields = []string{"*"}
		}
	}
	if l, ok := m.bound.(*limiter); ok {
		d.Rate = l.String()
	}
	if m.formers != nil {
		for _, f := range m.formers.list {
			d.Was = append(d.Was, s.formerNameOf(f))
			d.AcrossSlots = d.AcrossSlots || f.across && !m.sharesSlot(f)
		}
	}
	for i, piece := range m.name.Pieces {
		p := ParamDescription{
			Name:      piece.Param.Name,
			Missing:   i >= len(s.at.name.Pieces),
			Tail:      piece.Param.Tail,
			Sensitive: piece.Param.Sensitive,
			Form:      piece.Param.Form(),
			Escapes:   piece.Param.Escapes(),
			Layout:    piece.Param.Layout,
			Doc:       piece.Param.Doc,
			spec:      &piece.Param.Spec,
		}
		if piece.Param.Type != nil {
			p.Type = piece.Param.Type.String()
		}
		if p.Missing {
			d.Missing = append(d.Missing, p.Name)
		}
		d.Params = append(d.Params, p)
	}
	next := m.first + 1
	for next <= m.last {
		var sub Description
		sub, next = s.describe(m.tree.mounts[next])
		d.Nodes = append(d.Nodes, sub)
	}
	return d, next
}

// nameOf returns the full name of m with the scope's parameters filled in, except for sensitive
// ones.
func (s Scope) nameOf(m *mounted) string {
	name := []byte(s.redactedPrefix())
	skip := len(s.at.name.End)
	for _, piece := range m.name.Pieces[len(s.at.name.Pieces):] {
		name = append(name, piece.Literal[skip:]...)
		skip = 0
		name = append(name, openParam(piece.Param)...)
	}
	return string(append(name, m.name.End[skip:]...))
}

// openParam returns a parameter as it stands in a template.
func openParam(p *names.Param) string {
	if p.Tail {
		return "<" + p.Name + "...>"
	}
	return "<" + p.Name + ">"
}

// MarshalJSON returns the description as JSON, with field names in snake case.
func (d Description) MarshalJSON() ([]byte, error) {
	type plain Description
	return json.Marshal(plain(d))
}

// ttl returns the TTL as a person would write it: 24h, 1m30s.
func (d Description) ttl() string {
	return shortDuration(inSeconds(d.TTL))
}

// inSeconds returns a number of seconds as a duration, rounded to nanoseconds.
func inSeconds(seconds float64) time.Duration {
	return time.Duration(math.Round(seconds * float64(time.Second)))
}

// cached says where reads of a Cached key come from.
func (d Description) cached() string {
	local := "locally for " + shortDuration(inSeconds(d.LocalFor))
	switch {
	case d.Untracked && d.LocalFor > 0:
		return "cached " + local
	case d.Untracked:
		return "not cached, the client cannot track"
	case d.LocalFor > 0:
		return "cached, without tracking " + local
	}
	return "cached"
}

// notes lists the settings that differ from the defaults of a key.
func (d Description) notes() []string {
	var notes []string
	add := func(on bool, text string) {
		if on {
			notes = append(notes, text)
		}
	}
	add(d.Rate != "", d.Rate)
	add(d.TTL > 0 && d.Rate == "", "ttl "+d.ttl())
	add(d.AutoRenew, "renewed on read")
	add(d.Jitter > 0, "jitter")
	add(d.Cached > 0, d.cached())
	if d.ReadThrough != nil {
		notes = append(notes, d.ReadThrough.notes()...)
	}
	add(d.Default, "has a default")
	add(len(d.SecretFields) > 0, "secret fields "+strings.Join(d.SecretFields, " "))
	add(d.AcceptPlain, "ACCEPTS WHAT IS NOT SEALED")
	add(len(d.Was) > 0, "was "+strings.Join(d.Was, ", "))
	add(d.AcrossSlots, "carried across slots")
	add(d.HashTag, "hash tag")
	add(d.Generation != "", "generation "+d.Generation)
	add(d.Protected, "protected")
	add(d.Sensitive, "sensitive")
	add(d.Codec != "" && d.Codec != "auto", "codec "+d.Codec)
	return notes
}
