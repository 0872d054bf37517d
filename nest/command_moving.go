package nest

import (
	"context"
	"errors"
	"slices"
	"strconv"
	"strings"
	"sync/atomic"
	"time"

	"github.com/redis/rueidis"
)

// A command on a key that may still stand under a former name, see [Was], is sent in a script that
// moves the key first. So no other program can move the key between the two. The script takes the
// command itself, or the script that the operation consists of. In both cases the last keys are
// groups, each a key and its former names, and the last argument holds the sizes of the groups.

const (
	// movingNames moves the keys that exist only under a former name.
	movingNames = eachMissing + `redis.call('RENAME', KEYS[i], KEYS[at])
			break` + eachMissingEnd
	// refusingNames refuses to go on if there is such a key. A sealed value has to be opened and
	// sealed again, which the server cannot do.
	refusingNames = eachMissing + `return redis.error_reply('ERR ` + underFormer + `')` + eachMissingEnd

	eachMissing = `local sizes, base = table.remove(ARGV), #KEYS
for size in string.gmatch(sizes, '%d+') do base = base - size end
local at = base + 1
for size in string.gmatch(sizes, '%d+') do
	local after = at + size
	for i = at + 1, after - 1 do
		if redis.call('EXISTS', KEYS[at]) == 1 then break end
		if redis.call('EXISTS', KEYS[i]) == 1 then
			`
	eachMissingEnd = `
		end
	end
	at = after
end
for _ = base + 1, #KEYS do table.remove(KEYS) end
`
	// theCommand runs a plain command.
	theCommand = `return redis.call(unpack(ARGV))`
	// displacing runs a plain command that writes the key (KEYS[1]) as a whole, and removes the key
	// under its former names.
	displacing = `local reply = redis.call(unpack(ARGV))
redis.call('UNLINK', unpack(KEYS, 2))
return reply`
)

// The scripts for plain commands, which are named by their hashes.
var (
	movingOne   = newScript(movingNames + theCommand)
	refusingOne = newScript(refusingNames + theCommand)
)

// mostMoving is the maximum number of arguments of a command that is sent in a script.
const mostMoving = 7000

var errManyMoving = because(ErrArgument, "a key that is declared with Was takes at most "+strconv.Itoa(mostMoving)+" arguments at once")

// movers returns those of a command's keys that may stand under a former name.
func (r address) movers(uses []use) []address {
	var all []address
	if uses == nil && r.m.formers != nil {
		return []address{r}
	}
	for _, u := range uses {
		if u.m.formers != nil && !slices.ContainsFunc(all, func(a address) bool { return a.key == u.key }) {
			all = append(all, u.address)
		}
	}
	return all
}

// sealedOnes reports whether some of the keys hold sealed values.
func sealedOnes(all []address) bool {
	return slices.ContainsFunc(all, func(r address) bool { return r.m.holdsSealed() })
}

// holdsSealed reports whether values of the key are sealed for its name.
func (m *mounted) holdsSealed() bool {
	_, ok := m.bound.(sealed)
	return ok || secretsOf(m) != nil
}

// together returns a command that first moves keys which stand under a former name.
//
//nest:ttl keeps
func (r address) together(words []string, movers []address) (rueidis.Completed, error) {
	movers, _ = apart(movers)
	if len(movers) == 1 && writesWhole(words) {
		keys := append([]string{r.key}, r.m.olds(r.key)...)
		return r.b().Arbitrary("EVAL", displacing, strconv.Itoa(len(keys))).Keys(keys...).Args(words...).Build(), nil
	}
	text, keys, args := theCommand, []string(nil), words
	if script, own, rest, ok := asScript(words); ok {
		text, keys, args = script, own, rest
	} else if len(args) > mostMoving {
		return rueidis.Completed{}, errManyMoving
	}
	keys = slices.Clip(keys)
	var sizes []string
	for _, m := range movers {
		group := append([]string{m.key}, m.m.olds(m.key)...)
		keys, sizes = append(keys, group...), append(sizes, strconv.Itoa(len(group)))
	}
	first, one := movingNames, movingOne
	if sealedOnes(movers) {
		first, one = refusingNames, refusingOne
	}
	args = slices.Concat(args, []string{strings.Join(sizes, " ")})
	if text == theCommand {
		return one.command(r.b(), keys, args...), nil
	}
	return r.b().Arbitrary("EVAL", first+text, strconv.Itoa(len(keys))).Keys(keys...).
		Args(args...).Build(), nil
}

