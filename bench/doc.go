// Package bench measures Redisimnest beside what one would write without it: the same work, on
// the same server, in the same run, by the standard library, by rueidis alone and by go-redis.
//
//	go test -run '^$' -bench Resolve ./bench/       # names: no server
//	go test -run '^$' -bench 'Get|Set' ./bench/     # values: on a real server
//	go test -run '^$' -bench Flow ./bench/          # batches, cached reads: on a real server
//	go test -run '^$' -bench 'Open|Match' ./bench/  # large trees: no server
//	go test -run '^$' -bench Codec ./bench/         # codecs, in turns with their libraries: no server
//	go test -run '^$' -bench Clear ./bench/         # a million keys: on a real server
//
// A benchmark's last name is who does the work, and what stands before it is the work, so that
// its rivals stand beside each other:
//
//	BenchmarkResolve/int/root/nest
//	BenchmarkResolve/int/root/concat
//
// One run tells little on a machine that does other things too. This command measures in many
// short passes, and makes medians, ratios and a plot of them:
//
//	for i in $(seq 20); do go test -run '^$' -bench '^BenchmarkResolve$' -benchmem -benchtime 20ms ./bench/; done | go run ./bench/report -svg resolve.svg
//
// Where a ratio is all that is asked for, the benchmarks named Ratio give it at once: they run two
// rivals in short turns in one process, forty each here.
//
//	go test -run '^$' -bench Ratio -benchtime 40x ./bench/
//
// The server is the one at REDIS_TEST_ADDR, or one that package nesttest starts; the embedded
// one would be measured instead of what is to be measured, so it is refused.
package bench
