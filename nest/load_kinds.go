package nest

import (
	"context"

	"github.com/redis/rueidis"
)

// GetOrLoad gives the stored value or, when the key does not exist, what load makes, which it
// stores with the declared TTL. The default is not used. A hit is one GET, served from the
// client's memory where the key is [Cached].
//
// All who miss the key at the same time share one load, in this process and in all others: who
// loads holds a lock beside the key, and the others wait, look now and then whether it is gone,
// and read what was stored. The first one's load runs with its context, which also ends with the
// lease ([LoadLease], 10 s by default). When that context is over GetOrLoad returns, whether load
// heeds it or not, and one of the others loads.
//
// An error of load is returned as it is, to those of this process who waited as well, and
// nothing is stored; what to remember of [ErrNotFound], [NegativeTTL] says. When load panics,
// the panic goes to the caller whose load it was, and the others get an error. In each case the
// lock is free at once. A load that calls GetOrLoad for the same key waits for itself.
//
// What somebody else wrote during the load is not overwritten: it is what GetOrLoad gives.
// Whether somebody did is decided on the server, in one step with the write: the lock must still
// be this load's, which no write or Delete of this process leaves it (nor of another one, if the
// key is declared with [ReadThrough]), and the key must be as it was. What cannot be seen is a
// write by other means that was undone again, and a DEL, by other means, of a key that does not
// exist; neither can a [Scope.Clear] end the load of a key that it does not find.
//
// [ReadThrough] declares early refresh, stale values and negative caching (GET, or GETEX with
// AutoRenew, and EVAL, Redis 7.0). Of the scripts, which run when nothing was found, one takes the
// lock and one stores.
func (r KeyRef[T]) GetOrLoad(ctx context.Context, load func(context.Context) (T, error)) (T, error) {
	return getOrLoad(ctx, r, load)
}

func (r KeyRef[T]) whole() command[found[T]] { return r.lookup() }
func (r KeyRef[T]) shares() bool             { return r.value().shareable }
func (r KeyRef[T]) fill(v T) (filling, error) {
	text, err := r.encode(v)
	return filling{"SET", []string{text}}, err
}

// GetOrLoad gives the stored secret or loads and seals it, as [KeyRef.GetOrLoad] does (GET, or GETEX
// with AutoRenew, and EVAL, Redis 7.0): for a token that somebody else issues. A value that does not
// open is [ErrOpen], and is not loaded anew.
func (r SecretRef[T]) GetOrLoad(ctx context.Context, load func(context.Context) (T, error)) (T, error) {
	return getOrLoad(ctx, r, load)
}

func (r SecretRef[T]) whole() command[found[T]] { return r.lookup() }
func (r SecretRef[T]) shares() bool             { return r.secret().shareable }
func (r SecretRef[T]) fill(v T) (filling, error) {
	text, err := r.encode(v)
	return filling{"SET", []string{text}}, err
}

// GetOrLoad gives the stored number or loads it, as [KeyRef.GetOrLoad] does (GET, or GETEX with
// AutoRenew, and EVAL, Redis 7.0). What is added to the counter while it is being loaded is not overwritten, and lacks
// what would have been loaded: a counter that is loaded is best only read.
func (r CounterRef[N]) GetOrLoad(ctx context.Context, load func(context.Context) (N, error)) (N, error) {
	return getOrLoad(ctx, r, load)
}

func (r CounterRef[N]) whole() command[found[N]] { return r.lookup() }
func (r CounterRef[N]) shares() bool             { return true }
func (r CounterRef[N]) fill(n N) (filling, error) {
	c := r.counter()
	return filling{"SET", []string{c.text(n)}}, c.check(n)
}

// GetOrLoad gives the whole stored record or loads it, as [KeyRef.GetOrLoad] does (HMGET
// and EVAL, Redis 7.0). A hash
// that holds none of the record's fields is replaced by what load gives.
func (r RecordRef[S]) GetOrLoad(ctx context.Context, load func(context.Context) (S, error)) (S, error) {
	return getOrLoad(ctx, r, load)
}

func (r RecordRef[S]) whole() command[found[S]] { return r.lookup() }
func (r RecordRef[S]) shares() bool             { return false }
func (r RecordRef[S]) fill(s S) (filling, error) {
	pairs, _, err := r.fieldsOf(&s, nil)
	return filling{"HSET", pairs}, err
}

// GetOrLoad gives the whole hash or loads it, as [KeyRef.GetOrLoad] does (HGETALL
// and EVAL, Redis 7.0). A load that
// gives no fields stores nothing.
func (r HashRef[V]) GetOrLoad(ctx context.Context, load func(context.Context) (map[string]V, error)) (map[string]V, error) {
	return getOrLoad(ctx, r, load)
}

func (r HashRef[V]) whole() command[found[map[string]V]] {
	h := r.hash()
	c := command[found[map[string]V]]{op: &h.loaded, cmd: r.at.read("HGETALL"), cacheable: true}
	if h.secrets != nil {
		c.keyed = unsealed(h, readLoaded[V])
	}
	return c
}

func (r HashRef[V]) shares() bool { return false }

func (r HashRef[V]) fill(fields map[string]V) (filling, error) {
	pairs := make([]string, 0, 2*len(fields))
	for name, v := range fields {
		text, err := r.encode(name, v)
		if err != nil {
			return filling{}, atField(name, err)
		}
		pairs = append(pairs, name, text)
	}
	return filling{"HSET", pairs}, nil
}

