// Package lockfile holds the stored forms of a keyspace against those of an earlier release.
package lockfile

import (
	"bytes"
	"cmp"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/redisimnest/redisimnest/nest"
)

// Version is the version of the file's format.
const Version = 1

// File is what a lock file holds.
type File struct {
	Version int   `json:"version"`
	Keys    []Key `json:"keys"` // sorted by name
}

// Key is what of a key's description says how it is stored. The names in the file are those of the
// description.
type Key struct {
	Name         string                 `json:"name"`
	Kind         nest.Kind              `json:"kind"`
	Type         string                 `json:"type,omitempty"`
	Params       []Param                `json:"params,omitempty"`
	Was          []string               `json:"was,omitempty"`
	TTL          float64                `json:"ttl,omitempty"`
	AutoRenew    bool                   `json:"auto_renew,omitempty"`
	StaleFor     float64                `json:"stale_for,omitempty"`
	SecretFields []string               `json:"secret_fields,omitempty"`
	AcceptPlain  bool                   `json:"accept_plain,omitempty"`
	Stored       nest.StoredDescription `json:"stored"`

	source string // where it is declared now
}

// Param is a parameter of a name.
type Param struct {
	Name    string `json:"name"`
	Type    string `json:"type,omitempty"` // in Go
	Form    string `json:"form"`
	Layout  string `json:"layout,omitempty"`
	Escapes string `json:"escapes"`
}

// Of returns what there is to lock of a description: all keys below it, without the channels, which
// store nothing.
func Of(d nest.Description) File {
	f := File{Version: Version}
	f.add(d)
	slices.SortFunc(f.Keys, func(a, b Key) int { return cmp.Compare(a.Name, b.Name) })
	return f
}

func (f *File) add(d nest.Description) {
	if d.Stored != nil {
		k := Key{
			Name: d.Name, Kind: d.Kind, Type: d.Type, Was: d.Was, TTL: d.TTL, AutoRenew: d.AutoRenew,
			SecretFields: d.SecretFields, AcceptPlain: d.AcceptPlain, Stored: *d.Stored, source: d.Source,
		}
		if d.ReadThrough != nil {
			k.StaleFor = d.ReadThrough.StaleFor
		}
		for _, p := range d.Params {
			k.Params = append(k.Params, Param{p.Name, p.Type, p.Form, p.Layout, p.Escapes})
		}
		f.Keys = append(f.Keys, k)
	}
	for _, sub := range d.Nodes {
		f.add(sub)
	}
}

// Text returns the contents of the file.
func (f File) Text() ([]byte, error) {
	var b bytes.Buffer
	e := json.NewEncoder(&b)
	e.SetEscapeHTML(false)
	e.SetIndent("", "\t")
	err := e.Encode(f)
	return b.Bytes(), err
}

// markers begin the lines that a merge leaves where two branches differ.
var markers = []string{"<<<<<<< ", "||||||| ", "=======", ">>>>>>> "}

// Parse reads the contents of a file.
func Parse(text []byte) (File, error) {
	for i, line := range strings.Split(string(text), "\n") {
		for _, marker := range markers {
			if strings.HasPrefix(line, marker) {
				return File{}, fmt.Errorf("line %d: a merge conflict: keep the entries of both sides, or of the one that is released, and then run the test with -update", i+1)
			}
		}
	}
	var head struct {
		Version int `json:"version"`
	}
	if err := json.Unmarshal(text, &head); err != nil {
		return File{}, where(text, err)
	}
	switch {
	case head.Version > Version:
		return File{}, fmt.Errorf("its format is version %d, and this release of nesttest knows those up to %d: update github.com/redisimnest/redisimnest/nest/nesttest", head.Version, Version)
	case head.Version < 1:
		return File{}, errors.New("it has no version: it is no lock file of a keyspace")
	}
	var f File
	d := json.NewDecoder(bytes.NewReader(text))
	d.DisallowUnknownFields()
	if err := d.Decode(&f); err != nil {
		return File{}, where(text, err)
	}
	seen := map[string]bool{}
	for _, k := range f.Keys {
		if seen[k.Name] {
			return File{}, fmt.Errorf("it has two entries for %q: keep the one that is released", k.Name)
		}
		seen[k.Name] = true
	}
	return f, nil
}

// where completes an error about JSON with the line.
func where(text []byte, err error) error {
	at := int64(-1)
	if syntax, ok := errors.AsType[*json.SyntaxError](err); ok {
		at = syntax.Offset
	}
	if kind, ok := errors.AsType[*json.UnmarshalTypeError](err); ok {
		at = kind.Offset
	}
	if at < 0 || at > int64(len(text)) {
		return fmt.Errorf("it cannot be read: %w", err)
	}
	return fmt.Errorf("line %d: it cannot be read: %w", 1+bytes.Count(text[:at], []byte("\n")), err)
}
