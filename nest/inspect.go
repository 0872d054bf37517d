package nest

import (
	"context"
	"encoding/json"
	"errors"
	"iter"
	"strconv"
	"sync/atomic"
	"time"

	"github.com/redis/rueidis"
)

// Inspection is what a key holds in Redis, and what about it differs from its declaration.
type Inspection struct {
	Match
	// Type is the Redis type, such as "string" or "zset".
	Type string
	// Encoding is how the server stores the value, such as "listpack", or "" if the server does not
	// say or the user may not ask (OBJECT ENCODING).
	Encoding string
	// TTL is how long the key still lives, or [Forever].
	TTL time.Duration
	// Bytes is how much memory the key takes on the server. It is 0 without [InspectBytes].
	Bytes int64
	// Len is the length of a string in bytes, or the number of elements, fields or entries.
	Len int64
	// Value is the value as JSON, or nil. See [InspectValue].
	Value json.RawMessage
	// Problems are the differences from the declaration.
	Problems []Problem
}

// Problem is a difference between a key and its declaration.
type Problem struct {
	Kind ProblemKind
	// Text describes the problem. It contains no value.
	Text string
}

// ProblemKind is a kind of [Problem].
type ProblemKind string

// The kinds of problems. The last three are found only with [InspectValue].
const (
	// WrongType: the key holds another Redis type than the declared one.
	WrongType ProblemKind = "wrong type"
	// MissingTTL: the key is declared with a TTL and has no expiry.
	MissingTTL ProblemKind = "missing ttl"
	// LongTTL: the key lives longer than the declared TTL.
	LongTTL ProblemKind = "long ttl"
	// Undecodable: a stored value is not one of the declared type, or a sealed one does not open.
	Undecodable ProblemKind = "undecodable"
	// Unsealed: a secret, a password or a secret field is stored without being sealed.
	Unsealed ProblemKind = "unsealed"
	// RetiredVersion: a value is in a version that [codec.Versioned] no longer reads.
	RetiredVersion ProblemKind = "retired version"
)

// Inspect streams the keys that exist below the scope, declared or not, with what they hold (SCAN,
// then TYPE, PTTL, OBJECT ENCODING and the command that returns the length, pipelined). It takes
// the keys that [Scope.Keys] takes with the same options and visits them as Keys does. Everything
// is read from the primaries. Together, what is said about a key is no snapshot: others may write
// in between. A key that disappears meanwhile is left out.
func (s Scope) Inspect(ctx context.Context, opts ...InspectOption) iter.Seq2[Inspection, error] {
	return func(yield func(Inspection, error) bool) {
		if err := s.admit(ctx, opInspect); err != nil {
			yield(Inspection{}, err)
			return
		}
		err := s.observed(ctx, opInspect, func(ctx context.Context) error { return s.inspect(ctx, opts, yield) })
		if err != nil {
			yield(Inspection{}, err)
		}
	}
}

const opInspect = "inspect"

func (s Scope) inspect(ctx context.Context, opts []InspectOption, yield func(Inspection, error) bool) error {
	o := s.at.tree.options.scan
	err := eachOption(opts, func(opt InspectOption) error { return opt.applyInspect(&o) })
	var w *walking
	if err == nil {
		w, err = s.walking(opInspect, o)
	}
	if err != nil {
		return s.fail(opInspect, err)
	}
	err = w.inTurn(ctx, func(p walkPage) error {
		seen := w.sight(p)
		x := inspector{tree: s.at.tree, client: p.server.client, options: &o, moved: w.spoil}
		chunk, ahead := x.chunk(len(seen))
		from := 0
		for list, err := range x.inAdvance(ctx, w, seen, chunk, ahead) {
			if err != nil {
				return err
			}
			from = min(from+chunk, len(seen))
			for i := range list {
				if !list[i].gone && !yield(list[i].Inspection, nil) {
					w.count(p, seen[:from])
					return errStopped
				}
			}
		}
		w.count(p, seen)
		return nil
	})
	if w.finish(err); err != nil && !errors.Is(err, errStopped) {
		return s.fail(opInspect, err)
	}
	return nil
}

