package main

import (
	"archive/zip"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// files are a workspace: lib requires the root, more requires both, and the examples are not
// released.
func files() map[string]string {
	return map[string]string{
		".gitignore":    "ignored.go\n",
		"LICENSE":       "the license\n",
		"CHANGELOG.md":  "# Changes\n\n## Unreleased\n\n- something\n",
		"go.work":       "go 1.26.0\n\nuse (\n\t./more\n\t./examples/one\n\t.\n\t./lib\n)\n",
		"go.mod":        "module example.com/root\n\ngo 1.26.0\n",
		"root.go":       "package root\n\nfunc Kept() {}\n\nfunc Gone() {}\n\ntype T struct{}\n\nfunc (*T) Method(int) {}\n",
		"sub/sub.go":    "package sub\n\nconst C = 1\n",
		"internal/x.go": "package internal\n\nfunc Hidden() {}\n",
		"ignored.go":    "package root\n",
		"lib/go.mod": "module example.com/root/lib\n\ngo 1.26.0\n\nrequire example.com/root v0.0.0\n\n" +
			"replace example.com/root => ../\n",
		"lib/go.sum": "example.com/other v1.0.0/go.mod h1:x\n",
		"lib/lib.go": "package lib\n\nimport \"example.com/root\"\n\nfunc F() { root.Kept() }\n",
		"more/go.mod": "module example.com/root/more\n\ngo 1.26.0\n\nrequire (\n\texample.com/root v0.0.0 // indirect\n" +
			"\texample.com/root/lib v0.0.0\n)\n\nreplace example.com/root => ../\n\nreplace example.com/root/lib => ../lib\n",
		"more/go.sum":  "",
		"more/LICENSE": "its own\n",
		"more/more.go": "package more\n\nimport \"example.com/root/lib\"\n\nfunc F() { lib.F() }\n",
		"examples/one/go.mod": "module example.com/root/examples/one\n\ngo 1.26.0\n\nrequire example.com/root v0.0.0\n\n" +
			"replace example.com/root => ../../\n",
		"examples/one/one.go": "package main\n\nimport \"example.com/root\"\n\nfunc main() { root.Kept() }\n",
	}
}

// repository returns the folder of a new repository in which files are committed.
func repository(t *testing.T, files map[string]string) string {
	t.Helper()
	root := t.TempDir()
	do(t, root, "init", "--quiet")
	do(t, root, "config", "user.name", "test")
	do(t, root, "config", "user.email", "test@example.com")
	for name, text := range files {
		write(t, root, name, text)
	}
	commit(t, root)
	return root
}

func write(t *testing.T, root, name, text string) {
	t.Helper()
	name = filepath.Join(root, name)
	require.NoError(t, os.MkdirAll(filepath.Dir(name), 0o755))
	require.NoError(t, os.WriteFile(name, []byte(text), 0o644))
}

func do(t *testing.T, root string, args ...string) {
	t.Helper()
	_, err := git(root, nil, args...)
	require.NoError(t, err)
}

func commit(t *testing.T, root string) {
	t.Helper()
	do(t, root, "add", "--all")
	do(t, root, "commit", "--quiet", "--allow-empty", "--message", "test")
}

func read(t *testing.T, name ...string) string {
	t.Helper()
	data, err := os.ReadFile(filepath.Join(name...))
	require.NoError(t, err)
	return string(data)
}

// released runs the program, and returns what it prints.
func released(t *testing.T, root string, args ...string) (string, error) {
	t.Helper()
	var out strings.Builder
	err := run(&out, root, args)
	return out.String(), err
}

func TestRelease(t *testing.T) {
	root := repository(t, files())
	refused := func(reason string) {
		t.Helper()
		_, err := released(t, root, "tags", "v0.1.0")
		require.ErrorContains(t, err, reason)
	}
	write(t, root, "CHANGELOG.md", "# Changes\n\n## Unreleased\n\n## v0.1.0 - 2026-12-01\n\n### Breaking\n\n- all\n")
	refused("run release write")
	_, err := released(t, root, "write", "v0.1.0")
	require.NoError(t, err)
	refused("not committed")
	commit(t, root)
	out, err := released(t, root, "tags", "v0.1.0")
	require.NoError(t, err)
	require.Equal(t, "v0.1.0\nlib/v0.1.0\nmore/v0.1.0\n", out)

	require.Equal(t, "module example.com/root/lib\n\ngo 1.26.0\n\nrequire example.com/root v0.1.0\n", read(t, root, "lib/go.mod"))
	require.Regexp(t, `^example.com/other v1.0.0/go.mod h1:x
example.com/root v0.1.0 h1:[\w+/]{43}=
example.com/root v0.1.0/go.mod h1:[\w+/]{43}=
$`, read(t, root, "lib/go.sum"))
	require.Equal(t, "module example.com/root/more\n\ngo 1.26.0\n\nrequire (\n\texample.com/root v0.1.0 // indirect\n"+
		"\texample.com/root/lib v0.1.0\n)\n", read(t, root, "more/go.mod"))
	require.Equal(t, "module example.com/root/examples/one\n\ngo 1.26.0\n\nrequire example.com/root v0.1.0\n\n"+
		"replace example.com/root => ../../\n", read(t, root, "examples/one/go.mod"))

	// A file of the root changes its sum, and so what the others have in go.sum.
	write(t, root, "root.go", "package root\n\nfunc Kept() {}\n")
	commit(t, root)
	refused("lib/go.sum is not as it is released")
	for _, version := range []string{"v0.0.0-dry.1796026739.5774", "v0.1.0"} {
		write(t, root, "CHANGELOG.md", "# Changes\n\n## Unreleased\n\n## "+version+" - 2026-12-01\n\n### Breaking\n\n- all\n")
		_, err = released(t, root, "write", version)
		require.NoError(t, err)
		commit(t, root)
		_, err = released(t, root, "tags", version)
		require.NoError(t, err)
	}
	do(t, root, "tag", "more/v0.1.0")
	refused("there is a tag more/v0.1.0")
	_, err = released(t, root, "write", "v0.1.1")
	require.NoError(t, err)
	commit(t, root)
	_, err = released(t, root, "tags", "v0.1.1")
	require.ErrorContains(t, err, "no section v0.1.1")
	write(t, root, "CHANGELOG.md", "## v0.1.1\n\n### Breaking\n\n- all\n")
	_, err = released(t, root, "write", "v0.1.1")
	require.NoError(t, err)
	commit(t, root)
	_, err = released(t, root, "tags", "v0.1.1")
	require.ErrorContains(t, err, "next minor version")
}

func TestPlanChangesNothing(t *testing.T) {
	root := repository(t, files())
	out, err := released(t, root, "plan", "v0.1.0")
	require.NoError(t, err)
	require.Equal(t, `v0.1.0
examples/one (not released)
	- require example.com/root v0.0.0
	+ require example.com/root v0.1.0
lib/v0.1.0
	- require example.com/root v0.0.0
	- replace example.com/root => ../
	+ require example.com/root v0.1.0
more/v0.1.0
	- example.com/root v0.0.0 // indirect
	- example.com/root/lib v0.0.0
	- replace example.com/root => ../
	- replace example.com/root/lib => ../lib
	+ example.com/root v0.1.0 // indirect
	+ example.com/root/lib v0.1.0
`, out)
	status, err := git(root, nil, "status", "--porcelain")
	require.NoError(t, err)
	require.Empty(t, status)
}

// What is in the zips is what the go command would take from the tags, whatever else is in the
// folder.
func TestProxy(t *testing.T) {
	root, proxy := repository(t, files()), t.TempDir()
	write(t, root, "untracked.go", "package nonsense\n")
	write(t, root, "sub/sub.go", "package sub\n\nconst C = 2\n")
	_, err := released(t, root, "proxy", "v0.1.0", proxy)
	require.NoError(t, err)
	require.Equal(t, map[string]string{
		"CHANGELOG.md": files()["CHANGELOG.md"], "LICENSE": "the license\n", ".gitignore": "ignored.go\n", "go.work": files()["go.work"],
		"go.mod": files()["go.mod"], "root.go": files()["root.go"], "sub/sub.go": "package sub\n\nconst C = 2\n",
		"internal/x.go": files()["internal/x.go"],
	}, zipped(t, filepath.Join(proxy, "example.com/root/@v/v0.1.0.zip"), "example.com/root@v0.1.0/"))
	dir := filepath.Join(proxy, "example.com/root/lib/@v")
	lib := zipped(t, filepath.Join(dir, "v0.1.0.zip"), "example.com/root/lib@v0.1.0/")
	require.Equal(t, "the license\n", lib["LICENSE"])
	require.Equal(t, read(t, dir, "v0.1.0.mod"), lib["go.mod"])
	require.NotContains(t, lib["go.mod"], "replace")
	require.Equal(t, "v0.1.0\n", read(t, dir, "list"))
	require.Contains(t, read(t, dir, "v0.1.0.info"), `"Version":"v0.1.0"`)
	more := zipped(t, filepath.Join(proxy, "example.com/root/more/@v/v0.1.0.zip"), "example.com/root/more@v0.1.0/")
	require.Equal(t, "its own\n", more["LICENSE"])
}

func zipped(t *testing.T, name, prefix string) map[string]string {
	t.Helper()
	r, err := zip.OpenReader(name)
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, r.Close()) })
	content := make(map[string]string)
	for _, f := range r.File {
		in, err := f.Open()
		require.NoError(t, err)
		data, err := io.ReadAll(in)
		require.NoError(t, err)
		content[strings.TrimPrefix(f.Name, prefix)] = string(data)
	}
	return content
}

