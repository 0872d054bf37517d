package nest

import (
	"context"
	"errors"
	"hash/maphash"
	"math/bits"
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
	unique, places := distinct(ids)
	many := &loadingMany[ID, V, R]{
		ids:   unique,
		keys:  make([]keyOf[R], len(unique)),
		found: make([]Optional[V], len(unique)),
	}
	for i, id := range unique {
		if err := many.add(ctx, i, at(id)); err != nil {
			return nil, err
		}
		if !equal(id, id) {
			return nil, many.address(i).fail(opLoadMany, because(ErrArgument, "an id does not equal itself, as NaN does not"))
		}
	}
	if err := many.observed(ctx, load); err != nil {
		return nil, err
	}
	if places == nil {
		return many.found, nil
	}
	all := make([]Optional[V], len(ids))
	for i, place := range places {
		all[i] = many.found[place]
	}
	return all, nil
}

// fewIDs is how many ids are compared with each other to find those that occur twice.
const fewIDs = 16

// distinct returns each id once, in the order in which they occur first, and for each of ids its
// place among those. If none occurs twice, it returns ids itself and no places. A hit needs nothing
// else of the ids, so that this is what LoadMany does for each: a table of numbers costs a quarter
// of a map.
func distinct[ID comparable](ids []ID) (unique []ID, places []int32) {
	var table []int32 // 1 + the place of an id, near where its hash points to; 0 is free
	var seed maphash.Seed
	if len(ids) > fewIDs {
		table, seed = make([]int32, 2<<bits.Len(uint(len(ids)))), maphash.MakeSeed()
	}
	unique = ids
	for i, id := range ids {
		place := int32(-1)
		var free *int32
		if table == nil {
			place = int32(slices.Index(unique[:min(i, len(unique))], id))
		} else {
			for at := maphash.Comparable(seed, id); ; at++ {
				free = &table[at&uint64(len(table)-1)]
				if *free == 0 {
					break
				}
				if equal(unique[*free-1], id) {
					place = *free - 1
					break
				}
			}
		}
		if place >= 0 && places == nil {
			unique, places = slices.Clone(ids[:i]), make([]int32, i, len(ids))
			for earlier := range places {
				places[earlier] = int32(earlier)
			}
		}
		if places == nil {
			if free != nil {
				*free = int32(i) + 1
			}
			continue
		}
		if place < 0 {
			unique = append(unique, id)
			place = int32(len(unique)) - 1
			if free != nil {
				*free = place + 1
			}
		}
		places = append(places, place)
	}
	return unique, places
}

func equal[ID comparable](a, b ID) bool { return a == b }

// loadingMany is a call of LoadMany. A key is known by its place, which is that of its id.
type loadingMany[ID comparable, V any, R Loadable[V]] struct {
	client rueidis.Client
	tree   *tree
	ids    []ID // each once
	keys   []keyOf[R]
	found  []Optional[V]
	down   []int // what Redis could not be asked for

	cached, moving bool // what there is among the keys
	loadsDown      bool
}

// keyOf is one of the keys of a LoadMany.
type keyOf[R any] struct {
	ref  R
	lock *loadLock
	why  loadCause
	hit  bool
	down bool // loaded without Redis, or not stored
}

// address returns the address of a key.
func (l *loadingMany[ID, V, R]) address(place int) address { return l.keys[place].ref.base() }

// idsOf returns a copy of the ids of some keys.
func (l *loadingMany[ID, V, R]) idsOf(places []int) []ID {
	ids := make([]ID, len(places))
	for i, place := range places {
		ids[i] = l.ids[place]
	}
	return ids
}

