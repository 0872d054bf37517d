package nest

import (
	"context"
	"strconv"

	"github.com/redis/rueidis"
)

// numberRef is the number of the current generation of one cluster, all of whose parameters but
// the generation are filled in. Its address is invalid if the cluster could not be resolved.
type numberRef struct {
	at   address
	of   *mounted // the cluster
	base string   // what the names of all generations begin with
	seen int64    // the greatest number that this client has seen; 0: none
}

var (
	opCurrent = operation[int64]{"current", replyNumber}
	opRenew   = operation[int64]{"renew", replyNumber}
)

// numbering returns the greatest number of the key and of its former names (the other keys), and
// moves it to the key. It makes a new number if ARGV[1] is 1, if there is none, and if the client
// has seen a greater one, which is ARGV[2]. Anything else than a number, which another program has
// written, is none. A number is less than 2^53, up to which Lua is exact; the reply 0 says that
// there is none left. (The embedded server's Lua reads long numbers only if they contain a point.)
var numbering = newScript(`local own, last, seen = 0, 0, tonumber(ARGV[2] .. '.0')
for i, key in ipairs(KEYS) do
	local text = redis.call('GET', key)
	local n = text and string.match(text, '^%d+$') and tonumber(text .. '.0') or 0
	if n > 9007199254740991 then n = 0 end
	if i == 1 then own = n end
	last = math.max(last, n)
end
if ARGV[1] == '0' and own == last and last > 0 and last >= seen then return string.format('%.0f', last) end
local number = last
if ARGV[1] == '1' or last == 0 or last < seen then
	local now = redis.call('TIME')
	number = math.max(last + 1, seen + 1, now[1] * 1000 + math.floor(now[2] / 1000))
	if number > 9007199254740991 then return '0' end
end
number = string.format('%.0f', number)
redis.call('SET', KEYS[1], number)
for i = 2, #KEYS do redis.call('UNLINK', KEYS[i]) end
return number`)

// Current returns the scope of the current generation of the cluster, see [Generation]. args are
// the parameters that are open between s and the generation, as in At; s is above the cluster. The
// first Current of all begins the first generation.
//
// The number of the generation is read through the client's cache, as a key is that is [Cached] for
// a minute: while nothing changes, Current sends nothing. After Renew has returned, no later
// Current of a scope of the same client returns an older generation. Other clients learn of the new
// one when the server's message arrives, and after a minute at most if their connection is dead and
// nothing reports that. A client that caches nothing asks the server each time.
//
// The error wraps [ErrArgument] if the cluster declares no Generation, or s is below it, and is
// otherwise one that At or a read can return, or one of Renew. The scope then has the same error
// (GET; EVAL if there is no number yet).
func (d *ClusterDef) Current(ctx context.Context, s Scope, args ...any) (Scope, error) {
	r := d.numberOf(&opCurrent, &s, args)
	return r.scope(ctx, &opCurrent)
}

// Renew begins a new generation of the cluster and returns its scope, see [Generation]. args are
// those of Current. It takes one atomic step, however many keys the older generations have; those
// end by themselves, as they expire. What is written to a scope of an older generation is not seen
// in the new one. Each Renew begins another generation, so after an error that wraps
// [ErrOutcomeUnknown] it is safe to call it again.
//
// The error wraps [ErrOverflow] if the number of the current generation was set to 2^53 - 1, which
// is the greatest one, and is otherwise one that Current or a write can return (EVAL).
//
//nest:ttl ends
func (d *ClusterDef) Renew(ctx context.Context, s Scope, args ...any) (Scope, error) {
	r := d.numberOf(&opRenew, &s, args)
	return r.scope(ctx, &opRenew)
}

// numberOf returns the number of the current generation of d below s. The arguments do not escape,
// see [Declaration.at].
func (d *ClusterDef) numberOf(op *operation[int64], s *Scope, args []any) (r numberRef) {
	at := s.at
	if r.at.m = at; d == nil {
		r.at.err = nilDeclaration(*s)
		return r
	}
	switch {
	case s.err != nil:
		r.at.err = s.err
		return r
	case at == nil:
		r.at.err = zeroScope(&d.Declaration)
		return r
	}
	m := at.tree.table[int(d.id)&(len(at.tree.table)-1)].only
	if m == nil || m.def != &d.Declaration || !at.holds(m) {
		if m = at.tree.find(at, &d.Declaration); m == nil {
			r.at.err = at.tree.notFound(at, &d.Declaration)
			return r
		}
	}
	g := m.generation
	if g == nil || len(at.name.Pieces) > len(g.number.name.Pieces) {
		r.at.m, r.at.err = m, m.noGeneration(op.name)
		return r
	}
	r.of, r.at.m = m, g.number
	if g.single && len(args) == 0 {
		r.base, r.at.key, r.seen = g.number.name.End, g.key(), g.newest.one.Load()
		return r
	}
	var stack [256]byte
	if base, ok := g.number.name.AppendOwn(stack[:0], &at.name, s.prefix, args); ok {
		if known := g.newest.of(base); known.key != "" {
			r.at.key, r.seen = known.key, known.number
		} else {
			r.at.key = companionTo(base, generationRole)
		}
		r.base = r.at.key[:len(base)]
		return r
	}
	if _, r.base, r.at.err = g.number.resolve(s, args); r.at.err == nil {
		r.at.key, r.seen = companion(r.base, generationRole), g.seen(r.base)
	}
	return r
}

// seen returns the greatest number beside a name that this client has seen.
func (g *generation) seen(name string) int64 {
	if g.single {
		return g.newest.one.Load()
	}
	return g.newest.of([]byte(name)).number
}

