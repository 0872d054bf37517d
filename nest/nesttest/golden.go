package nesttest

import (
	"errors"
	"flag"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"testing"

	"github.com/redisimnest/redisimnest/nest"
	"github.com/redisimnest/redisimnest/nest/nesttest/internal/lockfile"
)

// updateFlag is the flag that lets [Golden] write its file. In a test binary this package defines
// it; programs that are no tests do not have it.
const updateFlag = "update"

var _ = defineUpdate()

func defineUpdate() bool {
	if !testing.Testing() || flag.Lookup(updateFlag) != nil {
		return false
	}
	flag.Bool(updateFlag, false, "rewrite golden files")
	return true
}

// Update reports whether the tests run with -update, which asks them to rewrite their golden files.
// Package nesttest defines this flag for test binaries, so a test that imports it and has golden
// files of its own asks here: Go lets a flag be defined only once.
func Update() bool {
	f := flag.Lookup(updateFlag)
	return f != nil && f.Value.String() == "true"
}

// Golden holds the keyspace that root declares against the lock file at path, relative to the
// package of the test. The file describes how every key is stored: its name, kind, Redis type,
// codec, parameters with what they escape, TTL, former names, and the shape of its Go type as its
// codec sees it. Commit it: it stands for what the releases so far have stored.
//
//	func TestKeyspace(t *testing.T) {
//		nesttest.Golden(t, app.Root, "testdata/keyspace.json")
//	}
//
// The test fails on a change that would orphan or misread what is stored: a key with another name
// and no [nest.Was], another codec without Versioned, a field with another stored name, and
// others. The failure names the key, what has changed, for how long old values can live, and the
// ways out. Golden never writes such a change to the file. If the old values may be lost, take the
// key's entry out of the file, and then run the test with -update.
//
// It also fails on any other change until the file says the same again; for those, -update rewrites
// it:
//
//	go test -run TestKeyspace -update
//
// Pass the options with which the program opens the tree, such as [nest.WithCodec] and
// [nest.WithPrefix]: without them Golden would lock other names and another codec. Keyrings are not
// needed. No server is used, and no value is read. A type that writes itself, by a MarshalJSON for
// example, is known only by its name. Channels store nothing and are not in the file.
func Golden(t testing.TB, root *nest.ClusterDef, path string, opts ...nest.OpenOption) {
	t.Helper()
	if err := golden(root, path, Update(), opts); err != nil {
		t.Fatalf("nesttest: golden: %s: %v", path, err)
	}
}

func golden(root *nest.ClusterDef, path string, update bool, opts []nest.OpenOption) error {
	scope, err := nest.Open(nil, root, append(slices.Clip(opts), nest.NamesOnly())...)
	if err != nil {
		return err
	}
	now := lockfile.Of(scope.Describe())
	text, err := now.Text()
	if err != nil {
		return err
	}
	locked, err := os.ReadFile(path)
	switch {
	case errors.Is(err, fs.ErrNotExist) && update:
		return writeLocked(path, text)
	case errors.Is(err, fs.ErrNotExist):
		return errors.New("there is no such file: run the test with -update, and commit the file that it writes")
	case err != nil:
		return err
	}
	old, err := lockfile.Parse(locked)
	if err != nil {
		return err
	}
	changes := lockfile.Compare(old, now)
	if broken := lockfile.Broken(changes); broken != "" {
		return fmt.Errorf("changes that would orphan or misread what is stored:\n%s"+
			"If the old values of a key may be lost, take its entry out of the file, and run the test with -update", broken)
	}
	switch fine := lockfile.Fine(changes); {
	case string(locked) == string(text):
		return nil
	case update:
		return writeLocked(path, text)
	case fine == "":
		return errors.New("it is not formatted as -update writes it: run the test with -update")
	default:
		return fmt.Errorf("changes with which everything that is stored is read as before:\n%sRun the test with -update, and commit the file", fine)
	}
}

func writeLocked(path string, text []byte) error {
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil { //nolint:gosec // a folder of the source
		return err
	}
	return os.WriteFile(path, text, 0o644) //nolint:gosec // a file of the source
}
