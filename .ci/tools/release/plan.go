package main

import (
	"archive/zip"
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"golang.org/x/mod/module"
	"golang.org/x/mod/semver"
	"golang.org/x/mod/sumdb/dirhash"
	modzip "golang.org/x/mod/zip"
)

// A plan is the release of all modules in one version. The tags all name one commit: each module
// comes after those that it requires, so that its go.sum can have their sums before anyone can
// download them.
type plan struct {
	root    string
	version string
	modules []*workModule
	files   []planned
}

// A planned file is one that the release changes, or leaves as it is.
type planned struct {
	name     string // relative to the repository
	old, new []byte
}

// newPlan makes the plan, and lays out the released modules in proxy, as a file tree for GOPROXY.
func newPlan(root, version, proxy string) (*plan, error) {
	if module.CanonicalVersion(version) != version || version == "" {
		return nil, fmt.Errorf("%q is not a version such as v0.1.0", version)
	}
	modules, err := workspace(root)
	if err != nil {
		return nil, err
	}
	temp, err := os.MkdirTemp("", "release")
	if err != nil {
		return nil, err
	}
	defer func() { _ = os.RemoveAll(temp) }()
	files, err := newSnapshot(root, temp)
	if err != nil {
		return nil, err
	}
	p := &plan{root: root, version: version, modules: modules}
	byPath := pathsOf(modules)
	sums := make(map[*workModule][]sum)
	for _, m := range modules {
		goMod, err := releasedMod(m, byPath, version)
		if err != nil {
			return nil, err
		}
		if err := p.add(files, m.file("go.mod"), goMod); err != nil {
			return nil, err
		}
		if !m.released {
			continue // its siblings are folders, which have no sums
		}
		var siblings []sum
		for _, s := range m.siblings(byPath) {
			siblings = append(siblings, sums[s]...)
		}
		if len(siblings) > 0 {
			goSum, err := os.ReadFile(filepath.Join(root, m.file("go.sum")))
			if err != nil {
				return nil, err
			}
			if goSum, err = releasedSums(goSum, byPath, siblings); err != nil {
				return nil, err
			}
			if err := p.add(files, m.file("go.sum"), goSum); err != nil {
				return nil, err
			}
		}
		if sums[m], err = layOut(files, m, version, goMod, proxy); err != nil {
			return nil, fmt.Errorf("%s: %w", m.path, err)
		}
	}
	return p, nil
}

func (p *plan) add(files *snapshot, name string, data []byte) error {
	old, err := os.ReadFile(filepath.Join(p.root, name))
	if err != nil {
		return err
	}
	p.files = append(p.files, planned{name, old, data})
	return files.put(name, data)
}

// layOut writes a module's files for GOPROXY, and returns their sums.
func layOut(files *snapshot, m *workModule, version string, goMod []byte, proxy string) ([]sum, error) {
	escaped, err := module.EscapePath(m.path)
	if err != nil {
		return nil, err
	}
	dir := filepath.Join(proxy, escaped, "@v")
	if err := os.MkdirAll(dir, 0o750); err != nil {
		return nil, err
	}
	info, err := json.Marshal(map[string]any{"Version": version, "Time": time.Now().UTC().Truncate(time.Second)})
	if err != nil {
		return nil, err
	}
	for name, data := range map[string][]byte{"list": []byte(version + "\n"), version + ".info": info, version + ".mod": goMod} {
		if err := os.WriteFile(filepath.Join(dir, name), data, 0o600); err != nil {
			return nil, err
		}
	}
	name := filepath.Join(dir, version+".zip")
	if err := writeZip(files, m, version, name); err != nil {
		return nil, err
	}
	hash, err := dirhash.HashZip(name, dirhash.Hash1)
	if err != nil {
		return nil, err
	}
	modHash, err := dirhash.Hash1([]string{"go.mod"}, func(string) (io.ReadCloser, error) {
		return io.NopCloser(bytes.NewReader(goMod)), nil
	})
	if err != nil {
		return nil, err
	}
	return []sum{
		{module.Version{Path: m.path, Version: version}, hash},
		{module.Version{Path: m.path, Version: version + "/go.mod"}, modHash},
	}, nil
}

