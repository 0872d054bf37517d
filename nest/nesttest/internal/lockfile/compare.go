package lockfile

import (
	"fmt"
	"slices"
	"strconv"
	"strings"

	"github.com/redisimnest/redisimnest/nest"
)

// Change is a difference between what is locked and what is declared.
type Change struct {
	Key  string   // the name that is locked, or that is new
	What []string // changed
	// Ways are the ways out. There are none if what is stored is read as before.
	Ways []string
	// Lives says how long values that were stored before can live.
	Lives string
	// Source is where the key is declared now, if it is.
	Source string
}

// Breaks reports whether stored data would be orphaned or misread.
func (c Change) Breaks() bool { return len(c.Ways) > 0 }

// The ways out.
const (
	wayWas         = "nest.Was with the template of the old name, in the order of releases of docs/adopt.md, and nest.Migrate"
	wayTag         = "keep the stored name in the field's tag"
	wayRecordWas   = `the option was=… in the field's tag, such as nest:"new,was=old"`
	wayVersioned   = "codec.Versioned with a codec that reads the old form as codec.Unversioned or as an older version"
	wayPrint       = "codec.Fingerprinted inside of codec.Versioned, if the values can be loaded again: they are then misses of GetOrLoad"
	waySealed      = "nest.AcceptPlain until nest.Rotate has sealed what is there"
	wayKey         = "a new key, and code that reads both until the old values are gone"
	wayStop        = "stop the service for the change: this kind cannot have two names"
	wayForget      = "if that is so, take it out of the entry in the lock file too, from the line was, and run the test with -update"
	wayForgetPlain = "if that is so, take it out of the entry in the lock file too, the line accept_plain, and run the test with -update"
)

// Compare returns what has changed between what is locked and what is declared.
func Compare(old, now File) []Change {
	c := comparison{now: now.Keys, taken: map[string]bool{}}
	for _, k := range old.Keys {
		c.key(k)
	}
	for _, k := range now.Keys {
		if !c.taken[k.Name] {
			c.changes = append(c.changes, Change{Key: k.Name, What: []string{"it is new"}, Source: k.source})
		}
	}
	for i := range c.changes {
		c.suggest(&c.changes[i], old)
	}
	return c.changes
}

type comparison struct {
	now     []Key
	taken   map[string]bool
	changes []Change
}

// key holds one locked key against what is declared.
func (c *comparison) key(old Key) {
	now, ok := c.find(old)
	if !ok {
		way := wayWas
		if old.Kind == nest.KindLock || old.Kind == nest.KindLimiter {
			way = wayStop
		}
		c.changes = append(c.changes, Change{
			Key: old.Name, Lives: old.lives(), Ways: []string{way},
			What: []string{"nothing is declared under this name any more: what is stored there is orphaned"},
		})
		return
	}
	c.taken[now.Name] = true
	k := pair{old: old, now: now}
	k.compare()
	if len(k.what) > 0 || len(k.fine) > 0 {
		c.changes = append(c.changes, Change{Key: old.Name, What: append(k.what, k.fine...), Ways: k.ways, Lives: old.lives(), Source: now.source})
	}
}

// find returns the declaration that has the name of a locked key now, or had it.
func (c *comparison) find(old Key) (Key, bool) {
	for _, same := range []func(name string) bool{
		func(name string) bool { return name == old.Name },
		func(name string) bool { return nameless(name) == nameless(old.Name) },
	} {
		for _, k := range c.now {
			if same(k.Name) {
				return k, true
			}
		}
		for _, k := range c.now {
			if slices.ContainsFunc(k.Was, same) {
				return k, true
			}
		}
	}
	return Key{}, false
}

// nameless returns a template without the names of its parameters, which no key has.
func nameless(template string) string {
	var b strings.Builder
	for rest := template; ; {
		before, after, ok := strings.Cut(rest, "<")
		b.WriteString(before)
		if !ok {
			return b.String()
		}
		param, end, _ := strings.Cut(after, ">")
		b.WriteString("<" + strings.Repeat("...", strings.Count(param, "...")) + ">")
		rest = end
	}
}

// suggest names the key that could be the one that is gone.
func (c *comparison) suggest(change *Change, old File) {
	at := slices.IndexFunc(old.Keys, func(k Key) bool { return k.Name == change.Key })
	if at < 0 || change.Source != "" || !change.Breaks() {
		return
	}
	gone := old.Keys[at]
	for _, alike := range []func(Key) bool{
		func(k Key) bool { return k.Type == gone.Type },
		func(Key) bool { return true },
	} {
		for _, k := range c.now {
			if !c.taken[k.Name] && k.Kind == gone.Kind && len(k.Params) == len(gone.Params) && alike(k) {
				change.What = append(change.What, "if it is "+strconv.Quote(k.Name)+" ("+k.source+") now, that needs a Was")
				return
			}
		}
	}
}

