package codec

import (
	"errors"
	"fmt"
	"math/big"
	"reflect"
	"sync"
	"time"
)

var (
	dictType     = reflect.TypeFor[Dict]()
	tupleType    = reflect.TypeFor[Tuple]()
	bigIntType   = reflect.TypeFor[big.Int]()
	durationType = reflect.TypeFor[time.Duration]()
	emptyType    = reflect.TypeFor[struct{}]()

	errDepth = errors.New("nested too deeply")
)

// plan is what Tagged knows about a type, other than a pointer or an interface type, before it
// handles values of it.
type plan struct {
	tag    tag
	text   bool  // it has text methods
	null   bool  // it has a nil, which is stored as none
	err    error // why Tagged has no form for it
	elem   *plan // of the elements of a list, dict or set; nil if these are pointers or interfaces
	fields []fieldPlan
	at     map[string]int // in fields, by name
}

// fieldPlan is a field of a struct as an entry of a dict.
type fieldPlan struct {
	field
	entry string // the name as written, with its colon
	plan  *plan  // nil if it is a pointer or an interface
}

var knownPlans sync.Map // reflect.Type → *plan

func planOf(t reflect.Type) *plan {
	if known, ok := knownPlans.Load(t); ok {
		return known.(*plan)
	}
	p := planner{}
	made := p.plan(t)
	for t, plan := range p {
		knownPlans.Store(t, plan)
	}
	return made
}

// planFor returns the plan of t, or nil if t is a pointer or an interface type.
func planFor(t reflect.Type) *plan {
	if t.Kind() == reflect.Pointer || t.Kind() == reflect.Interface {
		return nil
	}
	return planOf(t)
}

// planner holds the plans in progress: types may be recursive.
type planner map[reflect.Type]*plan

func (m planner) plan(t reflect.Type) *plan {
	if t.Kind() == reflect.Pointer || t.Kind() == reflect.Interface {
		return nil
	}
	if known, ok := knownPlans.Load(t); ok {
		return known.(*plan)
	}
	if p, ok := m[t]; ok {
		return p
	}
	p := &plan{text: hasText(t)}
	m[t] = p
	p.tag, p.err = tagOfType(t)
	p.null = !p.text && (t.Kind() == reflect.Slice || t.Kind() == reflect.Map)
	switch {
	case p.err != nil || p.text:
	case p.tag == tagList, p.tag == tagDict && t.Kind() == reflect.Map:
		p.elem = m.plan(t.Elem())
	case p.tag == tagSet:
		p.elem = m.plan(t.Key())
	case p.tag == tagDict && t.Kind() == reflect.Struct:
		p.err = m.structure(t, p)
	}
	return p
}

func (m planner) structure(t reflect.Type, p *plan) error {
	known := fieldsOf(t)
	if known.err != nil {
		return known.err
	}
	p.at = known.at
	for _, f := range known.list {
		if f.name == typeKey {
			return errTypeKey
		}
		entry, err := appendString(nil, f.name)
		if err != nil {
			return err
		}
		p.fields = append(p.fields, fieldPlan{f, string(entry) + ": ", m.plan(t.FieldByIndex(f.index).Type)})
	}
	return nil
}

// follow returns what the pointers and interfaces of v lead to, and its plan, which is nil if they
// end in a nil.
func follow(v reflect.Value) (*plan, reflect.Value, error) {
	for range maxDepth {
		if !v.IsValid() {
			return nil, v, nil
		}
		switch v.Kind() {
		case reflect.Pointer, reflect.Interface:
			if v.IsNil() {
				return nil, v, nil
			}
			v = v.Elem()
			continue
		}
		p := planOf(v.Type())
		if p.null && v.IsNil() {
			return nil, v, nil
		}
		return p, v, p.err
	}
	return nil, v, errDepth
}

func tagOfType(t reflect.Type) (tag, error) {
	switch t {
	case timeType:
		return tagDatetime, nil
	case durationType:
		return tagDuration, nil
	case bigIntType:
		return tagInt, nil
	case tupleType:
		return tagTuple, nil
	case dictType:
		return tagDict, nil
	}
	switch {
	case isUUID(t):
		return tagUUID, nil
	case hasText(t):
		return tagStr, checkText(t)
	case isBytes(t):
		return tagBytes, nil
	}
	switch formOf(t) {
	case formString:
		return tagStr, nil
	case formBool:
		return tagBool, nil
	case formInt, formUint:
		return tagInt, nil
	case formFloat:
		return tagFloat, nil
	}
	switch t.Kind() {
	case reflect.Slice, reflect.Array:
		return tagList, nil
	case reflect.Map:
		if t.Elem() == emptyType {
			return tagSet, nil
		}
		return tagDict, nil
	case reflect.Struct:
		if reflect.PointerTo(t).Implements(jsonMarshalerType) {
			return "", fmt.Errorf("%s has MarshalJSON but no MarshalText and UnmarshalText, which are used here", t)
		}
		return tagDict, nil
	}
	return "", fmt.Errorf("there is no form for %s", t)
}
