package nest

import (
	"encoding/json"
	"math"
	"strings"
	"time"
)

// Description tells what is declared below a scope. It touches no data. String draws it as a
// tree, Markdown as a table, Mermaid as a graph; it marshals to JSON.
type Description struct {
	// Kind is "cluster" or the kind of the key.
	Kind Kind `json:"kind"`
	// Template is the declared text, "user:<user_id>".
	Template string `json:"template"`
	// Name is the full name, with the parameters that the scope has filled in and templates
	// for the others: "root:user:<user_id>:age".
	Name string `json:"name"`
	// Type is the Go type of a key's values.
	Type string `json:"type,omitempty"`
	// Params are all parameters of the name, outermost first.
	Params []ParamDescription `json:"params,omitempty"`
	// Missing names the parameters that are still to be filled in.
	Missing []string `json:"missing,omitempty"`
	// TTL is the TTL that applies, inherited or not, in seconds; 0 when there is none.
	TTL float64 `json:"ttl,omitempty"`
	// AutoRenew, Jitter, Protected and Codec are the settings that apply.
	AutoRenew bool    `json:"auto_renew,omitempty"`
	Jitter    float64 `json:"jitter,omitempty"`
	Protected bool    `json:"protected,omitempty"`
	// Cached is how long reads may be served from the client's memory, in seconds.
	Cached float64 `json:"cached,omitempty"`
	Codec  string  `json:"codec,omitempty"`
	// ReadThrough is how the key is loaded, where it is declared so; else nil.
	ReadThrough *ReadThroughDescription `json:"read_through,omitempty"`
	// SecretFields are the fields of a hash or record that are encrypted; "*" stands for all.
	SecretFields []string `json:"secret_fields,omitempty"`
	// HashTag tells that the cluster's prefix stands in braces.
	HashTag bool `json:"hash_tag,omitempty"`
	// Rate is what a limiter lets pass, "100 per 1m, burst 20".
	Rate string `json:"rate,omitempty"`
	// Default tells that reads of a missing key give a declared default.
	Default bool `json:"default,omitempty"`
	// Doc is the text of the Doc option.
	Doc string `json:"doc,omitempty"`
	// Source is where the declaration stands, as "file:line". It is not part of the JSON
	// form, which would differ from machine to machine.
	Source string `json:"-"`
	// Nodes are what a cluster holds, in the order of declaration.
	Nodes []Description `json:"nodes,omitempty"`
}

// ReadThroughDescription is what [ReadThrough] declares of a key, in seconds.
type ReadThroughDescription struct {
	// RefreshBefore is how long before the end of the TTL a read loads the value anew, 0 for not.
	RefreshBefore float64 `json:"refresh_before,omitempty"`
	// StaleFor is how much longer than the TTL the key lives.
	StaleFor float64 `json:"stale_for,omitempty"`
	// NegativeTTL is how long it is remembered that there is nothing to load, 0 for not.
	NegativeTTL float64 `json:"negative_ttl,omitempty"`
	// LoadLease is how long a load may take.
	LoadLease float64 `json:"load_lease"`
}

// notes lists what differs from a key that is loaded without any of the options.
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
	// Type is the declared Go type, "" for a parameter that takes any string, integer or
	// boolean.
	Type string `json:"type,omitempty"`
	// Missing tells that the scope has not filled it in.
	Missing   bool   `json:"missing"`
	Tail      bool   `json:"tail,omitempty"`
	Sensitive bool   `json:"sensitive,omitempty"`
	Doc       string `json:"doc,omitempty"`
}

// Describe tells what is declared below the scope: names, types, parameters, TTLs and docs.
// Nothing is sent. For a scope with an error the description is empty.
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

// describe describes m, which is at or below the scope, and tells which place comes after it.
func (s Scope) describe(m *mounted) (Description, int) {
	d := Description{
		Kind:      m.def.kind,
		Template:  m.def.template.text,
		Name:      s.nameOf(m),
		Type:      m.def.goType,
		TTL:       m.settings.ttl.Seconds(),
		AutoRenew: m.settings.autoRenew,
		Jitter:    m.settings.jitter,
		Protected: m.settings.protected,
		Cached:    m.settings.cached.Seconds(),
		HashTag:   m.def.config.hashTag,
		Default:   m.def.config.hasDefault,
		Doc:       m.def.config.doc,
		Source:    m.def.Position(),
	}
	if m.def.kind == KindChannel { // whose messages are gone once they are told
		d.TTL = 0
	}
	if !m.def.isCluster() {
		d.Codec = m.settings.codec.Name()
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
	for i, piece := range m.pieces {
		p := ParamDescription{
			Name:      piece.param.name,
			Missing:   i >= len(s.at.pieces),
			Tail:      piece.param.tail,
			Sensitive: piece.param.sensitive,
			Doc:       piece.param.doc,
		}
		if piece.param.typ != nil {
			p.Type = piece.param.typ.String()
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

// nameOf gives the full name of m with the scope's parameters filled in, the sensitive ones
// excepted.
func (s Scope) nameOf(m *mounted) string {
	name := []byte(s.redactedPrefix())
	skip := len(s.at.end)
	for _, piece := range m.pieces[len(s.at.pieces):] {
		name = append(name, piece.literal[skip:]...)
		skip = 0
		name = append(name, '<')
		name = append(name, piece.param.name...)
		if piece.param.tail {
			name = append(name, "..."...)
		}
		name = append(name, '>')
	}
	return string(append(name, m.end[skip:]...))
}

// MarshalJSON gives the description as JSON, with the fields' names in snake case.
func (d Description) MarshalJSON() ([]byte, error) {
	type plain Description
	return json.Marshal(plain(d))
}

// ttl is the TTL as a person writes it: 24h, 1m30s.
func (d Description) ttl() string {
	return shortDuration(inSeconds(d.TTL))
}

// inSeconds is a number of seconds as a duration of whole nanoseconds.
func inSeconds(seconds float64) time.Duration {
	return time.Duration(math.Round(seconds * float64(time.Second)))
}

func shortDuration(d time.Duration) string {
	text := d.String()
	if strings.HasSuffix(text, "m0s") {
		text = strings.TrimSuffix(text, "0s")
	}
	if strings.HasSuffix(text, "h0m") {
		text = strings.TrimSuffix(text, "0m")
	}
	return text
}

// notes lists the settings that differ from what a key has without any.
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
	add(d.Cached > 0, "cached")
	if d.ReadThrough != nil {
		notes = append(notes, d.ReadThrough.notes()...)
	}
	add(d.Default, "has a default")
	add(len(d.SecretFields) > 0, "secret fields "+strings.Join(d.SecretFields, " "))
	add(d.HashTag, "hash tag")
	add(d.Protected, "protected")
	add(d.Codec != "" && d.Codec != "auto", "codec "+d.Codec)
	return notes
}