// readLoaded reads all fields, without the default.
func readLoaded[V any](m *mounted, a rueidis.RedisMessage, decode fieldDecoder[V]) (found[map[string]V], error) {
	vs, err := readFields(m, a, decode)
	return found[map[string]V]{vs, err == nil && len(vs) > 0}, err
}

// GetOrLoad gives the whole list, from the left, or loads it, as [KeyRef.GetOrLoad] does (LRANGE
// and EVAL, Redis 7.0).
// A load that gives no elements stores nothing.
func (r ListRef[T]) GetOrLoad(ctx context.Context, load func(context.Context) ([]T, error)) ([]T, error) {
	return getOrLoad(ctx, r, load)
}

func (r ListRef[T]) whole() command[found[[]T]] {
	return command[found[[]T]]{op: &r.list().loaded, cmd: r.at.read("LRANGE", "0", "-1"), cacheable: true, fixed: true}
}

func (r ListRef[T]) shares() bool { return false }

func (r ListRef[T]) fill(vs []T) (filling, error) {
	texts, err := r.list().encodeAll(r.at.m, nil, vs)
	return filling{"RPUSH", texts}, err
}

// GetOrLoad gives all members or loads them, as [KeyRef.GetOrLoad] does (SMEMBERS
// and EVAL, Redis 7.0). A load that
// gives no members stores nothing.
func (r SetRef[T]) GetOrLoad(ctx context.Context, load func(context.Context) ([]T, error)) ([]T, error) {
	return getOrLoad(ctx, r, load)
}

func (r SetRef[T]) whole() command[found[[]T]] {
	return command[found[[]T]]{op: &r.bound().loaded, cmd: r.at.read("SMEMBERS"), cacheable: true}
}

func (r SetRef[T]) shares() bool { return false }

func (r SetRef[T]) fill(vs []T) (filling, error) {
	texts, err := r.bound().encodeAll(r.at.m, nil, vs)
	return filling{"SADD", texts}, err
}

// GetOrLoad gives all members with their scores or loads them, as [KeyRef.GetOrLoad] does (ZRANGE
// and EVAL, Redis 7.0).
// A load that gives no members stores nothing.
func (r SortedSetRef[T]) GetOrLoad(ctx context.Context, load func(context.Context) ([]Scored[T], error)) ([]Scored[T], error) {
	return getOrLoad(ctx, r, load)
}

func (r SortedSetRef[T]) whole() command[found[[]Scored[T]]] {
	return command[found[[]Scored[T]]]{op: &r.zset().loaded, cmd: r.at.read("ZRANGE", "0", "-1", "WITHSCORES"), cacheable: true, fixed: true}
}

func (r SortedSetRef[T]) shares() bool { return false }

func (r SortedSetRef[T]) fill(members []Scored[T]) (filling, error) {
	_, texts, err := r.addition(members, nil)
	return filling{"ZADD", texts}, err
}

// GetOrLoad gives all members and where they are or loads them, as [KeyRef.GetOrLoad] does
// (ZRANGE and EVAL, Redis 7.0). A load that gives no members stores nothing.
func (r GeoRef[T]) GetOrLoad(ctx context.Context, load func(context.Context) ([]Place[T], error)) ([]Place[T], error) {
	return getOrLoad(ctx, r, load)
}

func (r GeoRef[T]) whole() command[found[[]Place[T]]] {
	return command[found[[]Place[T]]]{op: &r.geo().loaded, cmd: r.at.read("ZRANGE", "0", "-1", "WITHSCORES"), cacheable: true, fixed: true}
}

func (r GeoRef[T]) shares() bool { return false }

func (r GeoRef[T]) fill(places []Place[T]) (filling, error) {
	_, texts, err := r.addition(places, nil)
	return filling{"GEOADD", texts}, err
}

// GetOrLoad gives all bits or loads them, as [KeyRef.GetOrLoad] does (GET, or GETEX with
// AutoRenew, and EVAL, Redis 7.0).
func (r BitmapRef) GetOrLoad(ctx context.Context, load func(context.Context) ([]byte, error)) ([]byte, error) {
	return getOrLoad(ctx, r, load)
}

func (r BitmapRef) whole() command[found[[]byte]] {
	return command[found[[]byte]]{op: &opLoadedBits, cmd: r.at.fetch(), cacheable: true}
}

func (r BitmapRef) shares() bool { return false }

func (r BitmapRef) fill(bits []byte) (filling, error) { //nolint:unparam // as its interface has it
	return filling{"SET", []string{string(bits)}}, nil
}

var opLoadedBits = operation[found[[]byte]]{opLoad, func(_ *mounted, a rueidis.RedisMessage) (found[[]byte], error) {
	if a.IsNil() {
		return found[[]byte]{}, nil
	}
	bits, err := a.ToString()
	if err != nil {
		return found[[]byte]{}, errAnswer
	}
	return found[[]byte]{[]byte(bits), true}, nil
}}

// nonEmpty makes the operation that reads a whole collection, whose default is not used: without
// elements it does not exist.
func nonEmpty[V any](reply func(*mounted, rueidis.RedisMessage) (V, error), size func(V) int) operation[found[V]] {
	return operation[found[V]]{opLoad, func(m *mounted, a rueidis.RedisMessage) (found[V], error) {
		v, err := reply(m, a)
		return found[V]{v, err == nil && size(v) > 0}, err
	}}
}

func sizeOf[T any](vs []T) int { return len(vs) }
