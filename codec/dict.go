package codec

import "iter"

// Dict is what [Tagged] makes of a Python dict when the target is an any: keys in the order in
// which they were set, so that it is written back as it was. Reading into a map or a struct
// gives that instead.
type Dict []Item

// Item is one entry of a [Dict].
type Item struct {
	Key   string
	Value any
}

// Get gives the value of key. It looks at one item after the other; for many look-ups make a
// map with [Dict.Map].
func (d Dict) Get(key string) (any, bool) {
	for _, item := range d {
		if item.Key == key {
			return item.Value, true
		}
	}
	return nil, false
}

// All iterates over the items in their order.
func (d Dict) All() iter.Seq2[string, any] {
	return func(yield func(string, any) bool) {
		for _, item := range d {
			if !yield(item.Key, item.Value) {
				return
			}
		}
	}
}

// Map gives the items without their order. Of a key that comes twice the last one counts.
func (d Dict) Map() map[string]any {
	m := make(map[string]any, len(d))
	for _, item := range d {
		m[item.Key] = item.Value
	}
	return m
}

// Tuple is what [Tagged] makes of a Python tuple when the target is an any. Python's own form
// has tuples at the top only; inside another value a Tuple cannot be written.
type Tuple []any
