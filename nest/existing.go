package nest

import (
	"github.com/redis/rueidis"
)

// IfExistsOption is the result of [IfExists]: a [FieldOption], an [EntryOption] and a
// [CounterOption].
type IfExistsOption struct{}

// IfExists makes a write fail if its key does not exist: the error wraps [ErrNotFound], and nothing
// is written. The check and the write are one atomic step (EXISTS in a script; NOMKSTREAM of XADD,
// Redis 6.2). So a session that was deleted meanwhile does not come back with a single field. The
// default is to create the key.
//
// [RecordRef.UpdateFields] does the same for the fields of a record.
func IfExists() IfExistsOption { return IfExistsOption{} }

func (IfExistsOption) applyField(o *fieldOptions) error { //nolint:unparam // as its interface has it
	o.ifExists = true
	return nil
}

func (IfExistsOption) applyEntry(o *entryOptions) error { //nolint:unparam // as its interface has it
	o.ifExists = true
	return nil
}

func (IfExistsOption) applyCounter(o *counterOptions) error { //nolint:unparam // as its interface has it
	o.ifExists = true
	return nil
}

// missing is the beginning of a script that does nothing without its key.
const missing = `if redis.call('EXISTS', KEYS[1]) == 0 then return redis.error_reply('ERR no such key') end
`

// onExisting runs the command ARGV[1] on a key that exists.
var onExisting = newScript(missing + `return redis.call(ARGV[1], KEYS[1], unpack(ARGV, 2))`)

// existing maps the hashes of scripts to those of the same scripts for keys that exist.
var existing = forExisting(starting, renewing, joined, settingFields, adding, counting, storing)

func forExisting(all ...script) map[string]script {
	existing := make(map[string]script, len(all))
	for _, s := range all {
		existing[s.sha] = newScript(missing + s.text)
	}
	return existing
}

// ifExists returns a command that does what cmd does if the key exists, and nothing otherwise.
//
//nest:ttl changes
func (r address) ifExists(cmd rueidis.Completed) rueidis.Completed {
	words := cmd.Commands() // the command, the key and the arguments; or a script, "1", the key and its arguments
	if named(words) {
		return existing[words[1]].command(r.b(), words[3:4], words[4:]...)
	}
	args := append([]string{words[0]}, words[2:]...)
	return onExisting.command(r.b(), words[1:2], args...)
}
