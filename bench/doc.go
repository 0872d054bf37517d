// Package bench compares Redisimnest with what one would write without it: the same work, on the
// same server, in the same run, with the standard library, with rueidis alone and with go-redis.
//
//	go run ./bench/report                                         # all of it, into REPORT.md
//	go test -run '^$' -bench Ratio -benchtime 5x ./bench/         # all ratios, in some minutes
//	go test -run '^$' -bench 'Open|Match|Secure' ./bench/         # large trees, secrets: no server
//	go test -run '^$' -bench 'Resolve|Get|Set' -benchmem ./bench/ # each contender by itself
//
// A benchmark named Ratio compares two contenders in short turns, in one process, because a run of
// one after the other says little on a machine that also does other things. It reports how long
// ours takes for each second that the other takes (x-time). The last part of its name is the other
// contender, and the part before it is the work:
//
//	BenchmarkRatioGet/16/go-redis
//
// -benchtime 40x makes forty rounds of two turns; the walks over a million keys need fewer, and
// fewer keys with -short.
//
// The server is the one at REDIS_TEST_ADDR, or one that package nesttest starts. Benchmarks that
// need a server are skipped if only the embedded one is available, because they would measure the
// embedded server instead of the library.
package bench