func TestPlanRefuses(t *testing.T) {
	for _, row := range []struct{ version, file, old, new, want string }{
		{"0.1.0", "go.mod", "", "", "is not a version"},
		{"v0.1", "go.mod", "", "", "is not a version"},
		{"v2.0.0", "go.mod", "", "", "v2"},
		{"v0.1.0", "lib/go.mod", "require ", "require example.com/root/examples/one v0.0.0\n\nrequire ", "which is not"},
		{"v0.1.0", "lib/go.mod", "replace ", "replace example.com/other => ../other\n\nreplace ", "replaces example.com/other"},
		{"v0.1.0", "go.mod", "go 1.26.0\n", "go 1.26.0\n\nrequire example.com/root/more v0.0.0\n", "requires itself"},
		{"v0.1.0", "LICENSE", "the license\n", "", "no LICENSE"},
	} {
		all := files()
		all[row.file] = strings.Replace(all[row.file], row.old, row.new, 1)
		if all[row.file] == "" {
			delete(all, row.file)
		}
		_, err := released(t, repository(t, all), "plan", row.version)
		require.ErrorContains(t, err, row.want)
	}
}

func TestAPI(t *testing.T) {
	root := repository(t, files())
	check := func() string {
		t.Helper()
		out, err := released(t, root, "api")
		require.NoError(t, err)
		return out
	}
	do(t, root, "tag", "v0.2.0-rc.1")
	do(t, root, "tag", "lib/v0.3.0")
	require.Equal(t, "nothing was compared: this clone knows no tag of a release (vX.Y.Z)\n", check())
	const before = "\n## v0.1.0\n"
	write(t, root, "CHANGELOG.md", files()["CHANGELOG.md"]+before)
	_, err := released(t, root, "api")
	require.ErrorContains(t, err, "fetch the tags")
	do(t, root, "tag", "v0.1.0")
	require.Contains(t, check(), "example.com/root since v0.1.0: 0 compatible changes, 0 incompatible\n")

	// What is added is compatible, and what is internal or no library is not looked at.
	write(t, root, "root.go", files()["root.go"]+"\nfunc Added() {}\n")
	write(t, root, "new/new.go", "package added\n")
	write(t, root, "internal/x.go", "package internal\n")
	require.Contains(t, check(), "example.com/root since v0.1.0: 2 compatible changes, 0 incompatible\n")

	// What is removed or changed has to be announced, each by its name.
	write(t, root, "root.go", "package root\n\nfunc Kept() {}\n\ntype T struct{}\n\nfunc (*T) Method(string) {}\n")
	require.NoError(t, os.RemoveAll(filepath.Join(root, "sub")))
	refused := func(changelog, reason string) {
		t.Helper()
		write(t, root, "CHANGELOG.md", changelog+before)
		_, err := released(t, root, "api")
		require.ErrorContains(t, err, reason)
	}
	refused("## Unreleased\n\n- Gone, T.Method and example.com/root/sub are gone\n", ": T.Method, Gone, example.com/root/sub")
	refused("## Unreleased\n\n### Breaking\n\n- `root.Gone` is gone\n\n### Changed\n\n- T.Method\n", ": T.Method, example.com/root/sub")
	refused("## Unreleased\n\n## v0.1.0\n\n### Breaking\n\n- Gone, T.Method, example.com/root/sub\n", ": T.Method, Gone, ")
	write(t, root, "CHANGELOG.md", "## Unreleased\n\n### Breaking\n\n- `Gone` is gone\n- `root.T.Method` takes a string\n- `example.com/root/sub`\n"+before)
	require.Contains(t, check(), "example.com/root since v0.1.0: 1 compatible changes, 3 incompatible\n")

	// It is still announced while the next release is prepared.
	write(t, root, "CHANGELOG.md", "## Unreleased\n\n## v0.2.0\n\n### Breaking\n\n- Gone, T.Method, example.com/root/sub\n\n## v0.1.0\n")
	require.Contains(t, check(), "example.com/root since v0.1.0: 1 compatible changes, 3 incompatible\n")

	// From v1 on nothing may break.
	do(t, root, "tag", "v1.0.0")
	refused(read(t, root, "CHANGELOG.md")+"\n## v1.0.0\n", "a new major version")
	refused("## Unreleased\n", "no section v1.0.0")
}

