package nest

import (
	"reflect"

	"github.com/redis/rueidis"
)

var (
	opRename = operation[bool]{"rename", replyTransfer}
	opCopy   = operation[bool]{"copy", replyTransfer}
)

// transferring renames or copies a key. If the target is declared with a TTL and arrives without
// one, the script starts it in the same step. It answers -1 when there is no source.
var transferring = newScript(starts + `if redis.call('EXISTS', KEYS[1]) == 0 then return -1 end
local done
local start, denied = starts(KEYS[1], ARGV[3])
if start then denied = denied or lacks('PEXPIRE', KEYS[2], ARGV[3]) end
if denied then return denied end
if ARGV[1] == 'rename' then
	if ARGV[2] == '1' then
		redis.call('RENAME', KEYS[1], KEYS[2])
		done = 1
	else
		done = redis.call('RENAMENX', KEYS[1], KEYS[2])
	end
elseif ARGV[2] == '1' then
	done = redis.call('COPY', KEYS[1], KEYS[2], 'REPLACE')
else
	done = redis.call('COPY', KEYS[1], KEYS[2])
end
if done == 1 and start then redis.call('PEXPIRE', KEYS[2], ARGV[3]) end
return done`)

func replyTransfer(m *mounted, a rueidis.RedisMessage) (bool, error) {
	n, err := replyInt(m, a)
	if err == nil && n < 0 {
		return false, ErrNotFound
	}
	return n == 1, err
}

// transfer renames or copies the key of r to that of to, a reference of the same kind.
//
//nest:ttl carries
func (r address) transfer(op *operation[bool], to address, opts []WriteOption) command[bool] {
	if err := r.reaches(to); err != nil {
		return refuse(op, err)
	}
	if r.secretive() || to.secretive() {
		return refuse(op, errSecretMove)
	}
	replace, err := replaces(opts)
	if err != nil {
		return refuse(op, err)
	}
	return command[bool]{
		op: op, cmd: transferring.command(r.b(), []string{r.key, to.key}, op.name, bit(replace), millis(to.m.ttl())),
		uses: []use{{r, changes}, {to, overwrites}},
	}
}

// reaches returns the reason why nothing can go from r to the other key in one step, or nil.
func (r address) reaches(to address) error {
	switch {
	case to.wrong() != nil:
		return to.wrong()
	case !sameClient(to.m.tree, r.m.tree):
		return because(ErrArgument, "the target belongs to another client")
	case to.key == r.key:
		return because(ErrArgument, "the target is the key itself")
	case r.m.present != nil && r.m.present.formers.bare == to.m:
		return nil // it is the key's present name, which Open has checked
	case r.m.tree.slot(r.key) != r.m.tree.slot(to.key):
		return errSlots
	}
	return nil
}

// sameClient reports whether two trees were opened on one client. Clients of a type that cannot be
// compared count as different.
func sameClient(a, b *tree) bool {
	if a == b {
		return true
	}
	one, other := unguarded(a.client), unguarded(b.client)
	return reflect.TypeOf(one) == reflect.TypeOf(other) && reflect.TypeOf(one).Comparable() && one == other
}

// WriteOption is an option of Restore, Rename and Copy.
type WriteOption interface {
	applyWrite(o *writeOptions) error
}

type writeOptions struct{ replace bool }

type writeOption func(o *writeOptions)

func (f writeOption) applyWrite(o *writeOptions) error {
	f(o)
	return nil
}

// Replace lets Restore, Rename and Copy overwrite the key that they write to.
func Replace() WriteOption { return writeOption(func(o *writeOptions) { o.replace = true }) }

// replaces reports whether the options contain [Replace].
func replaces(opts []WriteOption) (bool, error) {
	var o writeOptions
	err := eachOption(opts, func(opt WriteOption) error { return opt.applyWrite(&o) })
	return o.replace, err
}
