package nest

import (
	"context"
	"iter"
	"strconv"

	"github.com/redis/rueidis"
)

// Iterate streams the fields with their values in pages of about [ScanCount] (HSCAN), so that a
// hash of any size takes little memory. The order is the server's; a field that is written or
// removed meanwhile may be missing, and a field may come twice while the server resizes its
// table. An error, of decoding too, ends the stream.
func (r HashRef[V]) Iterate(ctx context.Context, opts ...ScanOption) iter.Seq2[Field[V], error] {
	return func(yield func(Field[V], error) bool) {
		if err := r.at.ready(ctx, opIterate.name); err != nil {
			yield(Field[V]{}, err)
			return
		}
		count := strconv.Itoa(r.at.scanOptions(opts).count)
		for cursor := "0"; ; {
			page, err := run(ctx, r.at, command[hashPage[V]]{op: &r.hash().page, cmd: r.at.read("HSCAN", cursor, "COUNT", count)})
			if err != nil {
				yield(Field[V]{}, err)
				return
			}
			if !r.yieldPage(ctx, page, yield) || page.cursor == "0" {
				return
			}
			cursor = page.cursor
		}
	}
}

// yieldPage yields the fields of a page, and tells whether the next one is wanted.
func (r HashRef[V]) yieldPage(ctx context.Context, page hashPage[V], yield func(Field[V], error) bool) bool {
	h := r.hash()
	secrets := unsealing{ref: r.at, secrets: h.secrets}
	defer func() { secrets.done(ctx) }()
	for name, text := range page.all() {
		text, err := secrets.text(name, text)
		var v V
		if err == nil {
			v, err = h.decodeText(r.at.m, text)
		}
		if err != nil {
			yield(Field[V]{}, r.at.fail(h.page.name, atField(name, err)))
			return false
		}
		if !yield(Field[V]{name, v}, nil) {
			return false
		}
	}
	return true
}

// scanOptions gives the options of an iteration.
func (r address) scanOptions(opts []ScanOption) scanOptions {
	o := r.m.tree.options.scan
	for _, opt := range opts {
		if opt != nil {
			opt.applyScan(&o)
		}
	}
	return o
}

// hashPage is one answer of HSCAN: names and encoded values by turns.
type hashPage[V any] struct {
	cursor string
	texts  []string
}

func (p hashPage[V]) all() iter.Seq2[string, string] {
	return func(yield func(string, string) bool) {
		for i := 0; i+1 < len(p.texts); i += 2 {
			if !yield(p.texts[i], p.texts[i+1]) {
				return
			}
		}
	}
}

func replyHashPage[V any](_ *mounted, a rueidis.RedisMessage) (p hashPage[V], err error) {
	parts, err := a.ToArray()
	if err != nil || len(parts) != 2 {
		return p, errAnswer
	}
	if p.cursor, err = parts[0].ToString(); err != nil {
		return p, errAnswer
	}
	if p.texts, err = parts[1].AsStrSlice(); err != nil {
		return p, errAnswer
	}
	return p, nil
}