const (
	// inspectChunk is how many keys are inspected together if their values are read, and
	// inspectPipeline how many commands are sent together if not. From 2,000 on, the client takes
	// another connection.
	inspectChunk    = 200
	inspectPipeline = 1900
	// inspectAhead is how many pipelines are on their way at the same time.
	inspectAhead = 3
)

// chunk returns how many of all keys are inspected together, and how many such chunks at the same
// time. The chunks are of about one size. Values are in memory, so that there are not many at a
// time.
func (x *inspector) chunk(all int) (keys, ahead int) {
	most, ahead := inspectPipeline/len(x.questions()), inspectAhead
	if x.options.maxValue > 0 {
		most, ahead = inspectChunk, 1
	}
	parts := max(1, (all+most-1)/most)
	return max(1, (all+parts-1)/parts), ahead
}

// inAdvance inspects the names that a step of a walk has found, chunk by chunk. While one is dealt
// with, the next ones are on their way.
func (x *inspector) inAdvance(ctx context.Context, w *walking, seen []sighting, chunk, ahead int) iter.Seq2[[]looked, error] {
	type inspected struct {
		list []looked
		err  error
	}
	return func(yield func([]looked, error) bool) {
		ctx, cancel := context.WithCancel(ctx)
		var begun []chan inspected
		defer func() {
			cancel()
			for _, c := range begun {
				<-c
			}
		}()
		rest := seen
		for len(rest) > 0 || len(begun) > 0 {
			for len(rest) > 0 && len(begun) < ahead {
				part := rest[:min(chunk, len(rest))]
				rest = rest[len(part):]
				done := make(chan inspected, 1)
				begun = append(begun, done)
				go func() {
					list := make([]looked, 0, len(part))
					for _, found := range part {
						if found.verdict != undeclared {
							list = append(list, looked{Inspection: Inspection{Match: w.matched(found)}})
						}
					}
					err := x.inspect(ctx, list)
					done <- inspected{list, err}
				}()
			}
			got := <-begun[0]
			begun = begun[1:]
			if !yield(got.list, got.err) || got.err != nil {
				return
			}
		}
	}
}

// inspector looks at keys. Its commands are no reads to the client, which may send those to a
// replica.
type inspector struct {
	tree    *tree
	client  rueidis.Client
	options *walkOptions
	// moved is called with a name whose slot has left the server. It is nil if the client follows.
	moved func(name string)
}

// looked is a key that is being inspected.
type looked struct {
	Inspection
	gone bool
	size int64 // what its value takes, as far as is known, in bytes
	// expected is the Redis type that the key is declared with. Its length is asked for at once,
	// and again only if it has another type.
	expected string
}

// long takes the answer of a command that returns the length.
func (k *looked) long(a rueidis.RedisMessage, err error) error {
	if retyped(err) {
		k.gone = rueidis.IsRedisNil(err)
		return nil
	}
	k.Len, err = answeredInt(a, err)
	k.size = k.Len
	return err
}

// question is a command for each key for which command returns words, and what is made of its
// answer. An error that answer returns ends the inspection.
type question struct {
	command func(k *looked) []string
	answer  func(k *looked, a rueidis.RedisMessage, err error) error
}

// ask asks questions about the keys, all in one round trip. What has moved away is marked as gone.
func (x *inspector) ask(ctx context.Context, keys []*looked, questions ...question) error {
	type asked struct{ q, k uint16 }
	most := len(questions) * len(keys)
	cmds := make([]rueidis.Completed, 0, most)
	about := make([]asked, 0, most)
	for i := range questions {
		q := &questions[i]
		for n, k := range keys {
			if k.gone {
				continue
			}
			if words := q.command(k); words != nil {
				before := commandWords(words)
				cmd := x.client.B().Arbitrary(words[:before]...)
				if x.moved == nil {
					cmd = cmd.Keys(k.key)
				} else {
					cmd = cmd.Args(k.key) // it is known where the key is: its slot need not be computed
				}
				cmds = append(cmds, cmd.Args(words[before:]...).Build().ToRetryable())
				about = append(about, asked{uint16(i), uint16(n)})
			}
		}
	}
	if len(cmds) == 0 {
		return nil
	}
	for i, a := range x.client.DoMulti(ctx, cmds...) {
		k := keys[about[i].k]
		message, err := a.ToMessage()
		switch {
		case k.gone:
		case x.moved != nil && whyUnexecuted(err) == slotMoves:
			x.moved(k.key)
			k.gone = true
		default:
			if err := questions[about[i].q].answer(k, message, err); err != nil {
				return err
			}
		}
	}
	return nil
}