// A module that is gone takes its API with it; a new one has none to compare with.
func TestAPIModules(t *testing.T) {
	root := repository(t, files())
	write(t, root, "CHANGELOG.md", files()["CHANGELOG.md"]+"\n## v0.1.0\n")
	do(t, root, "tag", "v0.1.0")
	write(t, root, "go.work", "go 1.26.0\n\nuse (\n\t.\n\t./lib\n\t./new\n)\n")
	write(t, root, "new/go.mod", "module example.com/root/new\n\ngo 1.26.0\n")
	write(t, root, "new/new.go", "package added\n")
	out, err := released(t, root, "api")
	require.ErrorContains(t, err, ": example.com/root/more")
	require.Contains(t, out, "example.com/root/more: package example.com/root/more: removed\n")
	require.NotContains(t, out, "root/new")
}

func TestChangedName(t *testing.T) {
	for message, want := range map[string]string{
		"Gone: removed":                          "Gone",
		"./nest.Cluster: changed from int to x":  "Cluster",
		"./nest.(*KeyDef[T]).Get: removed":       "KeyDef.Get",
		"(*Batch).Exec: changed from a to b":     "Batch.Exec",
		"./codec/zstd.Options.Level: removed":    "Options.Level",
		"Codec, method set of Codec: removed":    "Codec",
		"package example.com/root/sub: removed":  "example.com/root/sub",
		"./v2.x/nest.Key.Get: changed from a: b": "Key.Get",
	} {
		require.Equal(t, want, changedName(message))
	}
	require.True(t, names("- `nest.KeyDef.Get` is gone", "KeyDef.Get"))
	require.False(t, names("- `nest.KeyDef.GetAll` is gone", "KeyDef.Get"))
}

func TestLatestRelease(t *testing.T) {
	require.Empty(t, latestRelease([]string{"v1", "vendor", "v0.1.0-rc.1", "v0.1"}))
	require.Equal(t, "v0.10.0", latestRelease([]string{"v0.9.1", "v0.10.0", "v0.2.0", "v0.11.0-rc.1"}))
}
