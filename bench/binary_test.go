package bench

import (
	"os"
	"os/exec"
	"path/filepath"
	"testing"
)

// BenchmarkBinary reports by how many bytes a program with one key, and one with nine kinds of ten
// types each, is larger than a program that uses rueidis alone (B/op), as go build links them and
// without debug information.
func BenchmarkBinary(b *testing.B) {
	const linked = "github.com/redisimnest/redisimnest/nest/testdata/linked"
	for _, flags := range []struct{ name, ldflags string }{{"", ""}, {", without debug information", "-s -w"}} {
		size := func(b *testing.B, path string) int64 {
			file := filepath.Join(b.TempDir(), "linked")
			if out, err := exec.CommandContext(b.Context(), "go", "build", "-ldflags="+flags.ldflags, "-o", file, path).CombinedOutput(); err != nil {
				b.Fatalf("%v\n%s", err, out)
			}
			info, err := os.Stat(file)
			if err != nil {
				b.Fatal(err)
			}
			return info.Size()
		}
		programs := []struct{ name, path string }{{"one key", linked}, {"nine kinds of ten types", linked + "/kinds"}}
		if testing.Short() {
			programs = programs[:1] // the other takes minutes to compile
		}
		for _, program := range programs {
			b.Run(program.name+flags.name+"/nest", func(b *testing.B) {
				for b.Loop() {
					b.ReportMetric(float64(size(b, program.path)-size(b, linked+"/rueidis")), "B/op")
				}
				b.ReportMetric(0, "ns/op")
				b.ReportMetric(0, "allocs/op")
			})
		}
	}
}
