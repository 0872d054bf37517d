package bench

import (
	"bytes"
	"context"
	"crypto/hkdf"
	"crypto/rand"
	"crypto/sha256"
	"crypto/subtle"
	"fmt"
	"os"
	"runtime"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"golang.org/x/crypto/chacha20poly1305"

	"github.com/redisimnest/redisimnest/nest"
	"github.com/redisimnest/redisimnest/secure"
)

// bare is only the construction with which a keyring seals: no header, no ring of keys, no place to
// which the value is bound. The keyring's own work is measured against it.
type bare struct{ prk []byte }

func newBare(b *testing.B) bare {
	prk, err := hkdf.Extract(sha256.New, bytes.Repeat([]byte{1}, 32), []byte("bench"))
	if err != nil {
		b.Fatal(err)
	}
	return bare{prk}
}

func (c bare) seal(plaintext []byte) ([]byte, error) {
	out := make([]byte, 24, 24+32+len(plaintext)+chacha20poly1305.Overhead)
	_, _ = rand.Read(out)
	okm, err := hkdf.Expand(sha256.New, c.prk, string(out), 64)
	if err != nil {
		return nil, err
	}
	aead, err := chacha20poly1305.NewX(okm[:32])
	if err != nil {
		return nil, err
	}
	return aead.Seal(append(out, okm[32:]...), out, plaintext, nil), nil
}

func (c bare) open(sealed []byte) ([]byte, error) {
	okm, err := hkdf.Expand(sha256.New, c.prk, string(sealed[:24]), 64)
	if err != nil {
		return nil, err
	}
	if subtle.ConstantTimeCompare(okm[32:], sealed[24:56]) != 1 {
		return nil, fmt.Errorf("another key")
	}
	aead, err := chacha20poly1305.NewX(okm[:32])
	if err != nil {
		return nil, err
	}
	return aead.Open(nil, sealed[:24], sealed[56:], nil)
}

var secureSizes = []int{32, 1 << 10, 64 << 10}

func newRing(b *testing.B) *secure.Keyring {
	ring, err := secure.NewKeyring(secure.GenerateKey(), secure.AcceptOnly(secure.GenerateKey()), secure.InContext("bench"))
	if err != nil {
		b.Fatal(err)
	}
	return ring
}

func BenchmarkSecureSeal(b *testing.B) {
	for _, size := range secureSizes {
		plaintext := make([]byte, size)
		run := func(name string, seal func() ([]byte, error)) {
			b.Run(fmt.Sprintf("%dB/%s", size, name), func(b *testing.B) {
				b.ReportAllocs()
				b.SetBytes(int64(size))
				for b.Loop() {
					if _, err := seal(); err != nil {
						b.Fatal(err)
					}
				}
			})
		}
		ring, c := newRing(b), newBare(b)
		run("keyring", func() ([]byte, error) {
			return ring.Seal(nil, plaintext, "root:user:42:api_key", "", "secret", "json")
		})
		run("bare", func() ([]byte, error) { return c.seal(plaintext) })
	}
}

func BenchmarkSecureOpen(b *testing.B) {
	for _, size := range secureSizes {
		run := func(name string, open func() ([]byte, error)) {
			b.Run(fmt.Sprintf("%dB/%s", size, name), func(b *testing.B) {
				b.ReportAllocs()
				b.SetBytes(int64(size))
				for b.Loop() {
					if _, err := open(); err != nil {
						b.Fatal(err)
					}
				}
			})
		}
		ring, c := newRing(b), newBare(b)
		sealed, err := ring.Seal(nil, make([]byte, size), "root:user:42:api_key", "", "secret", "json")
		if err != nil {
			b.Fatal(err)
		}
		run("keyring", func() ([]byte, error) {
			return ring.Open(nil, sealed, "root:user:42:api_key", "", "secret", "json")
		})
		bareSealed, err := c.seal(make([]byte, size))
		if err != nil {
			b.Fatal(err)
		}
		run("bare", func() ([]byte, error) { return c.open(bareSealed) })
	}
}

