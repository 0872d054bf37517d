package nest

import (
	"errors"
	"sync/atomic"
)

// Node is a declaration: a [ClusterDef] or a key of any kind.
type Node interface {
	// Template is the text that was declared, with its parameters: "user:<user_id>".
	Template() string
	// Kind tells what was declared: "cluster", "value".
	Kind() Kind
	// Doc is the text of the [Doc] option.
	Doc() string

	declared() *Declaration
}

// Kind is what a declaration declares.
type Kind string

// The kinds of declarations.
const (
	KindCluster Kind = "cluster"
	KindValue   Kind = "value"
)

// Declaration is what every declaration has. It is embedded in the types that [Cluster], [Key]
// and their like return, and never changes after they do.
type Declaration struct {
	// id spreads declarations over the table by which Open finds them again.
	id       uint32
	kind     Kind
	template template
	where    position
	goType   string // of a key: "int", "[]string"
	node     Node
	config   config
	// bind prepares a key at one place of a tree: it chooses the codec and checks the
	// default with it.
	bind func(m *mounted) (any, error)
}

// lastID numbers declarations, so that the table of a tree needs no hashing of pointers.
var lastID atomic.Uint32

// Template is the text that was declared, with its parameters: "user:<user_id>".
func (d *Declaration) Template() string { return d.template.text }

// Kind tells what was declared.
func (d *Declaration) Kind() Kind { return d.kind }

// Doc is the text of the [Doc] option, or "".
func (d *Declaration) Doc() string { return d.config.doc }

// GoType names the Go type of a key's values, "" for a cluster.
func (d *Declaration) GoType() string { return d.goType }

// Position tells where the declaration stands in the source, as "file:line".
func (d *Declaration) Position() string { return d.where.String() }

// String gives the kind and the template.
func (d *Declaration) String() string { return string(d.kind) + " " + d.template.text }

func (d *Declaration) declared() *Declaration { return d }

func (d *Declaration) isCluster() bool { return d.kind == KindCluster }

// declare fills in d. It panics on what the declaration alone shows to be wrong.
func (d *Declaration) declare(node Node, kind Kind, constructor, text string, where position, apply func(*config) error) {
	d.id = lastID.Add(1)
	d.kind, d.node, d.where = kind, node, where
	t, err := parseTemplate(text, kind != KindCluster)
	if err != nil {
		where.refuse(constructor, text, err)
	}
	d.template = t
	if err := errors.Join(apply(&d.config), d.config.fits(kind)); err != nil {
		where.refuse(constructor, text, err)
	}
}

var errNilOption = errors.New("a nil option")

func applyKeyOptions(opts []KeyOption) func(*config) error {
	return func(c *config) error {
		for _, o := range opts {
			if o == nil {
				return errNilOption
			}
			if err := o.applyKey(c); err != nil {
				return err
			}
		}
		return nil
	}
}

func applyClusterOptions(opts []ClusterOption) func(*config) error {
	return func(c *config) error {
		for _, o := range opts {
			if o == nil {
				return errNilOption
			}
			if err := o.applyCluster(c); err != nil {
				return err
			}
		}
		return nil
	}
}
