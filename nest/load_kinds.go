package nest

import (
	"context"

	"github.com/redis/rueidis"
)

// GetOrLoad returns the stored value. When the key does not exist, it calls load, stores the result
// with the declared TTL, and returns it. The default is not used. A hit is one GET, served from the
// client's memory if the key is [Cached].
//
// All callers that miss the key at the same time share one load, in this process and in all others.
// The caller that loads holds a lock beside the key. The others wait, check from time to time
// whether the lock is gone, and read what was stored. load runs with the context of the caller that
// loads, which also ends with the lease ([LoadLease], 10 s by default). When that context ends
// GetOrLoad returns, whether load heeds it or not, and one of the others loads.
//
// An error of load is returned as it is, also to the callers of this process that waited, and
// nothing is stored. For [ErrNotFound], [NegativeTTL] says what is remembered. When load panics,
// the panic goes to the caller that loads, and the others get an error. In each case the lock is
// released at once. A load that calls GetOrLoad for the same key waits for itself.
//
// What others wrote during the load is not overwritten: GetOrLoad returns it. The server checks
// this in one step with the write. The lock must still belong to this load: any write or Delete of
// this process takes it away, as does one of another process if the key is declared with
// [ReadThrough]. And the key must be as it was. Not noticed are a write by other means that was
// undone again, and a DEL, by other means, of a key that does not exist. Nor can a [Scope.Clear]
// end the load of a key that it does not find.
//
// While Redis is away ([ErrAway]), load is called without it and nothing is stored, see
// [LoadWhenDown].
//
// [ReadThrough] declares early refresh, stale values and negative caching (GET, or GETEX with
// AutoRenew, and EVAL, Redis 7.0). Two scripts run when nothing was found: one takes the lock and
// the other stores.
func (r KeyRef[T]) GetOrLoad(ctx context.Context, load func(context.Context) (T, error)) (T, error) {
	return getOrLoad(ctx, r, load)
}

func (r KeyRef[T]) whole() command[found[T]] { return r.lookup() }
func (r KeyRef[T]) shares() bool             { return r.value().shareable }
func (r KeyRef[T]) fill(v T) (filling, error) {
	text, err := r.encode(v)
	return filling{"SET", []string{text}}, err
}

// GetOrLoad returns the stored secret, or loads and seals it, as [KeyRef.GetOrLoad] does (GET, or
// GETEX with AutoRenew, and EVAL, Redis 7.0). Use it for a token that another service issues. A
// value that cannot be opened is [ErrOpen], and is not loaded again.
func (r SecretRef[T]) GetOrLoad(ctx context.Context, load func(context.Context) (T, error)) (T, error) {
	return getOrLoad(ctx, r, load)
}

func (r SecretRef[T]) whole() command[found[T]] { return r.lookup() }
func (r SecretRef[T]) shares() bool             { return r.secret().shareable }
func (r SecretRef[T]) fill(v T) (filling, error) {
	text, err := r.encode(v)
	return filling{"SET", []string{text}}, err
}

// GetOrLoad returns the stored number or loads it, as [KeyRef.GetOrLoad] does (GET, or GETEX with
// AutoRenew, and EVAL, Redis 7.0). What is added to the counter during the load is not overwritten,
// and lacks the number that would have been loaded. A counter that is loaded is best only read.
func (r CounterRef[N]) GetOrLoad(ctx context.Context, load func(context.Context) (N, error)) (N, error) {
	return getOrLoad(ctx, r, load)
}

func (r CounterRef[N]) whole() command[found[N]] { return r.lookup() }
func (r CounterRef[N]) shares() bool             { return true }
func (r CounterRef[N]) fill(n N) (filling, error) {
	c := r.counter()
	return filling{"SET", []string{c.text(n)}}, c.check(n)
}

// GetOrLoad returns the whole stored record or loads it, as [KeyRef.GetOrLoad] does (HMGET and
// EVAL, Redis 7.0). A hash that holds none of the record's fields is replaced by what load returns.
func (r RecordRef[S]) GetOrLoad(ctx context.Context, load func(context.Context) (S, error)) (S, error) {
	return getOrLoad(ctx, r, load)
}

func (r RecordRef[S]) whole() command[found[S]] { return r.lookup() }
func (r RecordRef[S]) shares() bool             { return false }
func (r RecordRef[S]) fill(s S) (filling, error) {
	pairs, _, err := r.fieldsOf(&s, nil)
	return filling{"HSET", pairs}, err
}

// GetOrLoad returns the whole hash or loads it, as [KeyRef.GetOrLoad] does (HGETALL and EVAL, Redis
// 7.0). A load that returns no fields stores nothing.
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

// GetOrLoad returns the whole list, from the left, or loads it, as [KeyRef.GetOrLoad] does (LRANGE
// and EVAL, Redis 7.0). A load that returns no elements stores nothing.
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

// GetOrLoad returns all members or loads them, as [KeyRef.GetOrLoad] does (SMEMBERS and EVAL, Redis
// 7.0). A load that returns no members stores nothing.
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

// GetOrLoad returns all members with their scores or loads them, as [KeyRef.GetOrLoad] does (ZRANGE
// and EVAL, Redis 7.0). A load that returns no members stores nothing.
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

// GetOrLoad returns all members and their positions or loads them, as [KeyRef.GetOrLoad] does
// (ZRANGE and EVAL, Redis 7.0). A load that returns no members stores nothing.
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

// GetOrLoad returns all bits or loads them, as [KeyRef.GetOrLoad] does (GET, or GETEX with
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
