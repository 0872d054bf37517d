package nest

import (
	"context"
	"errors"
	"slices"
	"time"

	"github.com/redis/rueidis"

	"github.com/redisimnest/redisimnest/codec"
	"github.com/redisimnest/redisimnest/nest/internal/local"
)

const opLoadMany = "load many"

// LoadMany is GetOrLoad for many keys. at returns the key of each id. One call of load loads what
// is not stored: it takes the missing ids and returns the values that exist. The results are in the
// order of ids, each with whether there is such a value. An id that occurs twice is loaded once.
//
//	names, err := nest.LoadMany(ctx, ids,
//		func(id int64) nest.KeyRef[string] { return users.Name.At(root, id) },
//		db.NamesOf) // func(context.Context, []int64) (map[int64]string, error)
//
// Each key by itself is treated as in [KeyRef.GetOrLoad]. What another call, here or in another
// process, is already loading is awaited and not loaded again; if that load fails, load is called
// once more, with what is left. What others write during the load is not overwritten. Ids that load
// leaves out are remembered for the [NegativeTTL]. An error of load is returned as it is, but for
// one that wraps [ErrNotFound]: it stands for a map without values, and LoadMany does not return
// it. Values are not refreshed before they expire: [RefreshBefore] and [StaleFor] take effect only
// in GetOrLoad.
//
// V is what GetOrLoad of the keys returns, such as []string for a [List] of strings. If the
// compiler says that R does not satisfy Loadable[V], either the keys have no GetOrLoad, or load
// returns values of another type than theirs.
//
// When keys cannot be read or stored, or a value cannot be encoded, the error joins those of all
// keys. Commands: those of the reads, in one round trip a server; for what is missing, two scripts
// for each key, in one round trip each.
func LoadMany[ID comparable, V any, R Loadable[V]](ctx context.Context, ids []ID, at func(ID) R, load func(ctx context.Context, missing []ID) (map[ID]V, error)) ([]Optional[V], error) {
	if at == nil || load == nil {
		return nil, &Error{Op: opLoadMany, Err: because(ErrArgument, "the function is nil")}
	}
	many := &loadingMany[ID, V, R]{keys: make(map[ID]*keyOf[V, R], len(ids))}
	for _, id := range ids {
		if many.keys[id] != nil {
			continue
		}
		r := at(id)
		if err := many.add(ctx, id, r); err != nil {
			return nil, err
		}
		if many.keys[id] == nil {
			return nil, r.base().fail(opLoadMany, because(ErrArgument, "an id does not equal itself, as NaN does not"))
		}
	}
	if err := many.observed(ctx, load); err != nil {
		return nil, err
	}
	all := make([]Optional[V], len(ids))
	for i, id := range ids {
		f := many.keys[id].found
		all[i] = Optional[V]{f.value, f.ok}
	}
	return all, nil
}

// loadingMany is a call of LoadMany.
type loadingMany[ID comparable, V any, R Loadable[V]] struct {
	client rueidis.Client
	tree   *tree
	ids    []ID // each once
	down   []ID // what Redis could not be asked for
	keys   map[ID]*keyOf[V, R]
}

// keyOf is one of the keys of a LoadMany.
type keyOf[V any, R Loadable[V]] struct {
	ref   R
	lock  *loadLock
	why   loadCause
	found found[V]
	hit   bool
	down  bool // loaded without Redis, or not stored
}

func (l *loadingMany[ID, V, R]) add(ctx context.Context, id ID, r R) error {
	ref := r.base()
	if err := ref.admit(ctx, opLoadMany); err != nil {
		return err
	}
	if l.tree == nil {
		l.tree, l.client = ref.m.tree, ref.m.tree.client
	} else if !sameClient(l.tree, ref.m.tree) {
		return ref.fail(opLoadMany, because(ErrArgument, "the keys belong to different clients"))
	}
	if !ref.m.loads.Load() {
		ref.m.loads.Store(true)
	}
	l.ids = append(l.ids, id)
	l.keys[id] = &keyOf[V, R]{ref: r}
	return nil
}

// observed runs the call, and tells the observers of it and of each key.
func (l *loadingMany[ID, V, R]) observed(ctx context.Context, load func(context.Context, []ID) (map[ID]V, error)) (err error) {
	if len(l.ids) == 0 || !l.tree.observed() {
		return l.run(ctx, load)
	}
	start, first := time.Now(), l.keys[l.ids[0]].ref.base()
	e := first.described(Event{Op: opLoadMany, Start: start, Batch: len(l.ids)})
	e.Key, e.Server = "", ""
	ctx, o := observing(ctx, l.tree.options.observers, e)
	defer func() {
		o.end()
		for _, id := range l.ids {
			k := l.keys[id]
			e := k.ref.base().described(Event{Op: opLoadMany, Start: start, Duration: o.event.Duration, CacheHit: k.hit, Err: o.event.Err})
			e.Degraded = k.down && e.Err == nil
			o.tell(e)
		}
	}()
	err = l.run(ctx, load)
	o.event.Err = err
	return err
}

