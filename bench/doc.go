// Package bench compares Redisimnest with what one would write without it: the same work, on the
// same server, in the same run, with the standard library, with rueidis alone and with go-redis.
//
//	go test -run '^$' -bench Resolve ./bench/       # names: no server
//	go test -run '^$' -bench 'Get|Set' ./bench/     # values: on a real server
//	go test -run '^$' -bench Flow ./bench/          # batches, cached reads: on a real server
//	go test -run '^$' -bench 'Open|Match' ./bench/  # large trees: no server
//	go test -run '^$' -bench Codec ./bench/         # codecs and their libraries: no server
//	go test -run '^$' -bench 'Keys|Clear' -benchtime 10x ./bench/  # a million keys: on a real server
//	go test -run '^$' -bench 'Was|Migrate' -benchtime 10x ./bench/ // renamed keys: on a real server
//
// The last part of a benchmark's name is the contender, and the part before it is the work, so that
// rivals are listed together:
//
//	BenchmarkResolve/int/root/nest
//	BenchmarkResolve/int/root/concat
//
// A single run says little on a machine that also does other things. This command measures in many
// short passes, and computes medians, ratios and a plot from them:
//
//	for i in $(seq 20); do go test -run '^$' -bench '^BenchmarkResolve$' -benchmem -benchtime 20ms ./bench/; done | go run ./bench/report -svg resolve.svg
//
// If only a ratio is needed, the benchmarks named Ratio report it directly. They run two rivals in
// short rounds in one process, forty each here:
//
//	go test -run '^$' -bench Ratio -benchtime 40x ./bench/
//
// The server is the one at REDIS_TEST_ADDR, or one that package nesttest starts. Benchmarks that
// need a server are skipped if only the embedded one is available, because they would measure the
// embedded server instead of the library.
package bench