// writeZip writes a module's zip as the go command would make it from the tag: without nested
// modules, and with the repository's license if the module has none of its own.
func writeZip(files *snapshot, m *workModule, version, name string) error {
	tree, err := files.tree()
	if err != nil {
		return err
	}
	subdir := m.dir
	if subdir == "." {
		subdir = ""
	}
	mod := module.Version{Path: m.path, Version: version}
	var b bytes.Buffer
	if err := modzip.CreateFromVCS(&b, mod, files.root, tree, subdir); err != nil {
		return err
	}
	content, err := zip.NewReader(bytes.NewReader(b.Bytes()), int64(b.Len()))
	if err != nil {
		return err
	}
	license := mod.Path + "@" + mod.Version + "/LICENSE"
	if !slices.ContainsFunc(content.File, func(f *zip.File) bool { return f.Name == license }) {
		return errors.New("its zip has no LICENSE")
	}
	return os.WriteFile(name, b.Bytes(), 0o600)
}

// print says what the plan does: each tag, and below it the lines that its go.mod gets and loses.
func (p *plan) print(out *strings.Builder) {
	for _, m := range p.modules {
		if m.released {
			fmt.Fprintln(out, m.tag(p.version))
		} else {
			fmt.Fprintf(out, "%s (not released)\n", m.dir)
		}
		for _, f := range p.files {
			if f.name == m.file("go.mod") {
				printLines(out, "-", f.old, f.new)
				printLines(out, "+", f.new, f.old)
			}
		}
	}
}

// printLines prints the lines of has that lacks does not have.
func printLines(out *strings.Builder, mark string, has, lacks []byte) {
	for line := range strings.Lines(string(has)) {
		line = strings.TrimSpace(line)
		if line != "" && !slices.ContainsFunc(bytes.Split(lacks, []byte("\n")), func(other []byte) bool {
			return string(bytes.TrimSpace(other)) == line
		}) {
			fmt.Fprintf(out, "\t%s %s\n", mark, line)
		}
	}
}

func (p *plan) write() error {
	for _, f := range p.files {
		if bytes.Equal(f.old, f.new) {
			continue
		}
		// The file exists, and keeps its mode.
		if err := os.WriteFile(filepath.Join(p.root, f.name), f.new, 0o600); err != nil {
			return err
		}
	}
	return nil
}

// ready returns why the commit that is checked out cannot get the tags.
func (p *plan) ready() error {
	for _, f := range p.files {
		if !bytes.Equal(f.old, f.new) {
			return fmt.Errorf("%s is not as it is released in %s: run release write, and commit what it wrote", f.name, p.version)
		}
	}
	changed, err := git(p.root, nil, "status", "--porcelain", "--untracked-files=no")
	if err != nil {
		return err
	}
	if changed != "" {
		return fmt.Errorf("not committed:\n%s", changed)
	}
	changes, err := readChanges(p.root)
	if err != nil {
		return err
	}
	section, found := changes.of(p.version)
	switch {
	case !found:
		return fmt.Errorf("%s has no section %s", changelog, p.version)
	case breaking(section) != "" && semver.Major(p.version) != "v0":
		return fmt.Errorf("%s says what breaks in %s, which only a v0 may", changelog, p.version)
	case breaking(section) != "" && !strings.HasSuffix(strings.TrimSuffix(p.version, semver.Prerelease(p.version)), ".0"):
		return fmt.Errorf("%s says what breaks in %s: such a release gets the next minor version", changelog, p.version)
	}
	for _, m := range p.modules {
		known, err := git(p.root, nil, "tag", "--list", m.tag(p.version))
		if err != nil {
			return err
		}
		if known != "" {
			return fmt.Errorf("there is a tag %s already", m.tag(p.version))
		}
	}
	return nil
}