// commandWords is how many words stand before the key.
func commandWords(words []string) int {
	if words[0] == "OBJECT" || words[0] == "MEMORY" {
		return 2
	}
	return 1
}

// retyped reports whether a key has another type than it had, or is gone, since TYPE was asked.
func retyped(err error) bool {
	return rueidis.IsRedisNil(err) || errors.Is(serverError(err), ErrWrongType)
}

// unknownHere reports whether the server does not know a command, or the user may not send it.
func unknownHere(err error) bool {
	_, answered := rueidis.IsRedisErr(err)
	return answered && whyUnexecuted(err) == noObstacle
}

// lengthOf maps Redis types to the commands that return their length.
var lengthOf = map[string]string{
	"string": "STRLEN", "list": "LLEN", "hash": "HLEN", "set": "SCARD", "zset": "ZCARD", "stream": "XLEN",
}

// inspect inspects some keys. It marks those that no longer exist as gone.
func (x *inspector) inspect(ctx context.Context, list []looked) error {
	keys := make([]*looked, len(list))
	for i := range list {
		keys[i] = &list[i]
		if m := list[i].at; m != nil {
			list[i].expected = typeOf(m)
		}
	}
	if err := x.ask(ctx, keys, x.questions()...); err != nil {
		return err
	}
	if err := x.ask(ctx, keys, question{func(k *looked) []string {
		if command := lengthOf[k.Type]; command != "" && k.Type != k.expected {
			return []string{command}
		}
		return nil
	}, (*looked).long}); err != nil {
		return err
	}
	for _, k := range keys {
		k.judge()
	}
	if x.options.maxValue > 0 {
		return x.values(ctx, keys)
	}
	return nil
}

// questions returns what is asked about every key.
func (x *inspector) questions() []question {
	same := func(words ...string) func(*looked) []string { return func(*looked) []string { return words } }
	list := []question{
		{same("TYPE"), func(k *looked, a rueidis.RedisMessage, err error) error {
			if err == nil {
				k.Type, err = a.ToString()
			}
			k.gone = k.Type == "none"
			return err
		}},
		{same("PTTL"), func(k *looked, a rueidis.RedisMessage, err error) error {
			if err == nil {
				k.TTL, err = replyTTL(nil, a)
			}
			if errors.Is(err, ErrNotFound) {
				k.gone, err = true, nil
			}
			return err
		}},
		{same("OBJECT", "ENCODING"), func(k *looked, a rueidis.RedisMessage, err error) error {
			switch {
			case rueidis.IsRedisNil(err):
				k.gone = true
			case err == nil:
				k.Encoding, err = a.ToString()
				return err
			case !unknownHere(err):
				return err
			}
			return nil
		}},
	}
	list = append(list, question{func(k *looked) []string {
		if command := lengthOf[k.expected]; command != "" {
			return []string{command}
		}
		return nil
	}, (*looked).long})
	if x.options.measured {
		list = append(list, question{same("MEMORY", "USAGE", "SAMPLES", strconv.Itoa(x.options.samples)), func(k *looked, a rueidis.RedisMessage, err error) error {
			if rueidis.IsRedisNil(err) {
				k.gone = true
				return nil
			}
			k.Bytes, err = answeredInt(a, err)
			return err
		}})
	}
	return list
}