// asScript returns the parts of a command that runs a script: its text, keys and arguments.
func asScript(words []string) (text string, keys, args []string, ok bool) {
	switch {
	case named(words):
		text = scripts[words[1]]
	case len(words) > 2 && words[0] == "EVAL":
		text = words[1]
	default:
		return "", nil, nil, false
	}
	n, err := strconv.Atoi(words[2])
	if err != nil || n < 0 || n > len(words)-3 {
		return "", nil, nil, false
	}
	return text, words[3 : 3+n], words[3+n:], true
}

// writesWhole reports whether a command replaces its key whatever it holds.
func writesWhole(words []string) bool {
	if words[0] != "SET" || len(words) < 3 {
		return false
	}
	for _, option := range words[3:] {
		switch option {
		case "NX", "XX", "GET", "KEEPTTL", "IFEQ":
			return false
		}
	}
	return true
}

// readsFirst are reads whose answer shows whether their key may be missing. They ask for the
// present name first, so that a key that was moved costs no more than any other.
var readsFirst = map[string]bool{
	"GET": true, "GETEX": true, "GETRANGE": true, "STRLEN": true, "GETBIT": true, "BITCOUNT": true,
	"HGET": true, "HMGET": true, "HGETALL": true, "HLEN": true, "HKEYS": true, "HVALS": true, "HEXISTS": true, "HSTRLEN": true,
	"LRANGE": true, "LLEN": true, "LINDEX": true, "SMEMBERS": true, "SCARD": true, "SISMEMBER": true, "SMISMEMBER": true,
	"ZRANGE": true, "ZSCORE": true, "ZMSCORE": true, "ZCARD": true, "ZCOUNT": true, "ZRANK": true, "ZREVRANK": true,
	"XLEN": true, "XRANGE": true, "XREVRANGE": true, "GEOPOS": true,
}

// maybeMissing reports whether an answer could be that of a key that does not exist.
func maybeMissing(a rueidis.RedisMessage, err error) bool {
	switch {
	case rueidis.IsRedisNil(err) || a.IsNil():
		return true
	case err != nil:
		return false
	case a.IsInt64():
		n, err := a.AsInt64()
		return err == nil && n <= 0
	case a.IsString():
		text, err := a.ToString()
		return err == nil && text == ""
	case a.IsArray():
		all, err := a.ToArray()
		return err == nil && !slices.ContainsFunc(all, func(a rueidis.RedisMessage) bool { return !maybeMissing(a, nil) })
	case a.IsMap():
		all, err := a.ToMap()
		return err == nil && len(all) == 0
	}
	return false
}

// relocation is a command on keys that may stand under former names.
type relocation struct {
	cmd    rueidis.Completed
	movers []address
	before []rueidis.Completed // ends loads
	// changed are the keys that the client may have in its cache: what the command changes, and
	// what is moved.
	changed []address
}

// mover sends a command if its keys may stand under former names, and reports whether it did.
type mover func(ctx context.Context, r address, c shipment) (answer rueidis.RedisMessage, done bool, err error)

// theMover is moveAndSend once there is a Was. What it reaches is a fifteenth of what this package
// adds to a small program, and only programs that declare a Was have it.
var theMover atomic.Pointer[mover]

// linkMoving sets theMover. Nothing but Was may call it.
func linkMoving() {
	m := mover(moveAndSend)
	theMover.CompareAndSwap(nil, &m)
}

func moveAndSend(ctx context.Context, r address, c shipment) (answer rueidis.RedisMessage, done bool, err error) {
	if c.asksFirst() {
		answer, err = r.readMoving(ctx, c)
		return answer, true, err
	}
	if mv, ok := c.moves(r); ok {
		answer, err = r.exchangeMoving(ctx, mv)
		return answer, true, err
	}
	return answer, false, nil
}

// mayMove reports whether keys of the command may stand under former names. It costs next to
// nothing.
func (c *shipment) mayMove(r address) bool { return r.m.formers != nil || c.uses != nil }