// key returns the name of the only number.
func (g *generation) key() string {
	g.named.Do(func() { g.fixed = companion(g.number.name.End, generationRole) })
	return g.fixed
}

// noGeneration returns the error of a cluster for which nobody can ask for a generation.
func (m *mounted) noGeneration(op string) *Error {
	text := "the cluster (" + m.def.Position() + ") declares no Generation"
	if g := m.generation; g != nil {
		text = "the scope has filled in <" + g.param + "> already: call it on a scope above the cluster"
	}
	return &Error{Op: op, Template: m.name.Text, Err: because(ErrArgument, text)}
}

// scope runs Current or Renew.
func (r *numberRef) scope(ctx context.Context, op *operation[int64]) (Scope, error) {
	n, err := r.observed(ctx, op)
	if err != nil {
		return Scope{at: r.at.m, err: asError(err)}, err
	}
	prefix, ok := r.of.name.Complete(&r.at.m.name, r.base, []any{n})
	if !ok {
		return r.resolved(n)
	}
	return Scope{at: r.of, prefix: prefix}, nil
}

func (r *numberRef) observed(ctx context.Context, op *operation[int64]) (int64, error) {
	if r.at.m == nil || !r.at.m.tree.observed() {
		n, _, err := r.latest(ctx, op)
		return n, err
	}
	ctx, o := r.at.begin(ctx, Event{Op: op.name})
	defer o.end()
	n, from, err := r.latest(ctx, op)
	o.ended(from, err)
	return n, err
}

// resolved returns the scope of a generation whose digits are escaped in its name.
func (r *numberRef) resolved(n int64) (Scope, error) {
	m, prefix, err := r.of.resolve(&Scope{at: r.at.m, prefix: r.base}, []any{n})
	if err != nil {
		return Scope{at: m, err: err}, err
	}
	return Scope{at: m, prefix: prefix}, nil
}

// latest returns the number of the current generation, after it has made one if that is necessary
// or, for Renew, in any case.
func (r *numberRef) latest(ctx context.Context, op *operation[int64]) (n int64, from provenance, err error) {
	if err := r.at.ready(ctx, op.name); err != nil {
		return 0, from, err
	}
	g := r.of.generation
	if op == &opCurrent {
		c := r.reading()
		n, from, err = deliver(ctx, r.at, &c)
		if err != nil || n > 0 && n == r.seen {
			return n, from, err
		}
	}
	if n == 0 || n < r.seen {
		c := r.numbering(op, r.seen)
		n, from, err = deliver(ctx, r.at, &c)
	}
	if err != nil {
		return 0, from, err
	}
	g.newest.note(r.base, r.at.key, g.single, n)
	return n, from, nil
}

//nest:ttl keeps
func (r *numberRef) reading() command[int64] {
	return command[int64]{op: &opCurrent, cmd: r.at.b().Get().Key(r.at.key).Build(), cacheable: true}
}

//nest:ttl keeps
func (r *numberRef) numbering(op *operation[int64], seen int64) command[int64] {
	g := r.of.generation
	keys := make([]string, 1, 1+len(g.formers))
	keys[0] = r.at.key
	for i := range g.formers {
		keys = append(keys, companion(g.number.name.Translate(r.base, &g.formers[i]), generationRole))
	}
	c := command[int64]{op: op, cmd: numbering.command(r.at.b(), keys, bit(op == &opRenew), millis(seen))}
	c.keyed = func(_ context.Context, r address, answer rueidis.RedisMessage) (int64, error) {
		n, err := replyNumber(r.m, answer)
		if err == nil && n == 0 {
			err = because(ErrOverflow, "the number of the generation is the greatest that there can be: delete the key")
		}
		return n, err
	}
	return c
}

// maxNumber is the greatest number of a generation.
const maxNumber = 1<<53 - 1

// replyNumber reads a number. It returns 0 for what is none, which is the same as nothing.
func replyNumber(_ *mounted, a rueidis.RedisMessage) (int64, error) {
	if a.IsNil() {
		return 0, nil
	}
	text, err := a.ToString()
	if err != nil {
		return 0, errAnswer
	}
	n, err := strconv.ParseInt(text, 10, 64)
	if err != nil || n < 0 || n > maxNumber {
		return 0, nil //nolint:nilerr // another program has written it
	}
	return n, nil
}

// Current reports whether the key is of the current generation of the cluster that it is below, see
// [Generation]. It reports true for a key that is below no such cluster, and false if there is no
// current generation yet; it begins none. The number is read through the client's cache, as
// [ClusterDef.Current] does (GET). The error wraps [ErrNoMatch] for a name that nothing declares.
func (m Match) Current(ctx context.Context) (bool, error) {
	if m.at == nil {
		return false, &Error{Op: opCurrent.name, Err: because(ErrNoMatch, "nothing declares the name, so it is of no generation")}
	}
	place, key := m.at.presently(), m.key
	if place != m.at {
		key = m.at.name.Translate(key, &place.name)
	}
	of := place
	for of != nil && of.generation == nil {
		of = of.parent
	}
	if of == nil {
		return true, nil
	}
	g := of.generation
	r := numberRef{of: of, base: g.number.name.Begin(key)}
	r.at = address{m: g.number, key: companion(r.base, generationRole)}
	return watched(ctx, r.at, opCurrent.name, func(ctx context.Context) (bool, error) {
		if err := r.at.ready(ctx, opCurrent.name); err != nil {
			return false, err
		}
		n, err := send(ctx, r.at, r.reading())
		own, _ := m.Param(g.param)
		return err == nil && n > 0 && own == strconv.FormatInt(n, 10) && n >= g.seen(r.base), err
	})
}
