package nest

import (
	"errors"
	"fmt"
	"reflect"
	"sync/atomic"

	"github.com/redisimnest/redisimnest/nest/internal/names"
)

// Node is a declaration: a [ClusterDef] or a key of any kind.
type Node interface {
	// Template returns the text that was declared, with its parameters: "user:<user_id>".
	Template() string
	// Kind returns what was declared, such as "cluster" or "value".
	Kind() Kind
	// Doc returns the text of the [Doc] option.
	Doc() string

	declared() *Declaration
}

// Kind is what a declaration declares.
type Kind string

// The kinds of declarations. KindValue is what [Key] declares; the others are named after the
// functions that declare them.
const (
	KindBitmap      Kind = "bitmap"
	KindChannel     Kind = "channel"
	KindCluster     Kind = "cluster"
	KindCounter     Kind = "counter"
	KindCustom      Kind = "custom"
	KindGeo         Kind = "geo"
	KindHash        Kind = "hash"
	KindHyperLogLog Kind = "hyperloglog"
	KindLimiter     Kind = "limiter"
	KindList        Kind = "list"
	KindLock        Kind = "lock"
	KindPassword    Kind = "password"
	KindRecord      Kind = "record"
	KindSecret      Kind = "secret"
	KindSet         Kind = "set"
	KindSortedSet   Kind = "sorted set"
	KindStream      Kind = "stream"
	KindValue       Kind = "value"
)

// Declaration is what all declarations have in common. It is embedded in the types that [Cluster],
// [Key] and similar functions return, and never changes after that.
type Declaration struct { //nolint:recvcheck // Format is for copies too
	// id spreads declarations over the table in which Open finds them.
	id       uint32
	kind     Kind
	template names.Template
	where    position
	goType   string       // of a key: "int", "[]string"
	typ      reflect.Type // of what the key's codec stores, or nil
	node     Node
	config   config
	// bind prepares a key at one place of a tree: it chooses the codec and checks the default with
	// it.
	bind func(m *mounted) (any, error)
	// alike is the type of what bind prepares, if that depends only on the type and the codec.
	alike reflect.Type
}

// lastID numbers declarations, so that the table of a tree does not hash pointers.
var lastID atomic.Uint32

// Template returns the text that was declared, with its parameters: "user:<user_id>".
func (d *Declaration) Template() string { return d.template.Text }

// Kind returns what was declared.
func (d *Declaration) Kind() Kind { return d.kind }

// Doc returns the text of the [Doc] option, or "".
func (d *Declaration) Doc() string { return d.config.doc }

// GoType returns the name of the Go type of a key's values, or "" for a cluster.
func (d *Declaration) GoType() string { return d.goType }

// Position returns the position of the declaration in the source, as "file:line".
func (d *Declaration) Position() string { return d.where.String() }

// String returns the kind and the template.
func (d *Declaration) String() string { return string(d.kind) + " " + d.template.Text }

// Format prints what String returns, for every verb and flag. It has a value receiver, so that a
// copy of a declaration shows no more than the declaration does: neither its options nor its
// [Default].
func (d Declaration) Format(s fmt.State, verb rune) { formatted(s, verb, d.String()) }

func (d *Declaration) declared() *Declaration { return d }

// stores records the type of what a key holds.
func (d *Declaration) stores(t reflect.Type) { d.typ, d.goType = t, t.String() }

func (d *Declaration) isCluster() bool { return d.kind == KindCluster }

// hashTag reports whether the names of the declaration have a hash tag that it makes itself.
func (d *Declaration) hashTag() bool { return d.config.hashTag || d.template.Tag }

// declareFor is declare for a key that holds values of type t. It returns the constructor with the
// type: "Key[int]".
func (d *Declaration) declareFor(t reflect.Type, node Node, kind Kind, constructor, text string, where position, opts []KeyOption) string {
	d.stores(t)
	constructor += "[" + d.goType + "]"
	d.declare(node, kind, constructor, text, where, applyKeyOptions(opts))
	return constructor
}

// declare fills in d. It panics on mistakes that can be found in the declaration alone.
func (d *Declaration) declare(node Node, kind Kind, constructor, text string, where position, apply func(*config) error) {
	d.id = lastID.Add(1)
	d.kind, d.node, d.where = kind, node, where
	t, err := names.Parse(text, kind != KindCluster)
	if err != nil {
		where.refuse(constructor, text, err)
	}
	d.template = t
	err = errors.Join(apply(&d.config), d.config.fits(kind))
	if err == nil && d.config.was != nil {
		err = d.config.was.parse(kind, text)
	}
	if err != nil {
		where.refuse(constructor, text, err)
	}
}

// bindsAlike declares that what bind prepares depends only on its type and the codec, unless there
// is a default.
func (d *Declaration) bindsAlike(bound reflect.Type) {
	if !d.config.hasDefault {
		d.alike = bound
	}
}

func applyKeyOptions(opts []KeyOption) func(*config) error {
	return func(c *config) error {
		return eachOption(opts, func(o KeyOption) error { return o.applyKey(c) })
	}
}

func applyClusterOptions(opts []ClusterOption) func(*config) error {
	return func(c *config) error {
		return eachOption(opts, func(o ClusterOption) error { return o.applyCluster(c) })
	}
}

// errNilOption refuses a nil option: most likely it is a variable that is initialised later.
var errNilOption = because(ErrArgument, "a nil option")

// eachOption applies options of any kind, one after the other, until one is refused.
func eachOption[O any](opts []O, apply func(O) error) error {
	for _, o := range opts {
		if isNil(o) {
			return errNilOption
		}
		if err := apply(o); err != nil {
			return err
		}
	}
	return nil
}