// moves returns what is needed to move the keys of a command, and whether any may need it.
func (c *shipment) moves(r address) (relocation, bool) {
	movers := r.movers(c.uses)
	if len(movers) == 0 {
		return relocation{}, false
	}
	var changed []address
	if c.writesCached(r) {
		changed = cachedAmong(r, c.uses)
	}
	for _, m := range movers {
		if m.m.settings.cached > 0 && !slices.ContainsFunc(changed, func(a address) bool { return a.key == m.key }) {
			changed = append(changed, m)
		}
	}
	return relocation{cmd: c.cmd, movers: movers, before: c.endLoads(r), changed: changed}, true
}

// asksFirst reports whether the command is a read that asks for the present name first.
func (c *shipment) asksFirst() bool {
	return c.cacheable && c.uses == nil && readsFirst[c.cmd.Commands()[0]]
}

// readMoving is exchange for a read that asks for the present name first. A key that was moved
// costs a copy of the words more than another one, and that is on the stack.
func (r address) readMoving(ctx context.Context, c shipment) (rueidis.RedisMessage, error) {
	var room [4]string
	words, marks := append(room[:0], c.cmd.Commands()...), marksOf(c.cmd)
	answer, err := r.bare().fetchAnswer(ctx, c.cmd, c.fixed, true)
	if !maybeMissing(answer, err) {
		return answer, err
	}
	if provesMissing[words[0]] && !r.m.formers.far {
		if nowhere, unclear := r.nowhere(ctx); unclear == nil && nowhere {
			return answer, err
		}
	}
	mv, _ := c.moves(r)
	return r.sendMoving(ctx, mv, slices.Clone(words), marks)
}

// exchangeMoving is exchange for a command on keys that may stand under former names.
func (r address) exchangeMoving(ctx context.Context, mv relocation) (rueidis.RedisMessage, error) {
	words, marks := slices.Clone(mv.cmd.Commands()), marksOf(mv.cmd)
	if marks.waits || strings.HasPrefix(words[0], "FCALL") {
		// A script cannot wait, and does not call functions.
		if err := r.moveAll(ctx, mv.movers); err != nil {
			return rueidis.RedisMessage{}, err
		}
		return r.m.tree.do(ctx, mv.cmd)
	}
	return r.sendMoving(ctx, mv, words, marks)
}

// sendMoving sends a command, with these words, together with what moves its keys.
func (r address) sendMoving(ctx context.Context, mv relocation, words []string, marks marks) (rueidis.RedisMessage, error) {
	near, far := apart(mv.movers)
	if far != nil && mv.before != nil {
		if err := endFarLoads(ctx, far); err != nil {
			return rueidis.RedisMessage{}, err
		}
	}
	return r.untilMoved(ctx, mv.movers, func() (rueidis.RedisMessage, error) {
		cmd, err := marks.rebuilt(r.b(), words), error(nil)
		if near != nil {
			cmd, err = r.together(words, near)
		}
		switch {
		case err != nil:
			return rueidis.RedisMessage{}, err
		case near == nil && len(mv.movers) == 1 && writesWhole(words):
			return r.displace(ctx, mv, cmd)
		case mv.changed != nil || mv.before != nil:
			return r.sendWrite(ctx, mv.before, cmd, mv.changed)
		}
		return r.m.tree.do(ctx, cmd)
	})
}

// provesMissing are those of the reads whose empty answer is that of a missing key and of no other.
var provesMissing = map[string]bool{
	"GET": true, "GETEX": true, "HGETALL": true, "HLEN": true, "HKEYS": true, "HVALS": true,
	"LLEN": true, "SMEMBERS": true, "SCARD": true, "ZCARD": true,
}

// nowhere reports whether the key stands under none of its names. One command asks for all of them,
// so no other program can move the key in between. It costs less than the script that moves.
//
//nest:ttl keeps
func (r address) nowhere(ctx context.Context) (bool, error) {
	keys := append([]string{r.key}, r.m.olds(r.key)...)
	n, err := answeredInt(r.m.tree.do(ctx, r.b().Exists().Key(keys...).Build()))
	return n == 0, err
}

// untilMoved sends something until it is not refused because a sealed key stands under a former
// name. Such a key is moved here, and so are, before anything is sent, keys that have to be
// carried.
func (r address) untilMoved(ctx context.Context, movers []address, send func() (rueidis.RedisMessage, error)) (rueidis.RedisMessage, error) {
	if _, far := apart(movers); far != nil {
		if err := carryAll(ctx, far); err != nil {
			return rueidis.RedisMessage{}, err
		}
	}
	for c := (contest{}); ; {
		answer, err := send()
		if !standsUnderFormer(err) {
			return answer, err
		}
		if err := reseatAll(ctx, movers); err != nil {
			return rueidis.RedisMessage{}, err
		}
		if err := c.pause(ctx, ErrConflict); err != nil {
			return rueidis.RedisMessage{}, err
		}
	}
}

