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
)

// sealedValue is one value on its way through a sweep.
type sealedValue struct {
	m       *mounted
	key     string
	field   string        // of a hash
	secrets *secretFields // of that hash; nil when the key is a string
	size    int64         // in bytes; negative when it is still to be asked
	stored  string
	// sealed is what to write, "" when the value is current already; err why there is nothing.
	sealed string
	err    error
}

const (
	// sweepChunk is how many values travel together. Some chunks are on their way at the same
	// time, so that the server works while others are sealed.
	sweepChunk = 250
	// maxSweepBytes is how much a chunk reads at once: whoever writes Redis decides how long
	// values are.
	maxSweepBytes = 8 << 20
)

// page looks at the keys that one step of the scan found.
func (s *sweep) page(ctx context.Context, names []string) error {
	var values []sealedValue
	var listed []listing
	for _, name := range names {
		m := s.scope.at.tree.index.find(name)
		if m == nil || !s.scope.at.holds(m) {
			continue
		}
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

// listing is a hash whose fields are all secret, some of which are still to be listed.
type listing struct {
	m       *mounted
	key     string
	secrets *secretFields
	cursor  string
}

// listFields gives a cursor, and the names of some fields with the length of their values, which
// stay where they are.
var listFields = newScript(`local page = redis.call('HSCAN', KEYS[1], ARGV[1], 'COUNT', ARGV[2])
local reply = {page[1]}
for i = 1, #page[2], 2 do
	reply[i + 1] = page[2][i]
	reply[i + 2] = #page[2][i + 1]
end
return reply`)

// list lists some fields of each hash, and gives the hashes that have more.
func (s *sweep) list(ctx context.Context, hashes []listing) (values []sealedValue, more []listing, err error) {
	client := s.scope.at.tree.client
	cmds := make([]rueidis.Completed, len(hashes))
	for i, h := range hashes {
		cmds[i] = listFields.inFull(client.B(), []string{h.key}, h.cursor, strconv.Itoa(sweepChunk))
	}
	for i, a := range client.DoMulti(ctx, cmds...) {
		h := hashes[i]
		failed := sealedValue{m: h.m, key: h.key, secrets: h.secrets}
		page, err := a.ToArray()
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

// values looks at values, in chunks.
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

// pace waits until no more was scanned than the rate allows.
func (s *sweep) pace(ctx context.Context) error {
	due := time.Duration(float64(s.report.Scanned) / float64(s.options.rate) * float64(time.Second))
	return sleep(ctx, due-time.Since(s.start))
}

// chunk looks at some values. It asks first how long they are, so that long ones come one by one.
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

// stops tells whether the pass ends with an error. That a key is of another type than declared is
// the key's own, everything else concerns all.
func (v *sealedValue) stops(err error) error {
	if err == nil || rueidis.IsRedisNil(err) {
		return nil
	}
	if _, answered := rueidis.IsRedisErr(err); answered {
		if err = serverError(err); errors.Is(err, ErrWrongType) {
			v.err = err
			return nil
		}
	}
	return err
}

// reseal reads values, seals them anew and writes them back.
func (s *sweep) reseal(ctx context.Context, values []sealedValue) error {
	read := make([]sealedValue, 0, len(values))
	done := make([]sealedValue, 0, len(values))
	for _, v := range values {
		if v.err != nil {
			done = append(done, v)
		} else {
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
		if rueidis.IsRedisNil(err) {
			continue // it has gone since the scan saw it
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

// errMeanwhile marks a value that somebody else has written since it was read.
var errMeanwhile = errors.New("written meanwhile")

// write writes values back where they still hold what was read.
func (s *sweep) write(ctx context.Context, values []sealedValue) ([]sealedValue, error) {
	answers := s.send(ctx, values, func(b rueidis.Builder, v *sealedValue) rueidis.Completed {
		if v.secrets != nil {
			return replacingFields.inFull(b, []string{v.key}, v.field, v.stored, v.sealed)
		}
		return replacing.inFull(b, []string{v.key}, v.stored, v.sealed)
	})
	for i, a := range answers {
		v := &values[i]
		done, err := answeredInt(a.ToMessage())
		if err := v.stops(err); err != nil {
			return nil, err
		}
		if v.err != nil || done == 0 {
			v.err = errMeanwhile
		}
	}
	return values, nil
}

// merge counts values that are done with. Chunks do so at the same time.
func (s *sweep) merge(values []sealedValue) {
	s.counting.Lock()
	defer s.counting.Unlock()
	for i := range values {
		v := &values[i]
		s.report.Scanned++
		id, _ := s.scope.at.tree.options.sealer.KeyID(bytesOf(v.stored))
		s.report.sealedBy(id)
		switch {
		case v.err == errMeanwhile: //nolint:errorlint // it is set above, and not wrapped
			s.report.Conflicts++
		case v.err != nil:
			s.report.failed(v)
		case v.sealed == "":
			s.report.Current++
		default:
			s.report.Resealed++
		}
	}
}

// send sends one command for each value.
func (s *sweep) send(ctx context.Context, values []sealedValue, command func(b rueidis.Builder, v *sealedValue) rueidis.Completed) []rueidis.RedisResult {
	if len(values) == 0 {
		return nil
	}
	client := s.scope.at.tree.client
	cmds := make([]rueidis.Completed, len(values))
	for i := range values {
		cmds[i] = command(client.B(), &values[i])
	}
	return client.DoMulti(ctx, cmds...)
}