// typeOf returns the Redis type of the keys of a place.
func typeOf(m *mounted) string {
	switch m.def.kind {
	case KindCustom:
		return m.bound.(*custom).redisType
	case KindHash, KindRecord:
		return "hash"
	case KindList:
		return "list"
	case KindSet:
		return "set"
	case KindSortedSet, KindGeo:
		return "zset"
	case KindStream:
		return "stream"
	}
	return "string"
}

// ttlSlack is how much longer than its declared TTL a key may live before that is a problem: clocks
// round.
const ttlSlack = time.Second

// judge notes what about the key differs from its declaration, apart from its value.
func (k *looked) judge() {
	m := k.at
	if m == nil || k.gone {
		return
	}
	if want := typeOf(m); k.Type != want {
		k.problem(WrongType, "holds "+typeNoun(k.Type)+", declared as "+string(m.def.kind))
	}
	declared := together(m.settings.ttl, m.settings.load.stale)
	switch {
	case m.settings.ttl == 0:
	case k.TTL == Forever:
		k.problem(MissingTTL, "has no expiry, the declared TTL is "+shortDuration(m.settings.ttl))
	case k.TTL > together(declared, ttlSlack):
		k.problem(LongTTL, "expires in "+shortDuration(k.TTL.Round(time.Second))+", the declared TTL is "+shortDuration(m.settings.ttl))
	}
}

func (k *looked) problem(kind ProblemKind, text string) {
	k.Problems = append(k.Problems, Problem{kind, text})
}

// Inspect returns what the key holds, as [Scope.Inspect] does. The options of a walk have no effect
// here. The error wraps [ErrNotFound] if the key does not exist.
func (m Match) Inspect(ctx context.Context, opts ...InspectOption) (Inspection, error) {
	r := m.Ref().at
	if err := r.admit(ctx, opInspect); err != nil {
		return Inspection{}, err
	}
	return watched(ctx, r, opInspect, func(ctx context.Context) (Inspection, error) {
		t := r.m.tree
		o := t.options.scan
		err := eachOption(opts, func(opt InspectOption) error { return opt.applyInspect(&o) })
		list := []looked{{Inspection: Inspection{Match: m}}}
		if err == nil {
			x := inspector{tree: t, client: t.client, options: &o}
			err = x.inspect(ctx, list)
		}
		if err == nil && list[0].gone {
			err = ErrNotFound
		}
		if err != nil {
			return Inspection{}, r.fail(opInspect, away(serverError(err), false))
		}
		return list[0].Inspection, nil
	})
}

// Ref returns a reference with the operations that all kinds of keys have. The name need not be
// declared: then the key has no declared TTL. Nothing is sent.
func (m Match) Ref() Ref {
	if m.at != nil {
		return Ref{address{m: m.at, key: m.key}}
	}
	if m.above == nil {
		return Ref{address{err: &Error{Op: "ref", Err: because(ErrNoMatch, "the match is not that of a name below a scope")}}}
	}
	t := m.above.tree
	place := &mounted{tree: t, def: &nobody, name: m.above.name, loads: new(atomic.Bool)}
	place.settings.codec = m.above.settings.codec
	place.direct = t.client != nil && !t.observed()
	return Ref{address{m: place, key: m.key}}
}

// nobody is the declaration of a name that nothing declares.
var nobody Declaration

// Companion reports whether the name is that of something that this package keeps beside a key. It
// returns the match of that key, and the role, such as "load" or "token". The number of a
// [Generation] has the role "gen". It stands beside what the prefix of the cluster has before the
// generation, which is no key: the match has the declaration of the cluster.
func (m Match) Companion() (of Match, role string, ok bool) {
	if m.at != nil || m.above == nil {
		return Match{}, "", false
	}
	key, role, ok := companionOf(m.key)
	if !ok {
		return Match{}, "", false
	}
	if role == generationRole {
		if number := m.above.tree.generationAt(key); number != nil {
			return Match{key: key, at: number}, role, true
		}
	} else if at := m.above.tree.at(key); at != nil {
		return Match{key: key, at: at}, role, true
	}
	return Match{key: key, above: m.above}, role, true
}