func standsUnderFormer(err error) bool {
	refused, ok := rueidis.IsRedisErr(err)
	return ok && strings.Contains(refused.Error(), underFormer)
}

// moved returns a command of the key in the form that moves the key first.
func (r address) moved(cmd rueidis.Completed) rueidis.Completed {
	if r.m.formers == nil || r.m.formers.far {
		return cmd
	}
	if moved, err := r.together(cmd.Commands(), []address{r}); err == nil {
		return moved
	}
	return cmd
}

// bare returns the key without its former names.
func (r address) bare() address { return address{m: r.m.formers.bare, key: r.key} }

// onlyMove moves a key and does nothing else.
func (r address) onlyMove() rueidis.Completed {
	cmd, _ := r.together([]string{"EXISTS", r.key}, []address{r})
	return cmd
}

// moveAll moves the keys that stand under a former name.
func (r address) moveAll(ctx context.Context, movers []address) error {
	near, far := apart(movers)
	if err := carryAll(ctx, far); err != nil {
		return err
	}
	for _, m := range near {
		_, err := m.untilMoved(ctx, []address{m}, func() (rueidis.RedisMessage, error) {
			if m.m.settings.cached > 0 {
				return m.sendWrite(ctx, nil, m.onlyMove(), []address{m})
			}
			return m.m.tree.do(ctx, m.onlyMove())
		})
		if err != nil {
			return err
		}
	}
	return nil
}

// reseatAll moves from former names what no script can move: sealed values, and keys that have to
// be carried.
func reseatAll(ctx context.Context, movers []address) error {
	near, far := apart(movers)
	if err := carryAll(ctx, far); err != nil {
		return err
	}
	for _, r := range near {
		if !r.m.holdsSealed() {
			continue
		}
		for i, old := range r.m.olds(r.key) {
			if _, err := r.reseat(ctx, address{m: r.m.formers.list[i], key: old}); err != nil {
				return err
			}
		}
	}
	return nil
}

// reseat moves a sealed value from a former name, and reports whether there was one that could be
// moved.
func (r address) reseat(ctx context.Context, old address) (done bool, err error) {
	to := r.bare()
	if secrets := secretsOf(r.m); secrets != nil {
		done, err = secrets.move(ctx, old, to)
	} else {
		done, err = old.moveUntilDone(ctx, &opMoved, "1", to, nil)
	}
	if errors.Is(err, ErrNotFound) {
		return false, nil
	}
	return done, err
}

// movingSlice is how long a blocking command waits at most before it looks again for what stands
// under a former name.
const movingSlice = time.Second

// move sends an item of a batch so that it moves its keys first.
func (i *item) move(mv relocation) {
	if i.more == nil {
		i.more = &extras{}
	}
	i.more.movers, i.fenced = mv.movers, mv.changed != nil
	near, _ := apart(mv.movers)
	if near == nil {
		return
	}
	cmd, err := i.ref.together(i.cmd.Commands(), near)
	if err != nil {
		i.more.unsent = i.ref.fail(i.op(), err)
		return
	}
	i.cmd = i.ref.m.tree.inFull(cmd)
}

// reseatItems moves what the operations of a batch need and no script can move.
func reseatItems(ctx context.Context, items []item) error {
	for i := range items {
		if more := items[i].more; more != nil && more.movers != nil {
			if _, far := apart(more.movers); far != nil && more.before != nil {
				if err := endFarLoads(ctx, far); err != nil {
					return err
				}
			}
			if err := reseatAll(ctx, more.movers); err != nil {
				return err
			}
		}
	}
	return nil
}

// watches yields the keys of an item, under their former names too.
func (i *item) watches(yield func(string) bool) {
	for key := range i.keys {
		if !yield(key) {
			return
		}
	}
	if i.more == nil {
		return
	}
	near, _ := apart(i.more.movers)
	for _, m := range near {
		for _, old := range m.m.olds(m.key) {
			if !yield(old) {
				return
			}
		}
	}
}