func (l *loadingMany[ID, V, R]) run(ctx context.Context, load func(context.Context, []ID) (map[ID]V, error)) error {
	if err := l.runWithRedis(ctx, load); err != nil || len(l.down) == 0 {
		return err
	}
	l.down = slices.DeleteFunc(l.down, func(id ID) bool {
		k := l.keys[id]
		f := rememberedFor[V](ctx, k.ref)
		if f.ok {
			k.found = f
		}
		return f.ok
	})
	if len(l.down) == 0 {
		return nil
	}
	ref := l.keys[l.down[0]].ref.base()
	values, err := callDown(ctx, l.leaseOf(l.down), func(ctx context.Context) (map[ID]V, error) { return load(ctx, slices.Clone(l.down)) })
	switch {
	case errors.Is(err, ErrNotFound):
		return nil
	case err != nil && ctx.Err() != nil:
		return ref.fail(opLoadMany, ctx.Err())
	case err != nil:
		return err
	}
	for _, id := range l.down {
		v, ok := values[id]
		l.keys[id].found = found[V]{v, ok}
	}
	return nil
}

// away notes a key that Redis could not be asked for, and reports whether it is to be loaded
// without Redis.
func (l *loadingMany[ID, V, R]) away(ctx context.Context, id ID, err error) bool {
	k := l.keys[id]
	if ctx.Err() != nil || k.ref.base().m.loadsDown() == 0 || !errors.Is(err, ErrAway) {
		return false
	}
	if !k.down {
		k.down = true
		l.down = append(l.down, id)
	}
	return true
}

// within bounds what is asked of Redis for some keys. The bound is to be given back with release.
func (l *loadingMany[ID, V, R]) within(ctx context.Context, ids []ID) (context.Context, *exchangeContext) {
	for _, id := range ids {
		if ref := l.keys[id].ref.base(); ref.m.loadsDown() > 0 {
			e := ref.bounded(ctx)
			return e, e
		}
	}
	return ctx, nil
}

func (l *loadingMany[ID, V, R]) runWithRedis(ctx context.Context, load func(context.Context, []ID) (map[ID]V, error)) error {
	missing, err := l.read(ctx, l.ids, true)
	if err != nil {
		return err
	}
	for _, id := range missing {
		l.keys[id].lock = newLoadLock(l.keys[id].ref.base())
	}
	for began := time.Now(); len(missing) > 0; {
		mine, there, held, err := l.take(ctx, missing)
		if err == nil && len(mine) > 0 {
			var refused []ID
			if refused, err = l.load(ctx, mine, load); err == nil {
				there = append(there, refused...)
			}
		} else if err != nil {
			l.free(ctx, missing) // including those whose replies were lost
		}
		if err != nil {
			return err
		}
		gone, err := l.read(ctx, there, false)
		if err != nil {
			return err
		}
		// Keys that were loaded and have been deleted since.
		gone = slices.DeleteFunc(gone, func(id ID) bool { return l.keys[id].found.ok })
		for _, id := range held {
			l.keys[id].why = loadMissing
		}
		for _, id := range gone {
			l.keys[id].why = loadBlank // or gone since
		}
		if missing = slices.Concat(held, gone); len(missing) > 0 {
			if err := l.await(ctx, held, began); err != nil {
				return l.keys[missing[0]].ref.base().fail(opLoadMany, err)
			}
		}
	}
	return nil
}

// await waits until it is worth checking again. If other clients hold locks, it waits at one of
// them, since all are needed.
func (l *loadingMany[ID, V, R]) await(ctx context.Context, held []ID, began time.Time) error {
	if len(held) > 0 {
		return l.keys[held[0]].lock.await(ctx, began)
	}
	return await(ctx, began)
}