// lives says how long values that are stored can live.
func (k Key) lives() string {
	if k.TTL == 0 {
		if k.Stored.FieldTTL > 0 {
			return "old fields live for up to " + span(k.Stored.FieldTTL) + " after they were written"
		}
		return "old values live until they are deleted or written again: the key has no TTL"
	}
	since := "they were written"
	if k.AutoRenew {
		since = "they were last used"
	}
	return "old values live for up to " + span(k.TTL+k.StaleFor) + " after " + since
}

// pair is a locked key and its declaration now.
type pair struct {
	old, now   Key
	what, fine []string
	ways       []string
}

// breaks records a change that orphans or misreads what is stored.
func (p *pair) breaks(what string, ways ...string) {
	p.what = append(p.what, what)
	for _, way := range ways {
		if !slices.Contains(p.ways, way) {
			p.ways = append(p.ways, way)
		}
	}
}

// notef records a change that reads everything as before.
func (p *pair) notef(format string, args ...any) {
	p.fine = append(p.fine, fmt.Sprintf(format, args...))
}

func (p *pair) compare() {
	o, n := p.old, p.now
	if o.Name != n.Name {
		p.notef("its name is %q now", n.Name)
		if nameless(o.Name) != nameless(n.Name) && !slices.ContainsFunc(o.Was, func(was string) bool { return nameless(was) == nameless(n.Name) }) {
			p.notef("programs of the locked release do not find what is moved there: end them before, or first release the present name with nest.Was(the coming one)")
		}
	}
	for _, was := range o.Was {
		known := func(name string) bool { return nameless(name) == nameless(was) }
		if !known(n.Name) && !slices.ContainsFunc(n.Was, known) {
			p.breaks(fmt.Sprintf("its former name %q is forgotten: what still stands under it is orphaned, unless a report of nest.Migrate was Clean", was), wayForget, wayWas)
		}
	}
	p.params()
	if o.TTL != n.TTL || o.AutoRenew != n.AutoRenew || o.StaleFor != n.StaleFor || o.Stored.FieldTTL != n.Stored.FieldTTL {
		p.notef("its TTL is another; what is stored keeps the one that it has")
	}
	if o.Stored.Type != n.Stored.Type {
		p.breaks(fmt.Sprintf("it was a %s (Redis type %s) and is a %s (%s): every operation on an old key is ErrWrongType", o.Kind, o.Stored.Type, n.Kind, n.Stored.Type), wayKey)
		return
	}
	if o.Kind != n.Kind && !p.kindsAlike() {
		p.breaks(fmt.Sprintf("it was a %s and is a %s: the one does not read what the other stored", o.Kind, n.Kind), wayKey)
		return
	}
	p.secrets()
	p.forms()
	if p.what == nil && p.fine == nil && !same(o, n) {
		p.notef("how it is declared has changed")
	}
}

// same reports whether two keys have the same entry.
func same(a, b Key) bool {
	one, err := File{Keys: []Key{a}}.Text()
	other, otherErr := File{Keys: []Key{b}}.Text()
	return err == nil && otherErr == nil && string(one) == string(other)
}

// kindsAlike reports whether keys of two kinds may be stored alike.
func (p *pair) kindsAlike() bool {
	o, n := p.old, p.now
	switch [2]nest.Kind{o.Kind, n.Kind} {
	case [2]nest.Kind{nest.KindValue, nest.KindCounter}, [2]nest.Kind{nest.KindCounter, nest.KindValue},
		[2]nest.Kind{nest.KindHash, nest.KindRecord}, [2]nest.Kind{nest.KindRecord, nest.KindHash}:
		return true // their forms decide
	case [2]nest.Kind{nest.KindValue, nest.KindSecret}:
		return true // whether plain values are accepted decides
	case [2]nest.Kind{nest.KindValue, nest.KindBitmap}:
		return o.plainBytes()
	case [2]nest.Kind{nest.KindBitmap, nest.KindValue}:
		return n.plainBytes()
	}
	return false
}

// plainBytes reports whether values are stored as the bytes that they are.
func (k Key) plainBytes() bool {
	return len(k.Stored.Forms) == 1 && (k.Stored.Forms[0].Codec == "auto" || k.Stored.Forms[0].Codec == "raw") &&
		k.Stored.Forms[0].Shape != nil && (k.Stored.Forms[0].Shape.Kind == "bytes" || k.Stored.Forms[0].Shape.Kind == "string")
}

