package nest

import (
	"context"
	"iter"
)

// Iterate streams the fields with their values in pages of about [ScanCount] (HSCAN), so that a
// hash of any size takes little memory. All pages come from the primary. If the hash has more than
// one page, they come on a dedicated connection. The order is the server's. A field that is written
// or removed during the iteration may be missing. A field may come twice: while the server resizes
// its table, and when the iteration starts again because the hash moved to another node of a Redis
// Cluster or the connection was lost. Any error, including one of decoding, ends the stream.
func (r HashRef[V]) Iterate(ctx context.Context, opts ...ScanCountOption) iter.Seq2[Field[V], error] {
	return func(yield func(Field[V], error) bool) {
		for page, err := range r.at.scanPages(ctx, &opIterate, "HSCAN", opts) {
			if err != nil {
				yield(Field[V]{}, err)
				return
			}
			if !r.yieldPage(ctx, page, yield) {
				return
			}
		}
	}
}

// yieldPage yields the fields of a page, and reports whether the next one is wanted.
func (r HashRef[V]) yieldPage(ctx context.Context, page page, yield func(Field[V], error) bool) bool {
	h := r.hash()
	secrets := unsealing{ref: r.at, secrets: h.secrets}
	defer func() { secrets.done(ctx) }()
	for name, text := range page.pairs() {
		text, err := secrets.text(name, text)
		var v V
		if err == nil {
			v, err = h.decodeText(r.at.m, text)
		}
		if err != nil {
			yield(Field[V]{}, r.at.fail(opIterate.name, atField(name, err)))
			return false
		}
		if !yield(Field[V]{name, v}, nil) {
			return false
		}
	}
	return true
}
