package nest

import (
	"context"
	"errors"
	"runtime"
	"slices"
	"strconv"
	"sync"
	"time"

	"github.com/redis/rueidis"

	"github.com/redisimnest/redisimnest/nest/internal/hashslot"
)

// sealedValue is one value on its way through a sweep.
type sealedValue struct {
	m       *mounted
	key     string
	field   string        // of a hash
	secrets *secretFields // of that hash; nil if the key is a string
	size    int64         // in bytes; negative until it is known
	stored  string
	// sealed is what to write, or "" if the value is already current. err says why there is nothing
	// to write.
	sealed string
	err    error
	// moved says that the key's slot has left the server. The sweep then goes through the slot
	// again.
	moved bool
}

const (
	// sweepChunk is how many values travel together. Several chunks are on their way at the same
	// time, so that the server works on some while others are sealed.
	sweepChunk = 250
	// maxSweepBytes is how many bytes a chunk reads at once. It is limited because whoever writes
	// to Redis decides how long values are.
	maxSweepBytes = 8 << 20
)

// page looks at the keys that one step of the scan found.
func (s *sweep) page(ctx context.Context, seen []sighting) error {
	var values []sealedValue
	var listed []listing
	for _, found := range seen {
		m, name := found.m, found.name
		if _, ok := m.bound.(sealed); ok {
			values = append(values, sealedValue{m: m, key: name, size: -1})
		}
		switch secrets := secretsOf(m); {
		case secrets == nil:
		case secrets.names == nil:
			listed = append(listed, listing{m: m, key: name, secrets: secrets, cursor: "0"})
		default:
			for _, field := range secrets.names {
				values = append(values, sealedValue{m: m, key: name, field: field, secrets: secrets, size: -1})
			}
		}
	}
	if err := s.values(ctx, values); err != nil {
		return err
	}
	for len(listed) > 0 {
		part := listed[:min(len(listed), sweepChunk)]
		values, more, err := s.list(ctx, part)
		if err == nil {
			err = s.values(ctx, values)
		}
		if err != nil {
			return err
		}
		listed = append(more, listed[len(part):]...)
	}
	return nil
}

// listing is a hash whose fields are all secret. Some of the fields are still to be listed.
type listing struct {
	m       *mounted
	key     string
	secrets *secretFields
	cursor  string
}

// listFields returns a cursor, and the names of some fields with the lengths of their values. The
// values themselves stay on the server.
var listFields = newScript(`local page = redis.call('HSCAN', KEYS[1], ARGV[1], 'COUNT', ARGV[2])
local reply = {page[1]}
for i = 1, #page[2], 2 do
	reply[i + 1] = page[2][i]
	reply[i + 2] = #page[2][i + 1]
end
return reply`)

// list lists some fields of each hash, and returns the hashes that have more.
func (s *sweep) list(ctx context.Context, hashes []listing) (values []sealedValue, more []listing, err error) {
	client := s.at.client
	cmds := make([]rueidis.Completed, len(hashes))
	for i, h := range hashes {
		cmds[i] = listFields.inFull(client.B(), []string{h.key}, h.cursor, strconv.Itoa(sweepChunk))
	}
	for i, a := range client.DoMulti(ctx, cmds...) {
		h := hashes[i]
		failed := sealedValue{m: h.m, key: h.key, secrets: h.secrets}
		page, err := a.ToArray()
		if s.leaves(&failed, err) {
			continue
		}
		if err := failed.stops(err); err != nil {
			return nil, nil, err
		}
		if failed.err != nil {
			s.merge([]sealedValue{failed})
			continue
		}
		if len(page)%2 == 0 {
			return nil, nil, errAnswer
		}
		for j := 1; j < len(page); j += 2 {
			field, err1 := page[j].ToString()
			size, err2 := page[j+1].AsInt64()
			if err1 != nil || err2 != nil {
				return nil, nil, errAnswer
			}
			values = append(values, sealedValue{m: h.m, key: h.key, field: field, secrets: h.secrets, size: size})
		}
		if h.cursor, err = page[0].ToString(); err != nil {
			return nil, nil, errAnswer
		}
		if h.cursor != "0" {
			more = append(more, h)
		}
	}
	return values, more, nil
}

// values processes values in chunks.
func (s *sweep) values(ctx context.Context, values []sealedValue) error {
	if s.options.rate > 0 {
		for chunk := range slices.Chunk(values, min(sweepChunk, s.options.rate/10+1)) {
			if err := s.chunk(ctx, chunk); err != nil {
				return err
			}
			if err := s.pace(ctx); err != nil {
				return err
			}
		}
		return nil
	}
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	chunks := make(chan []sealedValue)
	var workers sync.WaitGroup
	for range min(runtime.GOMAXPROCS(0)+1, len(values)/sweepChunk+1) {
		workers.Go(func() {
			for chunk := range chunks {
				if err := s.chunk(ctx, chunk); err != nil {
					cancel(err)
				}
			}
		})
	}
	for chunk := range slices.Chunk(values, sweepChunk) {
		if ctx.Err() != nil {
			break
		}
		chunks <- chunk
	}
	close(chunks)
	workers.Wait()
	return context.Cause(ctx)
}

// pace waits until the number of values looked at is within the rate.
func (s *sweep) pace(ctx context.Context) error {
	due := time.Duration(float64(s.looked) / float64(s.options.rate) * float64(time.Second))
	return sleep(ctx, due-time.Since(s.start))
}