// params compares the parameters, place by place.
func (p *pair) params() {
	o, n := p.old.Params, p.now.Params
	if len(o) != len(n) {
		return // the names differ then, and Was has the same parameters
	}
	// moved reports whether the parameters are the same ones in another order, by what of says of
	// them.
	moved := func(of func(Param) string) bool {
		was, is := all(o, of), all(n, of)
		return !slices.Equal(was, is) && slices.Equal(slices.Sorted(slices.Values(was)), slices.Sorted(slices.Values(is)))
	}
	if nameless(p.old.Name) == nameless(p.now.Name) {
		switch {
		case moved(func(param Param) string { return param.Name }):
			p.breaks("its parameters have changed places: a key stands for other values of them than before", wayKey)
			return
		case moved(func(param Param) string { return param.Type }):
			p.breaks(fmt.Sprintf("the types of its parameters have changed places, from %s to %s: a key stands for other values of them than before",
				typed(o), typed(n)), wayKey)
			return
		}
	}
	for i, was := range o {
		is := n[i]
		if at := slices.IndexFunc(n, func(param Param) bool { return param.Name == was.Name }); at >= 0 {
			is = n[at]
		}
		switch {
		case was.Layout != is.Layout && was.Form == "time" && is.Form == "time":
			p.breaks(fmt.Sprintf("the layout of <%s> was %q and is %q: keys have other names", was.Name, was.Layout, is.Layout), wayKey)
		case !paramReads(was.Form, is.Form):
			p.breaks(fmt.Sprintf("<%s> was %s and is %s: names with other values are not reached", was.Name, was.Form, is.Form), wayKey)
		case was.Escapes != is.Escapes && nameless(p.old.Name) == nameless(p.now.Name):
			p.breaks(fmt.Sprintf("values of <%s> escaped %s and escape %s: values with these characters have other names", was.Name, was.Escapes, is.Escapes), wayWas)
		case was != is:
			p.notef("<%s> is declared as %s", was.Name, typed([]Param{is}))
		}
	}
}

// all returns what of says of each parameter.
func all(params []Param, of func(Param) string) (list []string) {
	for _, param := range params {
		list = append(list, of(param))
	}
	return list
}

// typed lists parameters with their types: "<user> of app.UserID, <name>".
func typed(params []Param) string {
	return strings.Join(all(params, func(param Param) string {
		if param.Type == "" {
			return "<" + param.Name + ">"
		}
		return "<" + param.Name + "> of " + param.Type
	}), ", ")
}

// paramReads reports whether each name that the old form made is one that the new form makes.
func paramReads(old, now string) bool {
	if old == now || now == "any" || now == "string" {
		return true
	}
	r := reading{codec: "decimal"}
	return r.widens(old, now) && numberOf(old).class != 'f'
}

// secrets compares what is encrypted.
func (p *pair) secrets() {
	o, n := p.old, p.now
	if o.AcceptPlain && !n.AcceptPlain {
		p.breaks("plain values are not accepted any more: those that are left do not open, unless a report of nest.Rotate was Clean", wayForgetPlain, waySealed)
	}
	if o.Kind == nest.KindValue && n.Kind == nest.KindSecret && n.AcceptPlain {
		p.notef("it is a secret now: programs of the locked release read what is sealed as if it were the value, so write and rotate it once they have ended")
	}
	if o.Kind == nest.KindValue && n.Kind == nest.KindSecret && !n.AcceptPlain {
		p.breaks("its values are encrypted now: those that are stored are not, and are ErrOpen", waySealed)
	}
	for _, field := range o.SecretFields {
		if !slices.Contains(n.SecretFields, field) && !slices.Contains(n.SecretFields, "*") {
			p.breaks(fmt.Sprintf("the field %q was encrypted and is not: what is stored is read as it is, sealed", field), wayKey)
		}
	}
	for _, field := range n.SecretFields {
		if !slices.Contains(o.SecretFields, field) && !slices.Contains(o.SecretFields, "*") && !n.AcceptPlain && p.stores(field) {
			p.breaks(fmt.Sprintf("the field %q is encrypted now: what is stored is not, and is ErrOpen", field), waySealed)
		}
	}
}

// stores reports whether a field may be stored by the locked release.
func (p *pair) stores(field string) bool {
	if p.old.Stored.Fields == nil {
		return true
	}
	return slices.ContainsFunc(p.old.Stored.Fields, func(f nest.StoredField) bool { return f.Name == field || slices.Contains(f.Was, field) })
}

