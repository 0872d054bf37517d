package nest

import (
	"context"
	"maps"
	"slices"
)

// Forward returns a function for [DeadLetter] that adds entries to another stream:
//
//	jobs.Consume(ctx, "mailers", host, send, nest.DeadLetter(5, nest.Forward(Dead.At(root))))
//
// An entry that could not be decoded is added with its fields as they are stored, in their order,
// so that nothing of it is lost; reading it there fails with [ErrDecode] too, until a release that
// knows its form reads it. Any other entry is added as [StreamRef.Add] adds its value. The entry
// gets a new ID, and the declaration of the other stream says when it ends and how that stream is
// trimmed. If the process ends between the two steps, the entry is added twice. When it cannot be
// added, it stays pending and is tried again after [ClaimAfter] (XADD).
func Forward[T any](to StreamRef[T]) func(context.Context, Delivery[T]) error {
	return func(ctx context.Context, d Delivery[T]) error {
		var err error
		if d.Err == nil {
			_, err = to.Add(ctx, d.Value)
		} else {
			_, err = call(ctx, to.at, func() command[string] { return to.addStored(d.stored()) })
		}
		return err
	}
}

// stored returns the names and values of an entry that could not be decoded, alternately.
func (d *Delivery[T]) stored() []string {
	if d.fields != nil {
		return d.fields
	}
	var fields []string // of a Delivery that Consume has not made
	for _, name := range slices.Sorted(maps.Keys(d.Fields)) {
		fields = append(fields, name, d.Fields[name])
	}
	return fields
}

func (r StreamRef[T]) addStored(fields []string) command[string] {
	if len(fields) == 0 {
		return refuse(&opStreamAdd, because(ErrArgument, "the entry has no fields"))
	}
	args := append(r.at.m.def.config.trim.args(), "*")
	return command[string]{op: &opStreamAdd, cmd: r.at.write("XADD", append(args, fields...)...)}
}
