package nest

import "github.com/redis/rueidis"

// Commands that do not take an expiry themselves run in a script together with the one that
// sets it, as one atomic step and one command. Beside the same two commands in one pipeline, which
// are no atomic step, a script takes 1.1 to 1.3 times as long, and MULTI and EXEC around the two
// 1.1 to 1.3 times: one reply is read instead of four.

// starting runs a write and starts the declared TTL (ARGV[1], milliseconds) if the key has none
// afterwards; renewing restarts it each time.
var (
	starting = newScript(`local reply = redis.call(ARGV[2], KEYS[1], unpack(ARGV, 3))
if redis.call('PTTL', KEYS[1]) == -1 then redis.call('PEXPIRE', KEYS[1], ARGV[1]) end
return reply`)
	renewing = newScript(`local reply = redis.call(ARGV[2], KEYS[1], unpack(ARGV, 3))
redis.call('PEXPIRE', KEYS[1], ARGV[1])
return reply`)
)

// write makes the command that changes a collection or a counter: a new key gets the declared
// TTL, a running one goes on, unless AutoRenew restarts it.
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

// read makes the command that reads a collection or a counter, and restarts the TTL where
// AutoRenew is declared.
//
//nest:ttl renews
func (r address) read(command string, args ...string) rueidis.Completed {
	if r.m.settings.autoRenew && r.m.settings.ttl > 0 {
		return r.scripted(renewing, command, args)
	}
	return r.b().Arbitrary(command).Keys(r.key).Args(args...).ReadOnly()
}

func (r address) scripted(s script, command string, args []string) rueidis.Completed {
	return r.b().Arbitrary(evalSHA, s.sha, "1").Keys(r.key).Args(millis(r.m.ttl()), command).Args(args...).Build()
}
