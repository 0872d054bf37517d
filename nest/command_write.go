package nest

import "github.com/redis/rueidis"

// A command that takes no expiry itself runs in a script together with the command that sets it, as
// one atomic step and one command. Compared with the same two commands in one pipeline, which are
// not atomic, a script takes 1.1 to 1.3 times as long, and MULTI and EXEC around the two 1.1 to 1.3
// times: the script's one reply is read instead of four.

// starting runs a write and starts the declared TTL (ARGV[1], milliseconds) if the key has none.
// renewing runs a command and restarts the TTL each time. No command that they are given removes an
// expiry.
var (
	starting = newScript(starts + `local start, denied = starts(KEYS[1], ARGV[1])
if denied then return denied end
local reply = redis.call(ARGV[2], KEYS[1], unpack(ARGV, 3))
if start then redis.call('PEXPIRE', KEYS[1], ARGV[1]) end
return reply`)
	renewing = newScript(asking + `local denied = lacks('PEXPIRE', KEYS[1], ARGV[1])
if denied then return denied end
local reply = redis.call(ARGV[2], KEYS[1], unpack(ARGV, 3))
redis.call('PEXPIRE', KEYS[1], ARGV[1])
return reply`)
)

// write returns the command that changes a collection or a counter. A new key gets the declared
// TTL; a TTL that is already running is left alone, unless AutoRenew restarts it.
//
//nest:ttl starts
func (r address) write(command string, args ...string) rueidis.Completed {
	switch {
	case r.m.settings.ttl == 0:
		return r.b().Arbitrary(command).Keys(r.key).Args(args...).Build()
	case r.m.settings.autoRenew:
		return r.scripted(renewing, command, args)
	}
	return r.scripted(starting, command, args)
}

// read returns the command that reads a collection or a counter, and restarts the TTL where
// AutoRenew is declared.
//
//nest:ttl renews
func (r address) read(command string, args ...string) rueidis.Completed {
	if r.readsRenew() {
		return r.scripted(renewing, command, args)
	}
	return r.b().Arbitrary(command).Keys(r.key).Args(args...).ReadOnly()
}

func (r address) scripted(s script, command string, args []string) rueidis.Completed {
	return r.b().Arbitrary(evalSHA, s.sha, "1").Keys(r.key).Args(millis(r.m.ttl()), command).Args(args...).Build()
}
