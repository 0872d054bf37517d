package nest

import (
	"reflect"

	"github.com/redis/rueidis"
)

var (
	opRename = operation[bool]{"rename", replyTransfer}
	opCopy   = operation[bool]{"copy", replyTransfer}
)

// transferring renames or copies a key and, where the target is declared with a TTL and
// arrives without one, starts it in the same step. It answers -1 when there is no source.
var transferring = newScript(`if redis.call('EXISTS', KEYS[1]) == 0 then return -1 end
local done
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
if done == 1 and ARGV[3] ~= '0' and redis.call('PTTL', KEYS[2]) == -1 then
	redis.call('PEXPIRE', KEYS[2], ARGV[3])
end
return done`)

func replyTransfer(m *mounted, a rueidis.RedisMessage) (bool, error) {
	n, err := replyInt(m, a)
	if err == nil && n < 0 {
		return false, ErrNotFound
	}
	return n == 1, err
}

// transfer renames or copies r to to, two references of the same kind.
//
//nest:ttl carries
func (r address) transfer(op *operation[bool], to address, opts []WriteOption) command[bool] {
	if err := r.reaches(to); err != nil {
		return refuse(op, err)
	}
	if r.secretive() || to.secretive() {
		return refuse(op, errSecretMove)
	}
	replace := "0"
	if replaces(opts) {
		replace = "1"
	}
	return command[bool]{
		op: op, cmd: transferring.command(r.b(), []string{r.key, to.key}, op.name, replace, millis(to.m.ttl())),
		uses: []use{{r, changes}, {to, overwrites}},
	}
}

// reaches tells why nothing can go from r to the other key in one step.
func (r address) reaches(to address) error {
	switch {
	case to.wrong() != nil:
		return to.wrong()
	case !sameClient(to.m.tree, r.m.tree):
		return because(ErrArgument, "the target belongs to another client")
	case to.key == r.key:
		return because(ErrArgument, "the target is the key itself")
	case r.m.tree.client.Mode() == rueidis.ClientModeCluster && keySlot(r.key) != keySlot(to.key):
		return because(ErrCrossSlot, "a HashTag on a cluster above both keys puts them into one")
	}
	return nil
}

// sameClient tells whether two trees are opened on one client. Only a client that can be
// compared can be told to be the same.
func sameClient(a, b *tree) bool {
	return a == b || reflect.TypeOf(a.client) == reflect.TypeOf(b.client) &&
		reflect.TypeOf(a.client).Comparable() && a.client == b.client
}
