package nest

import (
	"context"
	"iter"
	"strconv"

	"github.com/redis/rueidis"
)

// page is one answer of SSCAN or ZSCAN: the cursor of the next one, and encoded elements.
type page struct {
	cursor string
	texts  []string
}

func replyPage(_ *mounted, a rueidis.RedisMessage) (p page, err error) {
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

// scanPages streams what a scan of this key gives, until an error ends it.
func (r address) scanPages(ctx context.Context, op *operation[page], name string, opts []ScanOption) iter.Seq2[[]string, error] {
	return func(yield func([]string, error) bool) {
		if err := r.ready(ctx, op.name); err != nil {
			yield(nil, err)
			return
		}
		count := strconv.Itoa(r.scanOptions(opts).count)
		for cursor := "0"; ; {
			p, err := run(ctx, r, command[page]{op: op, cmd: r.read(name, cursor, "COUNT", count)})
			if err != nil {
				yield(nil, err)
				return
			}
			if !yield(p.texts, nil) || p.cursor == "0" {
				return
			}
			cursor = p.cursor
		}
	}
}
