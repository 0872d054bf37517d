package keyctl

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"slices"

	"github.com/redisimnest/redisimnest/nest"
)

// shownElements is how many elements of a collection are shown.
const shownElements = 100

// hidden stands for a value that is not shown.
const hidden = "[redacted]"

// value shows what a key holds, as what it is declared. What is sealed or sensitive is not shown.
func (t *tool) value(ctx context.Context, m nest.Match, out *rows) error {
	i, err := m.Inspect(ctx, nest.InspectValue(t.maxBytes))
	if errors.Is(err, nest.ErrNotFound) {
		return errMissing
	}
	if err != nil {
		return err
	}
	for _, p := range i.Problems {
		if _, err := fmt.Fprintf(t.err, "%s: %s: %s\n", printable(m.String()), p.Kind, printable(p.Text)); err != nil {
			return err
		}
	}
	if i.Value == nil {
		return out.add(m.String(), i.Type, "", t.instead(i))
	}
	all, err := parts(i)
	if err != nil {
		return err
	}
	for _, p := range all[:min(len(all), shownElements)] {
		if err := out.add(m.String(), i.Type, p.name, p.value); err != nil {
			return err
		}
	}
	if more := len(all) - shownElements; more > 0 {
		_, err = fmt.Fprintf(t.err, "%s: %d more are not shown\n", printable(m.String()), more)
	}
	return err
}

// instead returns what is shown in place of a value that is not.
func (t *tool) instead(i nest.Inspection) string {
	if def := i.Def(); def != nil {
		secret := false
		visit(t.scope.Describe(), func(d nest.Description) { secret = secret || d.Node == def && d.Sensitive })
		switch def.Kind() {
		case nest.KindSecret, nest.KindPassword, nest.KindLock, nest.KindLimiter:
			secret = true
		}
		if secret {
			return hidden
		}
	}
	switch i.Type {
	case "string":
		if i.Len <= int64(t.maxBytes) {
			return hidden
		}
		return fmt.Sprintf("[%d bytes: --max-bytes]", i.Len)
	case "hash", "list", "set", "zset", "stream":
		return fmt.Sprintf("[%d elements: --max-bytes]", i.Len)
	}
	return "[a type that is not shown]"
}

// part is an element, a field or an entry of a value, or a whole string.
type part struct {
	name  any
	value any
}

// parts takes a value apart.
func parts(i nest.Inspection) ([]part, error) {
	switch i.Type {
	case "hash":
		var fields map[string]json.RawMessage
		err := json.Unmarshal(i.Value, &fields)
		return named(fields), err
	case "list", "set":
		var elements []json.RawMessage
		err := json.Unmarshal(i.Value, &elements)
		all := make([]part, len(elements))
		for n, e := range elements {
			if all[n] = (part{"", cellOf(e)}); i.Type == "list" {
				all[n].name = n
			}
		}
		return all, err
	case "zset":
		var members []struct {
			Member    json.RawMessage `json:"member"`
			Score     json.RawMessage `json:"score"`
			Longitude json.Number     `json:"longitude"`
			Latitude  json.Number     `json:"latitude"`
		}
		err := json.Unmarshal(i.Value, &members)
		all := make([]part, len(members))
		for n, m := range members {
			all[n] = part{cellOf(m.Score), cellOf(m.Member)}
			if m.Score == nil {
				all[n].name = m.Longitude.String() + " " + m.Latitude.String()
			}
		}
		return all, err
	case "stream":
		var entries []struct {
			ID     string          `json:"id"`
			Fields json.RawMessage `json:"fields"`
		}
		err := json.Unmarshal(i.Value, &entries)
		all := make([]part, len(entries))
		for n, e := range entries {
			all[len(all)-1-n] = part{e.ID, cellOf(e.Fields)} // the newest first
		}
		return all, err
	}
	return []part{{"", cellOf(i.Value)}}, nil
}

// named returns fields in the order of their names.
func named(fields map[string]json.RawMessage) []part {
	all := make([]part, 0, len(fields))
	for _, name := range slices.Sorted(maps.Keys(fields)) {
		value := cellOf(fields[name])
		if bytes.Equal(fields[name], []byte("null")) {
			value = hidden // a secret field
		}
		all = append(all, part{name, value})
	}
	return all
}

// cellOf returns JSON as a cell: a string as its text.
func cellOf(value json.RawMessage) any {
	var s string
	if len(value) > 0 && value[0] == '"' && json.Unmarshal(value, &s) == nil {
		return s
	}
	return value
}