// BenchmarkSecureVerify64 verifies 64 passwords at once under the policy of 64 MiB and reports the
// maximum memory of the process (Linux).
func BenchmarkSecureVerify64(b *testing.B) {
	passwords, err := secure.NewPasswords(secure.Recommended())
	if err != nil {
		b.Fatal(err)
	}
	ctx := context.Background()
	encoded, err := passwords.Hash(ctx, "correct horse battery staple")
	if err != nil {
		b.Fatal(err)
	}
	stop, peak := watchMemory()
	verified := 0
	for b.Loop() {
		var wg sync.WaitGroup
		for range 64 {
			wg.Go(func() {
				if ok, _, err := passwords.Verify(ctx, encoded, "correct horse battery staple"); !ok || err != nil {
					b.Error(ok, err)
				}
			})
		}
		wg.Wait()
		verified += 64
	}
	close(stop)
	b.ReportMetric(float64(<-peak)/(1<<20), "peak-MiB")
	b.ReportMetric(float64(verified)/b.Elapsed().Seconds(), "verifies/s")
}

// watchMemory follows the resident size until stop is closed, and then sends its maximum.
func watchMemory() (stop chan<- struct{}, peak <-chan int64) {
	done, result := make(chan struct{}), make(chan int64, 1)
	go func() {
		highest := resident()
		for {
			select {
			case <-done:
				result <- max(highest, resident())
				return
			case <-time.After(time.Millisecond):
				highest = max(highest, resident())
			}
		}
	}()
	return done, result
}

// resident returns the memory of the process: the resident size if the kernel reports it, or else
// what the runtime has obtained from the system.
func resident() int64 {
	if status, err := os.ReadFile("/proc/self/status"); err == nil {
		for line := range strings.Lines(string(status)) {
			if rest, ok := strings.CutPrefix(line, "VmRSS:"); ok {
				kib, err := strconv.ParseInt(strings.TrimSpace(strings.TrimSuffix(strings.TrimSpace(rest), "kB")), 10, 64)
				if err == nil {
					return kib << 10
				}
			}
		}
	}
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return int64(m.Sys)
}

// The number of keys in a pass of the rotation.
const rotated = 50_000

var (
	rotating = nest.Secret[string]("token:<n>", nest.TTL(noteTTL))
	rotation = nest.Cluster("rotated", nest.Sub(rotating))
)

// BenchmarkSecureRotate reseals a scope of secrets of 32 bytes, each with a TTL, on a real server.
// It reports how many it reseals per second, and how many it passes that need no resealing.
func BenchmarkSecureRotate(b *testing.B) {
	keys := [2]secure.Key{secure.GenerateKey(), secure.GenerateKey()}
	ring := func(primary int) *secure.Keyring {
		k, err := secure.NewKeyring(keys[primary], secure.AcceptOnly(keys[1-primary]))
		if err != nil {
			b.Fatal(err)
		}
		return k
	}
	holder := secure.NewHolder(ring(0))
	server := realServer(b)
	root, err := nest.Open(newClient(b, server), rotation, nest.WithPrefix(server.Prefix(b)), nest.WithKeyring(holder))
	if err != nil {
		b.Fatal(err)
	}
	batch := root.Batch()
	for i := range rotated {
		rotating.At(root, i).In(batch).Set("0123456789abcdef0123456789abcdef")
	}
	if err := batch.Exec(b.Context()); err != nil {
		b.Fatal(err)
	}
	pass := func(b *testing.B) nest.RotateReport {
		report, err := nest.Rotate(b.Context(), root)
		if err != nil || report.Scanned < rotated || report.Failed > 0 {
			b.Fatal(err, report)
		}
		return report
	}
	primary := 0
	b.Run("resealed", func(b *testing.B) {
		for b.Loop() {
			primary = 1 - primary
			holder.Store(ring(primary))
			if report := pass(b); report.Resealed < rotated {
				b.Fatal(report)
			}
		}
		b.ReportMetric(float64(b.N)*rotated/b.Elapsed().Seconds(), "keys/s")
	})
	b.Run("current", func(b *testing.B) {
		for b.Loop() {
			if report := pass(b); report.Resealed > 0 {
				b.Fatal(report)
			}
		}
		b.ReportMetric(float64(b.N)*rotated/b.Elapsed().Seconds(), "keys/s")
	})
}