// read reads keys, and returns those that do not exist.
func (l *loadingMany[ID, V, R]) read(ctx context.Context, ids []ID, mayCache bool) (missing []ID, _ error) {
	var errs []error
	for part := range slices.Chunk(ids, maxPipeline) {
		commands := make([]command[found[V]], len(part))
		for i, id := range part {
			r := l.keys[id].ref
			commands[i] = r.whole()
			if ref := r.base(); ref.m.formers != nil {
				if err := reseatAll(ctx, []address{ref}); err != nil {
					return nil, err
				}
			}
		}
		bounded, e := l.within(ctx, part)
		for i, result := range l.fetch(bounded, part, commands, mayCache) {
			k := l.keys[part[i]]
			answer, err := result.ToMessage()
			now, err := finish(ctx, k.ref.base(), &commands[i], &answer, err)
			if e != nil {
				err = k.ref.base().within(e, err)
			}
			switch {
			case errors.Is(err, codec.ErrShape): // it is taken for none, as in look
				missing, k.why = append(missing, part[i]), loadBlank
			case err != nil && l.away(ctx, part[i], err):
			case err != nil:
				errs = append(errs, err)
			case now.ok:
				k.found, k.hit = now, answer.IsCacheHit()
			default:
				missing = append(missing, part[i])
			}
		}
		if e != nil {
			e.release()
		}
	}
	return missing, allErrors(errs)
}

// readingOne is one of several reads that are sent together, whose answer is remembered.
type readingOne struct {
	at   int
	form string
	local.Reading[rueidis.RedisMessage]
}

// fetch sends reads together, both those that may be cached and the others.
func (l *loadingMany[ID, V, R]) fetch(ctx context.Context, ids []ID, commands []command[found[V]], mayCache bool) []rueidis.RedisResult {
	all := make([]rueidis.RedisResult, len(ids))
	var memory []rueidis.CacheableTTL
	var remote []rueidis.Completed
	var reading []readingOne
	isLocal, isThere := make([]bool, len(ids)), make([]bool, len(ids))
	for i, c := range commands {
		r := l.keys[ids[i]].ref.base()
		_, stray := r.m.tree.strays.find(r.key)
		if cached := r.m.settings.cached; mayCache && cached > 0 && !stray && r.m.formers == nil {
			if r.m.settings.local > 0 && r.m.tree.remembers() {
				form := formOf(c.cmd.Commands())
				answer, ok := r.remembered(form, r.m.settings.local)
				if ok {
					all[i], isThere[i] = rueidis.NewResult(answer, nil), true
					continue
				}
				reading = append(reading, readingOne{i, form, r.m.tree.values.Begin(r.key)})
				remote = append(remote, r.m.tree.inFull(c.cmd))
				continue
			}
			if form, ok := r.cacheForm(c.cmd, c.fixed); ok {
				memory, isLocal[i] = append(memory, rueidis.CT(form, cached)), true
				continue
			}
		}
		remote = append(remote, r.m.tree.inFull(r.moved(c.cmd)))
	}
	var fromCache, fromServer []rueidis.RedisResult
	if len(memory) > 0 {
		fromCache = l.client.DoMultiCache(ctx, memory...)
	}
	if len(remote) > 0 {
		fromServer, _ = l.tree.doMulti(ctx, remote, nil)
	}
	for i := range all {
		if isThere[i] {
			continue
		}
		from := &fromServer
		if isLocal[i] {
			from = &fromCache
		}
		all[i], *from = (*from)[0], (*from)[1:]
		if isLocal[i] && all[i].Error() == nil && !all[i].IsCacheHit() {
			answer, err := all[i].ToMessage()
			l.tree.doubtTracking(ctx, &answer, err)
		}
	}
	for _, one := range reading {
		answer, err := all[one.at].ToMessage()
		keepAnswer(one.Reading, one.form, &answer, err)
	}
	return all
}

// take takes the locks of missing keys: mine are those that it got, there those whose keys exist
// now, held those that other clients load.
func (l *loadingMany[ID, V, R]) take(ctx context.Context, missing []ID) (mine, there, held []ID, _ error) {
	var errs []error
	var blank, unsure []ID
	for part := range slices.Chunk(missing, maxPipeline) {
		cmds := make([]rueidis.Completed, len(part))
		for i, id := range part {
			k := l.keys[id]
			cmds[i] = k.lock.taking(k.why)
		}
		bounded, e := l.within(ctx, part)
		answers, _ := l.tree.doMulti(bounded, cmds, nil)
		for i, answer := range answers {
			id := part[i]
			state, err := l.keys[id].lock.took(answer.ToMessage())
			if e != nil {
				err = l.keys[id].ref.base().within(e, err)
			}
			switch state {
			case loadTaken:
				if l.keys[id].why == loadBlank {
					blank = append(blank, id)
					continue
				}
				mine = append(mine, id)
			case loadHeld:
				held = append(held, id)
			case keyThere:
				there = append(there, id)
			case notedEmpty:
				l.keys[id].found.ok = true
			case noted:
			default:
				if l.away(ctx, id, err) {
					unsure = append(unsure, id)
					continue
				}
				errs = append(errs, err)
			}
		}
		if e != nil {
			e.release()
		}
	}
	l.free(ctx, unsure) // they may have been taken, and the replies lost
	// A readable value may have been written before the lock was taken.
	if still, err := l.read(ctx, blank, false); err != nil {
		errs = append(errs, err)
	} else {
		mine = append(mine, still...)
		l.free(ctx, slices.DeleteFunc(blank, func(id ID) bool { return !l.keys[id].found.ok }))
	}
	return mine, there, held, allErrors(errs)
}

