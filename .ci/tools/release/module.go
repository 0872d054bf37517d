package main

import (
	"cmp"
	"fmt"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strings"

	"golang.org/x/mod/modfile"
	"golang.org/x/mod/module"
)

// unreleased are the folders whose modules are for those who work in a clone.
var unreleased = []string{"bench", "examples", "nest/nesttest/internal", "nest/nesttest/matrix"}

// A workModule is a module of the workspace.
type workModule struct {
	dir      string // with slashes, relative to the repository; "." is the root module's
	path     string
	released bool
	mod      *modfile.File
}

// tag returns the tag under which the go command looks for a version of the module.
func (m *workModule) tag(version string) string {
	if m.dir == "." {
		return version
	}
	return m.dir + "/" + version
}

// file returns the name of a file of the module, relative to the repository.
func (m *workModule) file(name string) string { return path.Join(m.dir, name) }

// siblings returns the released modules of the workspace that m requires.
func (m *workModule) siblings(byPath map[string]*workModule) []*workModule {
	var all []*workModule
	for _, r := range m.mod.Require {
		if s := byPath[r.Mod.Path]; s != nil && s.released {
			all = append(all, s)
		}
	}
	return all
}

// workspace returns the modules that go.work lists, each after those that it requires.
func workspace(root string) ([]*workModule, error) {
	name := filepath.Join(root, "go.work")
	data, err := os.ReadFile(name)
	if err != nil {
		return nil, err
	}
	work, err := modfile.ParseWork(name, data, nil)
	if err != nil {
		return nil, err
	}
	var modules []*workModule
	for _, use := range work.Use {
		m := &workModule{dir: path.Clean(use.Path)}
		m.released = !slices.ContainsFunc(unreleased, func(dir string) bool {
			return m.dir == dir || strings.HasPrefix(m.dir, dir+"/")
		})
		name := filepath.Join(root, m.dir, "go.mod")
		data, err := os.ReadFile(name)
		if err != nil {
			return nil, err
		}
		if m.mod, err = modfile.Parse(name, data, nil); err != nil {
			return nil, err
		}
		m.path = m.mod.Module.Mod.Path
		modules = append(modules, m)
	}
	return inOrder(modules)
}

// inOrder sorts modules so that each comes after those that it requires.
func inOrder(modules []*workModule) ([]*workModule, error) {
	slices.SortFunc(modules, func(a, b *workModule) int { return cmp.Compare(a.dir, b.dir) })
	byPath := pathsOf(modules)
	var sorted []*workModule
	const begun, done = 1, 2
	state := make(map[*workModule]int)
	var visit func(m *workModule) error
	visit = func(m *workModule) error {
		switch state[m] {
		case begun:
			return fmt.Errorf("%s requires itself, through other modules", m.path)
		case done:
			return nil
		}
		state[m] = begun
		for _, r := range m.mod.Require {
			s := byPath[r.Mod.Path]
			if s == nil {
				continue
			}
			if m.released && !s.released {
				return fmt.Errorf("%s is released, and requires %s, which is not", m.path, s.path)
			}
			if err := visit(s); err != nil {
				return err
			}
		}
		state[m] = done
		sorted = append(sorted, m)
		return nil
	}
	for _, m := range modules {
		if err := visit(m); err != nil {
			return nil, err
		}
	}
	return sorted, nil
}

func pathsOf(modules []*workModule) map[string]*workModule {
	byPath := make(map[string]*workModule, len(modules))
	for _, m := range modules {
		byPath[m.path] = m
	}
	return byPath
}

// releasedMod changes m's go.mod to require its siblings in version, and returns it. In a module
// that is released, no directive replaces them any more: the go command would refuse to install
// its programs. A module that is not released keeps those directives.
func releasedMod(m *workModule, byPath map[string]*workModule, version string) ([]byte, error) {
	for _, s := range m.siblings(byPath) {
		if err := m.mod.AddRequire(s.path, version); err != nil {
			return nil, err
		}
	}
	for _, r := range slices.Clone(m.mod.Replace) {
		if !m.released {
			break
		}
		if byPath[r.Old.Path] == nil {
			return nil, fmt.Errorf("%s: the go command does not install programs of a module that replaces %s", m.file("go.mod"), r.Old.Path)
		}
		if err := m.mod.DropReplace(r.Old.Path, r.Old.Version); err != nil {
			return nil, err
		}
	}
	m.mod.Cleanup()
	return m.mod.Format()
}

// A sum is a line of go.sum.
type sum struct {
	mod  module.Version // with /go.mod behind the version if the sum is that of go.mod
	hash string
}

// releasedSums returns go.sum with the sums of the siblings, instead of those that it had of them.
func releasedSums(goSum []byte, byPath map[string]*workModule, siblings []sum) ([]byte, error) {
	hashes := make(map[module.Version]string)
	for line := range strings.Lines(string(goSum)) {
		fields := strings.Fields(line)
		if len(fields) != 3 {
			return nil, fmt.Errorf("go.sum: a line has %d fields", len(fields))
		}
		if byPath[fields[0]] == nil {
			hashes[module.Version{Path: fields[0], Version: fields[1]}] = fields[2]
		}
	}
	for _, s := range siblings {
		hashes[s.mod] = s.hash
	}
	versions := make([]module.Version, 0, len(hashes))
	for v := range hashes {
		versions = append(versions, v)
	}
	module.Sort(versions)
	var b strings.Builder
	for _, v := range versions {
		fmt.Fprintln(&b, v.Path, v.Version, hashes[v])
	}
	return []byte(b.String()), nil
}
