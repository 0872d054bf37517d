package nest

import (
	"context"
	"errors"
	"slices"
	"time"

	"github.com/redis/rueidis"
)

const opLoadMany = "load many"

// LoadMany is GetOrLoad of many keys: at gives the key of each id, and what is not stored is
// loaded by one call of load, which is given the ids that it shall load and answers with the
// values that there are. The results are in the order of ids, each with whether there is such a
// value; an id that comes twice is loaded once.
//
//	names, err := nest.LoadMany(ctx, ids,
//		func(id int64) nest.KeyRef[string] { return users.Name.At(root, id) },
//		db.NamesOf) // func(context.Context, []int64) (map[int64]string, error)
//
// All is as in [KeyRef.GetOrLoad], for each key by itself: what another call, here or in another
// process, is loading already is awaited and not loaded again (if that load fails, load is called
// once more, with what is left); what somebody else writes during the load is not overwritten;
// ids that load leaves out are remembered for the [NegativeTTL]. An error of load is returned as
// it is. Values are not loaded anew before they end: [RefreshBefore] and [StaleFor] wait for a
// GetOrLoad.
//
// When keys cannot be read or stored, or a value cannot be encoded, the error joins what each of
// them met. Commands: those of the reads, in one round trip a server; for what is missing, two
// scripts for each key, in one round trip each.
func LoadMany[ID comparable, V any, R Loadable[V]](ctx context.Context, ids []ID, at func(ID) R, load func(ctx context.Context, missing []ID) (map[ID]V, error)) ([]Optional[V], error) {
	if at == nil || load == nil {
		return nil, &Error{Op: opLoadMany, Err: because(ErrArgument, "the function is nil")}
	}
	start := time.Now()
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
	err := many.run(ctx, load)
	many.observe(ctx, start, err)
	if err != nil {
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
	keys   map[ID]*keyOf[V, R]
}

// keyOf is one key that LoadMany is asked for.
type keyOf[V any, R Loadable[V]] struct {
	ref   R
	lock  *loadLock
	why   loadCause
	found found[V]
	hit   bool
}

func (l *loadingMany[ID, V, R]) add(ctx context.Context, id ID, r R) error {
	ref := r.base()
	if err := ref.ready(ctx, opLoadMany); err != nil {
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

func (l *loadingMany[ID, V, R]) observe(ctx context.Context, start time.Time, err error) {
	for _, k := range l.keys {
		if len(l.tree.options.observers) > 0 {
			k.ref.base().tell(ctx, Event{Op: opLoadMany, Start: start, CacheHit: k.hit, Err: err})
		}
	}
}

func (l *loadingMany[ID, V, R]) run(ctx context.Context, load func(context.Context, []ID) (map[ID]V, error)) error {
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
			l.free(ctx, missing) // also those whose answers were lost
		}
		if err != nil {
			return err
		}
		gone, err := l.read(ctx, there, false)
		if err != nil {
			return err
		}
		gone = slices.DeleteFunc(gone, func(id ID) bool { return l.keys[id].found.ok }) // loaded, and removed since
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

// await waits until it is worth to look again: at one of the locks that others hold, if there are
// any, since all are needed.
func (l *loadingMany[ID, V, R]) await(ctx context.Context, held []ID, began time.Time) error {
	if len(held) > 0 {
		return l.keys[held[0]].lock.await(ctx, began)
	}
	return await(ctx, began)
}

// read reads keys, and gives those that do not exist.
func (l *loadingMany[ID, V, R]) read(ctx context.Context, ids []ID, mayCache bool) (missing []ID, _ error) {
	var errs []error
	for part := range slices.Chunk(ids, maxPipeline) {
		commands := make([]command[found[V]], len(part))
		for i, id := range part {
			commands[i] = l.keys[id].ref.whole()
		}
		for i, result := range l.fetch(ctx, part, commands, mayCache) {
			k := l.keys[part[i]]
			answer, err := result.ToMessage()
			now, err := finish(ctx, k.ref.base(), &commands[i], &answer, err)
			switch {
			case err != nil:
				errs = append(errs, err)
			case now.ok:
				k.found, k.hit = now, answer.IsCacheHit()
			default:
				missing = append(missing, part[i])
			}
		}
	}
	return missing, errors.Join(errs...)
}

// fetch sends reads together, those that may be cached and the others.
func (l *loadingMany[ID, V, R]) fetch(ctx context.Context, ids []ID, commands []command[found[V]], mayCache bool) []rueidis.RedisResult {
	var local []rueidis.CacheableTTL
	var remote []rueidis.Completed
	isLocal := make([]bool, len(ids))
	for i, c := range commands {
		r := l.keys[ids[i]].ref.base()
		if cached := r.m.settings.cached; mayCache && cached > 0 {
			if form, ok := r.cacheForm(c.cmd, c.fixed); ok {
				local, isLocal[i] = append(local, rueidis.CT(form, cached)), true
				continue
			}
		}
		remote = append(remote, r.m.tree.inFull(c.cmd))
	}
	var fromCache, fromServer []rueidis.RedisResult
	if len(local) > 0 {
		fromCache = l.client.DoMultiCache(ctx, local...)
	}
	if len(remote) > 0 {
		fromServer = l.client.DoMulti(ctx, remote...)
	}
	all := make([]rueidis.RedisResult, len(ids))
	for i := range all {
		from := &fromServer
		if isLocal[i] {
			from = &fromCache
		}
		all[i], *from = (*from)[0], (*from)[1:]
	}
	return all
}

// take takes the locks of missing keys: mine are those that it got, there those whose keys exist
// now, held those that somebody else loads.
func (l *loadingMany[ID, V, R]) take(ctx context.Context, missing []ID) (mine, there, held []ID, _ error) {
	var errs []error
	var blank []ID
	for part := range slices.Chunk(missing, maxPipeline) {
		cmds := make([]rueidis.Completed, len(part))
		for i, id := range part {
			k := l.keys[id]
			cmds[i] = k.lock.taking(k.why)
		}
		for i, answer := range l.client.DoMulti(ctx, cmds...) {
			id := part[i]
			switch state, err := l.keys[id].lock.took(answer); state {
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
				errs = append(errs, err)
			}
		}
	}
	// Somebody may have written what can be read before the lock was taken.
	if still, err := l.read(ctx, blank, false); err != nil {
		errs = append(errs, err)
	} else {
		mine = append(mine, still...)
		l.free(ctx, slices.DeleteFunc(blank, func(id ID) bool { return !l.keys[id].found.ok }))
	}
	return mine, there, held, errors.Join(errs...)
}

// load calls the loader for keys whose locks it has, and stores what it gives. It gives the keys
// that somebody wrote since.
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
	for part := range slices.Chunk(mine, maxPipeline) {
		cmds := make([]rueidis.Completed, len(part))
		loaded := make(map[int]found[V], len(part))
		fenced := make([]rueidis.Completed, 0, len(part))
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
						fenced = append(fenced, fence(ref))
					}
					continue
				default:
					k.found, note = found[V]{v, true}, notedEmpty
				}
			}
			cmds[i] = k.lock.freeing(note)
		}
		for i, answer := range l.store(ctx, cmds, fenced) {
			f, ok := loaded[i]
			if !ok {
				continue
			}
			k := l.keys[part[i]]
			k.found = f
			kept, err := k.lock.kept(answer.ToMessage())
			if err != nil {
				errs = append(errs, err)
			} else if !kept {
				refused = append(refused, part[i])
			}
		}
	}
	if len(errs) > 0 {
		l.free(ctx, mine)
	}
	return refused, errors.Join(errs...)
}

// store sends the ends of loads, and waits until the client's cache has forgotten what was there
// before.
func (l *loadingMany[ID, V, R]) store(ctx context.Context, cmds, fences []rueidis.Completed) []rueidis.RedisResult {
	n := len(cmds)
	if l.tree.options.broadcast {
		answers := l.client.DoMulti(ctx, cmds...)
		if len(fences) > 0 {
			l.client.DoMulti(ctx, fences...)
		}
		return answers
	}
	return l.client.DoMulti(ctx, append(cmds, fences...)...)[:n]
}

// leaseOf gives the key whose lease is the shortest.
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
	outlive(ctx, func(ctx context.Context) {
		for part := range slices.Chunk(ids, maxPipeline) {
			cmds := make([]rueidis.Completed, len(part))
			for i, id := range part {
				cmds[i] = l.keys[id].lock.freeing("")
			}
			l.client.DoMulti(ctx, cmds...)
		}
	})
}