func (l *loadingMany[ID, V, R]) add(ctx context.Context, place int, r R) error {
	ref := r.base()
	if err := ref.admit(ctx, opLoadMany); err != nil {
		return err
	}
	if l.tree == nil {
		l.tree, l.client = ref.m.tree, ref.m.tree.client
	} else if l.tree != ref.m.tree && !sameClient(l.tree, ref.m.tree) {
		return ref.fail(opLoadMany, because(ErrArgument, "the keys belong to different clients"))
	}
	if !ref.m.loads.Load() {
		ref.m.loads.Store(true)
	}
	l.cached = l.cached || ref.m.settings.cached > 0
	l.moving = l.moving || ref.m.formers != nil
	l.loadsDown = l.loadsDown || ref.m.loadsDown() > 0
	l.keys[place].ref = r
	return nil
}

// observed runs the call, and tells the observers of it and of each key.
func (l *loadingMany[ID, V, R]) observed(ctx context.Context, load func(context.Context, []ID) (map[ID]V, error)) (err error) {
	if len(l.ids) == 0 || !l.tree.observed() {
		return l.run(ctx, load)
	}
	start, first := time.Now(), l.address(0)
	e := first.described(Event{Op: opLoadMany, Start: start, Batch: len(l.ids)})
	e.Key, e.Server = "", ""
	ctx, o := observing(ctx, l.tree.options.observers, e)
	defer func() {
		o.end()
		for i := range l.keys {
			k := &l.keys[i]
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
	l.down = slices.DeleteFunc(l.down, func(place int) bool {
		f := rememberedFor[V](ctx, l.keys[place].ref)
		if f.ok {
			l.found[place] = Optional[V]{f.value, true}
		}
		return f.ok
	})
	if len(l.down) == 0 {
		return nil
	}
	ref := l.address(l.down[0])
	values, err := callDown(ctx, l.leaseOf(l.down), func(ctx context.Context) (map[ID]V, error) { return load(ctx, l.idsOf(l.down)) })
	switch {
	case errors.Is(err, ErrNotFound):
		return nil
	case err != nil && ctx.Err() != nil:
		return ref.fail(opLoadMany, ctx.Err())
	case err != nil:
		return err
	}
	for _, place := range l.down {
		v, ok := values[l.ids[place]]
		l.found[place] = Optional[V]{v, ok}
	}
	return nil
}

// away notes a key that Redis could not be asked for, and reports whether it is to be loaded
// without Redis.
func (l *loadingMany[ID, V, R]) away(ctx context.Context, place int, err error) bool {
	k := &l.keys[place]
	if ctx.Err() != nil || k.ref.base().m.loadsDown() == 0 || !errors.Is(err, ErrAway) {
		return false
	}
	if !k.down {
		k.down = true
		l.down = append(l.down, place)
	}
	return true
}

// within bounds what is asked of Redis for some keys. The bound is to be given back with release.
func (l *loadingMany[ID, V, R]) within(ctx context.Context, places []int) (context.Context, *exchangeContext) {
	if !l.loadsDown {
		return ctx, nil
	}
	for _, place := range places {
		if ref := l.address(place); ref.m.loadsDown() > 0 {
			e := ref.bounded(ctx)
			return e, e
		}
	}
	return ctx, nil
}

func (l *loadingMany[ID, V, R]) runWithRedis(ctx context.Context, load func(context.Context, []ID) (map[ID]V, error)) error {
	all := make([]int, len(l.keys))
	for i := range all {
		all[i] = i
	}
	missing, err := l.read(ctx, all, true)
	if err != nil {
		return err
	}
	if len(missing) > 0 || len(l.down) > 0 {
		l.ids = slices.Clone(l.ids) // the loader may change the caller's
	}
	for _, place := range missing {
		l.keys[place].lock = newLoadLock(l.address(place))
	}
	for began := time.Now(); len(missing) > 0; {
		mine, there, held, err := l.take(ctx, missing)
		if err == nil && len(mine) > 0 {
			var refused []int
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
		gone = slices.DeleteFunc(gone, func(place int) bool { return l.found[place].Found })
		for _, place := range held {
			l.keys[place].why = loadMissing
		}
		for _, place := range gone {
			l.keys[place].why = loadBlank // or gone since
		}
		if missing = slices.Concat(held, gone); len(missing) > 0 {
			if err := l.await(ctx, held, began); err != nil {
				return l.address(missing[0]).fail(opLoadMany, err)
			}
		}
	}
	return nil
}

// await waits until it is worth checking again. If other clients hold locks, it waits at one of
// them, since all are needed.
func (l *loadingMany[ID, V, R]) await(ctx context.Context, held []int, began time.Time) error {
	if len(held) > 0 {
		return l.keys[held[0]].lock.await(ctx, began)
	}
	return await(ctx, began)
}

// sentRead is what is kept of a read that was sent: how its answer is read.
type sentRead[R any] struct {
	op    *operation[R]
	keyed replyFunc[R]
	reads bool
	fixed bool
}

// read reads keys, and returns those that do not exist.
func (l *loadingMany[ID, V, R]) read(ctx context.Context, places []int, mayCache bool) (missing []int, _ error) {
	if len(places) == 0 {
		return nil, nil
	}
	most := maxCommands
	if l.cached || l.moving {
		most = maxPipeline
	}
	var errs []error
	reads := make([]sentRead[found[V]], min(len(places), most))
	for part := range slices.Chunk(places, most) {
		commands := make([]rueidis.Completed, len(part)) // which the client may keep
		for i, place := range part {
			if l.moving {
				if ref := l.address(place); ref.m.formers != nil {
					if err := reseatAll(ctx, []address{ref}); err != nil {
						return nil, err
					}
				}
			}
			c := l.keys[place].ref.whole()
			commands[i], reads[i] = c.cmd, sentRead[found[V]]{c.op, c.keyed, c.cacheable, c.fixed}
		}
		bounded, e := l.within(ctx, part)
		for i, result := range l.fetch(bounded, part, commands, reads, mayCache) {
			place := part[i]
			k, c := &l.keys[place], &reads[i]
			ref := k.ref.base()
			answer, err := result.ToMessage()
			now, err := settle(ctx, ref, c.op, c.keyed, c.reads, &answer, err)
			if err == nil && now.ok {
				l.found[place], k.hit = Optional[V]{now.value, true}, answer.IsCacheHit()
				continue
			}
			if err != nil {
				err = ref.explain(ctx, err)
			}
			if e != nil {
				err = ref.within(e, err)
			}
			switch {
			case errors.Is(err, codec.ErrShape): // it is taken for none, as in look
				missing, k.why = append(missing, place), loadBlank
			case err != nil && l.away(ctx, place, err):
			case err != nil:
				errs = append(errs, err)
			default:
				missing = append(missing, place)
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
func (l *loadingMany[ID, V, R]) fetch(ctx context.Context, places []int, commands []rueidis.Completed, reads []sentRead[found[V]], mayCache bool) []rueidis.RedisResult {
	if !l.cached && !l.moving {
		for i, c := range commands {
			commands[i] = l.tree.inFull(c)
		}
		all, _ := l.tree.doMulti(ctx, commands, nil)
		return all
	}
	all := make([]rueidis.RedisResult, len(places))
	var memory []rueidis.CacheableTTL
	var remote []rueidis.Completed
	var reading []readingOne
	isLocal, isThere := make([]bool, len(places)), make([]bool, len(places))
	for i, c := range commands {
		r := l.address(places[i])
		_, stray := r.m.tree.strays.find(r.key)
		if cached := r.m.settings.cached; mayCache && cached > 0 && !stray && r.m.formers == nil {
			if r.m.settings.local > 0 && r.m.tree.remembers() {
				form := formOf(c.Commands())
				answer, ok := r.remembered(form, r.m.settings.local)
				if ok {
					all[i], isThere[i] = rueidis.NewResult(answer, nil), true
					continue
				}
				reading = append(reading, readingOne{i, form, r.m.tree.values.Begin(r.key)})
				remote = append(remote, r.m.tree.inFull(c))
				continue
			}
			if form, ok := r.cacheForm(c, reads[i].fixed); ok {
				memory, isLocal[i] = append(memory, rueidis.CT(form, cached)), true
				continue
			}
		}
		remote = append(remote, r.m.tree.inFull(r.moved(c)))
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
func (l *loadingMany[ID, V, R]) take(ctx context.Context, missing []int) (mine, there, held []int, _ error) {
	var errs []error
	var blank, unsure []int
	for part := range slices.Chunk(missing, maxPipeline) {
		cmds := make([]rueidis.Completed, len(part))
		for i, place := range part {
			k := &l.keys[place]
			cmds[i] = k.lock.taking(k.why)
		}
		bounded, e := l.within(ctx, part)
		answers, _ := l.tree.doMulti(bounded, cmds, nil)
		for i, answer := range answers {
			place := part[i]
			state, err := l.keys[place].lock.took(answer.ToMessage())
			if e != nil {
				err = l.address(place).within(e, err)
			}
			switch state {
			case loadTaken:
				if l.keys[place].why == loadBlank {
					blank = append(blank, place)
					continue
				}
				mine = append(mine, place)
			case loadHeld:
				held = append(held, place)
			case keyThere:
				there = append(there, place)
			case notedEmpty:
				l.found[place].Found = true
			case noted:
			default:
				if l.away(ctx, place, err) {
					unsure = append(unsure, place)
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
		l.free(ctx, slices.DeleteFunc(blank, func(place int) bool { return !l.found[place].Found }))
	}
	return mine, there, held, allErrors(errs)
}

// load calls the loader for keys whose locks it has, and stores the results. It returns the keys
// that have been written since.
func (l *loadingMany[ID, V, R]) load(ctx context.Context, mine []int, load func(context.Context, []ID) (map[ID]V, error)) (refused []int, err error) {
	lease := l.leaseOf(mine)
	o := callLoader(ctx, lease, func(ctx context.Context) (map[ID]V, error) { return load(ctx, l.idsOf(mine)) })
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
	var unkept []int
	for part := range slices.Chunk(mine, maxPipeline) {
		cmds := make([]rueidis.Completed, len(part))
		loaded := make(map[int]V, len(part))
		changed := make([]address, 0, len(part))
		for i, place := range part {
			k := &l.keys[place]
			ref, note := k.ref.base(), noted
			if v, ok := o.value[l.ids[place]]; ok {
				f, err := k.ref.fill(v)
				switch {
				case err != nil:
					errs = append(errs, ref.fail(opLoadMany, err))
					note = ""
				case len(f.args) > 0:
					cmds[i], loaded[i] = k.lock.keeping(f), v
					if ref.m.settings.cached > 0 {
						changed = append(changed, ref)
					}
					continue
				default:
					l.found[place], note = Optional[V]{v, true}, notedEmpty
				}
			}
			cmds[i] = k.lock.freeing(note)
		}
		bounded, e := l.within(ctx, part)
		answers, _ := l.tree.doMulti(bounded, cmds, changed)
		for i, answer := range answers {
			v, ok := loaded[i]
			if !ok {
				continue
			}
			k := &l.keys[part[i]]
			l.found[part[i]] = Optional[V]{v, true}
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
func (l *loadingMany[ID, V, R]) leaseOf(places []int) address {
	shortest := l.address(places[0])
	for _, place := range places[1:] {
		if r := l.address(place); r.m.settings.load.leased() < shortest.m.settings.load.leased() {
			shortest = r
		}
	}
	return shortest
}

func (l *loadingMany[ID, V, R]) free(ctx context.Context, places []int) {
	if len(places) == 0 {
		return
	}
	var held []*loadLock
	unsure, longest := false, time.Duration(0)
	for _, place := range places {
		lock := l.keys[place].lock
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