// load calls the loader for keys whose locks it has, and stores the results. It returns the keys
// that have been written since.
func (l *loadingMany[ID, V, R]) load(ctx context.Context, mine []ID, load func(context.Context, []ID) (map[ID]V, error)) (refused []ID, err error) {
	lease := l.leaseOf(mine)
	o := callLoader(ctx, lease, func(ctx context.Context) (map[ID]V, error) { return load(ctx, slices.Clone(mine)) })
	if !o.returned {
		l.free(ctx, mine)
		o.again()
	}
	if errors.Is(o.err, ErrNotFound) {
		o.value, o.err = nil, nil
	}
	if o.err != nil {
		l.free(ctx, mine)
		return nil, o.err
	}
	var errs []error
	var unkept []ID
	for part := range slices.Chunk(mine, maxPipeline) {
		cmds := make([]rueidis.Completed, len(part))
		loaded := make(map[int]found[V], len(part))
		changed := make([]address, 0, len(part))
		for i, id := range part {
			k := l.keys[id]
			ref, note := k.ref.base(), noted
			if v, ok := o.value[id]; ok {
				f, err := k.ref.fill(v)
				switch {
				case err != nil:
					errs = append(errs, ref.fail(opLoadMany, err))
					note = ""
				case len(f.args) > 0:
					cmds[i], loaded[i] = k.lock.keeping(f), found[V]{v, true}
					if ref.m.settings.cached > 0 {
						changed = append(changed, ref)
					}
					continue
				default:
					k.found, note = found[V]{v, true}, notedEmpty
				}
			}
			cmds[i] = k.lock.freeing(note)
		}
		bounded, e := l.within(ctx, part)
		answers, _ := l.tree.doMulti(bounded, cmds, changed)
		for i, answer := range answers {
			f, ok := loaded[i]
			if !ok {
				continue
			}
			k := l.keys[part[i]]
			k.found = f
			kept, err := k.lock.kept(answer.ToMessage())
			if e != nil {
				err = k.ref.base().within(e, err)
			}
			switch {
			case err != nil && k.ref.base().m.loadsDown() > 0 && errors.Is(err, ErrAway) && ctx.Err() == nil:
				k.down = true // loaded, and not stored
				unkept = append(unkept, part[i])
			case err != nil:
				errs = append(errs, err)
			case !kept:
				refused = append(refused, part[i])
			}
		}
		if e != nil {
			e.release()
		}
	}
	if len(errs) > 0 {
		l.free(ctx, mine)
	} else {
		l.free(ctx, unkept)
	}
	return refused, allErrors(errs)
}

// leaseOf returns the key whose lease is the shortest.
func (l *loadingMany[ID, V, R]) leaseOf(ids []ID) address {
	shortest := l.keys[ids[0]].ref.base()
	for _, id := range ids[1:] {
		if r := l.keys[id].ref.base(); r.m.settings.load.leased() < shortest.m.settings.load.leased() {
			shortest = r
		}
	}
	return shortest
}

func (l *loadingMany[ID, V, R]) free(ctx context.Context, ids []ID) {
	if len(ids) == 0 {
		return
	}
	var held []*loadLock
	unsure, longest := false, time.Duration(0)
	for _, id := range ids {
		lock := l.keys[id].lock
		if lock.idle {
			continue
		}
		held = append(held, lock)
		unsure, longest = unsure || lock.unsure, max(longest, lock.ref.m.settings.load.leased())
	}
	if len(held) == 0 {
		return
	}
	l.tree.giveUp(ctx, longest, unsure, func(ctx context.Context) (bool, error) {
		var left []*loadLock
		var failed error
		for part := range slices.Chunk(held, maxPipeline) {
			cmds := make([]rueidis.Completed, len(part))
			for i, lock := range part {
				cmds[i] = lock.freeing("")
			}
			answers, _ := l.tree.doMulti(ctx, cmds, nil)
			for i, answer := range answers {
				n, err := answer.AsInt64()
				if err != nil {
					failed = err
				}
				if err != nil || n == 0 {
					left = append(left, part[i])
				}
			}
		}
		held = left
		return len(held) == 0, failed
	})
}