// forms compares the forms of values, elements and fields.
func (p *pair) forms() {
	o, n := p.old.Stored, p.now.Stored
	switch {
	case o.Fields != nil && n.Fields != nil:
		p.recordFields()
		return
	case o.Fields != nil && p.now.Kind == nest.KindHash:
		for _, f := range o.Fields {
			p.reads(fmt.Sprintf("the field %q", f.Name), f.Forms, n.Forms)
		}
		return
	case n.Fields != nil && p.old.Kind == nest.KindHash:
		for _, f := range n.Fields {
			p.reads(fmt.Sprintf("the field %q", f.Name), o.Forms, f.Forms)
		}
		return
	case (o.Fields != nil) != (n.Fields != nil):
		p.breaks("an entry was a value in one field and is one in several, or the other way round", wayKey)
		return
	case o.EntryField != n.EntryField:
		p.breaks(fmt.Sprintf("entries had their value in the field %q and have it in %q", o.EntryField, n.EntryField), "nest.EntryField("+strconv.Quote(o.EntryField)+")", wayKey)
		return
	}
	what := "it"
	if len(o.Forms) > 0 && len(n.Forms) > 0 {
		p.reads(what, o.Forms, n.Forms)
	}
}

// recordFields compares the fields of a struct, each stored by itself.
func (p *pair) recordFields() {
	o, n := p.old.Stored.Fields, p.now.Stored.Fields
	for _, was := range o {
		for _, name := range append([]string{was.Name}, was.Was...) {
			at := slices.IndexFunc(n, func(f nest.StoredField) bool { return f.Name == name || slices.Contains(f.Was, name) })
			switch {
			case at >= 0 && name == was.Name:
				p.reads(fmt.Sprintf("the field %q", was.Name), was.Forms, n[at].Forms)
			case at >= 0:
			case name == was.Name:
				p.breaks(fmt.Sprintf("the field %q is gone: what is stored in it is not read", name), wayRecordWas, wayTag)
			default:
				p.breaks(fmt.Sprintf("the former name %q of the field %q is forgotten: records that have it are not read whole", name, was.Name), wayForget, wayRecordWas)
			}
		}
	}
	for _, f := range n {
		if !slices.ContainsFunc(o, func(was nest.StoredField) bool { return f.Name == was.Name || slices.Contains(f.Was, was.Name) }) {
			p.notef("the field %q is new", f.Name)
		}
	}
}

// reads checks that each form that may be stored is read as what it was.
func (p *pair) reads(what string, old, now []nest.StoredForm) {
	secret := p.old.Kind == nest.KindSecret
	for _, was := range old {
		if was.Upcoming {
			continue // nothing was stored so
		}
		at := slices.IndexFunc(now, func(f nest.StoredForm) bool {
			return f.Version == was.Version && (f.Codec == was.Codec || !secret && codecsAlike(was, f))
		})
		switch {
		case at < 0:
			way := wayVersioned
			if p.old.Kind != p.now.Kind {
				way = wayKey
			}
			p.breaks(fmt.Sprintf("%s was stored %s, which is not read any more: now it is stored %s", what, formOf(was), formOf(now[0])), way)
		case was.Shape == nil || now[at].Shape == nil:
			if p.old.Type != p.now.Type {
				p.breaks(fmt.Sprintf("%s was of type %s and is of type %s, and the codec %s does not say whether it reads the one as the other: it is no codec.Shaper", what, p.old.Type, p.now.Type, was.Codec), wayVersioned, wayKey)
			}
		default:
			for _, difference := range Misread(was.Codec, now[at].Codec, was.Shape, now[at].Shape) {
				p.breaks(what+", "+formOf(was)+": "+difference, wayTag, wayVersioned, wayPrint)
			}
			if was.Shape.String() != now[at].Shape.String() {
				p.notef("its shape was %s and is %s", was.Shape, now[at].Shape)
			}
		}
	}
	if now[0].Codec != old[0].Codec || now[0].Version != old[0].Version {
		p.notef("%s is written %s now", what, formOf(now[0]))
		if !slices.ContainsFunc(old, func(was nest.StoredForm) bool {
			return was.Version == now[0].Version && (was.Codec == now[0].Codec || !secret && codecsAlike(was, now[0]))
		}) {
			p.notef("programs of the locked release do not read that: end them before, or first release it as codec.Upcoming")
		}
	}
}

// codecsAlike reports whether two codecs store what has this shape as the same bytes.
func codecsAlike(was, is nest.StoredForm) bool {
	if was.Shape == nil {
		return false
	}
	is2 := func(a, b string) bool { return was.Codec == a && is.Codec == b || was.Codec == b && is.Codec == a }
	kind := was.Shape.Kind
	switch {
	case is2("auto", "json"):
		return numberOf(kind).bits > 0 || slices.Contains([]string{"struct", "list", "array", "map", "optional", "any"}, kind)
	case is2("auto", "raw"):
		return kind == "string" || kind == "bytes"
	case is2("auto", "decimal"), is2("json", "decimal"):
		return numberOf(kind).bits > 0
	}
	return false
}

func formOf(f nest.StoredForm) string {
	if f.Version > 0 {
		return fmt.Sprintf("by the codec %s as version %d", f.Codec, f.Version)
	}
	return "by the codec " + f.Codec
}
