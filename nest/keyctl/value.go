package keyctl

import (
	"context"
	"fmt"
	"slices"

	"github.com/redis/rueidis"

	"github.com/redisimnest/redisimnest/nest"
)

// shownElements is how many elements of a collection are shown.
const shownElements = 100

// hidden stands for a value that is not shown.
const hidden = "[redacted]"

// value shows what a key holds, as it is stored.
func (t *tool) value(ctx context.Context, scope nest.Scope, m nest.Match, out *rows) error {
	client := scope.Client()
	b := client.B()
	do := func(cmd rueidis.Completed) rueidis.RedisResult { return client.Do(ctx, cmd) }
	key := m.Key()
	typ, err := do(b.Type().Key(key).Build()).ToString()
	if err != nil {
		return err
	}
	sealed, fields := sealedIn(scope.Describe(), m)
	add := func(part any, value string) error {
		if sealed {
			value = hidden
		}
		return out.add(m.String(), typ, part, value)
	}
	switch typ {
	case "none":
		return errMissing
	case "string":
		text, err := do(b.Get().Key(key).Build()).ToString()
		if err != nil {
			return gone(err)
		}
		return add("", text)
	case "hash":
		page, err := do(b.Hscan().Key(key).Cursor(0).Count(shownElements).Build()).AsScanEntry()
		if err != nil {
			return err
		}
		for i := 0; i+1 < len(page.Elements) && i < 2*shownElements; i += 2 {
			value := page.Elements[i+1]
			if slices.Contains(fields, page.Elements[i]) || slices.Contains(fields, "*") {
				value = hidden
			}
			if err := add(page.Elements[i], value); err != nil {
				return err
			}
		}
		return nil
	case "list":
		return elements(do(b.Lrange().Key(key).Start(0).Stop(shownElements-1).Build()), func(i int, text string) error { return add(i, text) })
	case "set":
		page, err := do(b.Sscan().Key(key).Cursor(0).Count(shownElements).Build()).AsScanEntry()
		if err != nil {
			return err
		}
		for _, member := range page.Elements[:min(len(page.Elements), shownElements)] {
			if err := add("", member); err != nil {
				return err
			}
		}
		return nil
	case "zset":
		scored, err := do(b.Zrange().Key(key).Min("0").Max("99").Withscores().Build()).AsZScores()
		if err != nil {
			return err
		}
		for _, z := range scored {
			if err := add(z.Score, z.Member); err != nil {
				return err
			}
		}
		return nil
	case "stream":
		entries, err := do(b.Xrevrange().Key(key).End("+").Start("-").Count(shownElements).Build()).AsXRange()
		if err != nil {
			return err
		}
		for _, e := range entries {
			if err := add(e.ID, fmt.Sprint(e.FieldValues)); err != nil {
				return err
			}
		}
		return nil
	}
	return add("", "[a type that is not shown]")
}

func elements(answer rueidis.RedisResult, add func(i int, text string) error) error {
	texts, err := answer.AsStrSlice()
	if err != nil {
		return err
	}
	for i, text := range texts {
		if err := add(i, text); err != nil {
			return err
		}
	}
	return nil
}

// gone turns the answer to a key that has ended meanwhile into errMissing.
func gone(err error) error {
	if rueidis.IsRedisNil(err) {
		return errMissing
	}
	return err
}

// sealedIn reports whether the values of a key are not to be shown, and which of its fields are
// not.
func sealedIn(d nest.Description, m nest.Match) (sealed bool, fields []string) {
	def := m.Def()
	if def == nil {
		return false, nil
	}
	visit(d, func(d nest.Description) {
		if d.Node == def {
			fields = d.SecretFields
		}
	})
	switch def.Kind() {
	case nest.KindSecret, nest.KindPassword, nest.KindLock:
		return true, nil
	}
	return false, fields
}
