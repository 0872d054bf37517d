package codec

import "iter"

// Dict is what [Tagged] makes of a Python dict when the target is an any. The keys are in the order
// in which they were set, so that the dict is written back as it was. Reading into a map or a
// struct yields that type instead.
type Dict []Item

// Item is one entry of a [Dict].
type Item struct {
	Key   string
	Value any
}

// Get returns the value of key. It searches the items one by one; for many lookups make a map with
// [Dict.Map].
func (d Dict) Get(key string) (any, bool) {
	for _, item := range d {
		if item.Key == key {
			return item.Value, true
		}
	}
	return nil, false
}

// All iterates over the items in order.
func (d Dict) All() iter.Seq2[string, any] {
	return func(yield func(string, any) bool) {
		for _, item := range d {
			if !yield(item.Key, item.Value) {
				return
			}
		}
	}
}

// Map returns the items as a map, without their order. If a key occurs twice, the last one counts.
func (d Dict) Map() map[string]any {
	m := make(map[string]any, len(d))
	for _, item := range d {
		m[item.Key] = item.Value
	}
	return m
}

// Tuple is what [Tagged] makes of a Python tuple when the target is an any. Python's own form has
// tuples only at the top, so a Tuple inside another value cannot be written.
type Tuple []any