// chunk processes some values. It first asks for their lengths, so that long ones are read one by
// one.
func (s *sweep) chunk(ctx context.Context, values []sealedValue) error {
	if values[0].size < 0 {
		answers := s.send(ctx, values, func(b rueidis.Builder, v *sealedValue) rueidis.Completed {
			if v.secrets != nil {
				return b.Hstrlen().Key(v.key).Field(v.field).Build()
			}
			return b.Strlen().Key(v.key).Build()
		})
		for i, a := range answers {
			v := &values[i]
			n, err := answeredInt(a.ToMessage())
			if s.leaves(v, err) {
				continue
			}
			if err := v.stops(err); err != nil {
				return err
			}
			v.size = n
			if v.secrets == nil && v.m.def.kind == KindPassword && n > maxStoredHash {
				v.err = errLongHash(n)
			}
		}
	}
	for len(values) > 0 {
		n, bytes := 1, values[0].size
		for n < len(values) && bytes+values[n].size <= maxSweepBytes {
			bytes += values[n].size
			n++
		}
		if err := s.reseal(ctx, values[:n]); err != nil {
			return err
		}
		values = values[n:]
	}
	return nil
}

// leaves reports whether a value cannot be reached because its slot is leaving the server. The walk
// then goes through the slot again.
func (s *sweep) leaves(v *sealedValue, err error) bool {
	if whyUnexecuted(err) == slotMoves {
		v.moved = true
		s.spoil(v.key)
	}
	return v.moved
}

// stops returns the error if it ends the whole pass. An error that a key has another type than
// declared concerns that key only, and is noted there. Every other error concerns all keys.
func (v *sealedValue) stops(err error) error {
	if err == nil || rueidis.IsRedisNil(err) {
		return nil
	}
	if _, answered := rueidis.IsRedisErr(err); answered {
		if err = exchangeError(err); errors.Is(err, ErrWrongType) {
			v.err = err
			return nil
		}
	}
	return err
}

// reseal reads values, seals them again and writes them back.
func (s *sweep) reseal(ctx context.Context, values []sealedValue) error {
	read := make([]sealedValue, 0, len(values))
	done := make([]sealedValue, 0, len(values))
	for _, v := range values {
		switch {
		case v.moved:
		case v.err != nil:
			done = append(done, v)
		default:
			read = append(read, v)
		}
	}
	answers := s.send(ctx, read, func(b rueidis.Builder, v *sealedValue) rueidis.Completed {
		if v.secrets != nil {
			return b.Hget().Key(v.key).Field(v.field).Build()
		}
		return b.Get().Key(v.key).Build()
	})
	due := read[:0]
	for i, a := range answers {
		v := read[i]
		stored, err := a.ToString()
		if rueidis.IsRedisNil(err) || s.leaves(&v, err) {
			continue // it is gone since the scan saw it, or its slot is leaving
		}
		if err := v.stops(err); err != nil {
			return err
		}
		v.stored = stored
		v.reseal()
		if v.err == nil && v.sealed != "" && !s.options.dryRun {
			due = append(due, v)
		} else {
			done = append(done, v)
		}
	}
	written, err := s.write(ctx, due)
	if err != nil {
		return err
	}
	s.merge(append(done, written...))
	return nil
}

func (v *sealedValue) reseal() {
	var at sealed = v.secrets
	if v.secrets == nil {
		at = v.m.bound.(sealed)
	}
	if v.err != nil || at.current(v.stored) {
		return
	}
	var plaintext string
	if plaintext, v.err = at.open(v.key, v.field, v.stored); v.err == nil {
		v.sealed, v.err = at.seal(v.key, v.field, plaintext)
	}
}

// errMeanwhile marks a value that another client has written since it was read.
var errMeanwhile = errors.New("written meanwhile")

// write writes values back where they still hold what was read.
func (s *sweep) write(ctx context.Context, values []sealedValue) ([]sealedValue, error) {
	answers := s.send(ctx, values, func(b rueidis.Builder, v *sealedValue) rueidis.Completed {
		if v.secrets != nil {
			return replacingFields.inFull(b, []string{v.key}, v.field, v.stored, v.sealed)
		}
		return replacing.inFull(b, []string{v.key}, v.stored, v.sealed)
	})
	kept := values[:0]
	for i, a := range answers {
		v := values[i]
		done, err := answeredInt(a.ToMessage())
		if s.leaves(&v, err) {
			continue
		}
		if err := v.stops(err); err != nil {
			return nil, err
		}
		if v.err != nil || done == 0 {
			v.err = errMeanwhile
		}
		kept = append(kept, v)
	}
	return kept, nil
}

// merge counts values that are finished. Chunks call it concurrently.
func (s *sweep) merge(values []sealedValue) {
	s.counting.Lock()
	defer s.counting.Unlock()
	for i := range values {
		v := &values[i]
		s.looked++
		id, _ := s.scope.at.tree.options.sealer.KeyID(bytesOf(v.stored))
		var slot uint16
		if s.last.clustered {
			slot = hashslot.Of(v.key)
		}
		s.tally.count(&s.report, slot, v, id)
	}
}

// send sends one command for each value to the very server that is being walked through. The tree's
// client could ask a replica, which may lag behind.
func (s *sweep) send(ctx context.Context, values []sealedValue, command func(b rueidis.Builder, v *sealedValue) rueidis.Completed) []rueidis.RedisResult {
	if len(values) == 0 {
		return nil
	}
	client := s.at.client
	cmds := make([]rueidis.Completed, len(values))
	for i := range values {
		cmds[i] = command(client.B(), &values[i])
	}
	return client.DoMulti(ctx, cmds...)
}
