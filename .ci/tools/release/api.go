package main

import (
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"go/types"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"

	"golang.org/x/exp/apidiff"
	"golang.org/x/mod/semver"
	"golang.org/x/tools/go/packages"
)

// checkAPI compares the API of each released module with that of the latest release. Incompatible
// changes fail, unless that release is a v0 and the changelog names each of them under "###
// Breaking".
func checkAPI(out *strings.Builder, root string) error {
	tags, err := git(root, nil, "tag", "--list", "v*")
	if err != nil {
		return err
	}
	changes, err := readChanges(root)
	if err != nil {
		return err
	}
	latest := latestRelease(strings.Fields(tags))
	if latest == "" {
		if version, released := changes.latest(); released {
			return fmt.Errorf("%s has a section %s, and this clone knows no tag of a release: fetch the tags", changelog, version)
		}
		fmt.Fprintln(out, "nothing was compared: this clone knows no tag of a release (vX.Y.Z)")
		return nil
	}
	dir, err := os.MkdirTemp("", "release")
	if err != nil {
		return err
	}
	defer func() { _ = os.RemoveAll(dir) }()
	if err := extract(root, latest, dir); err != nil {
		return err
	}
	before, err := loadAPIs(dir)
	if err != nil {
		return fmt.Errorf("%s: %w", latest, err)
	}
	now, err := loadAPIs(root)
	if err != nil {
		return err
	}
	since, err := changes.since(latest)
	if err != nil {
		return err
	}
	var announced []string
	for _, s := range since {
		announced = append(announced, breaking(s))
	}
	return compareAPIs(out, latest, before, now, strings.Join(announced, "\n"))
}

// latestRelease returns the highest version among tags, or "". Versions that are no releases, such
// as v0.2.0-rc.1, do not count.
func latestRelease(tags []string) string {
	latest := ""
	for _, tag := range tags {
		if semver.Canonical(tag) == tag && semver.Prerelease(tag) == "" && semver.Compare(tag, latest) > 0 {
			latest = tag
		}
	}
	return latest
}

// extract writes the files of a tag to dir.
func extract(root, tag, dir string) error {
	archive := filepath.Join(dir, "archive.tar")
	if _, err := git(root, nil, "archive", "--output", archive, tag); err != nil {
		return err
	}
	if said, err := exec.Command("tar", "-xf", archive, "-C", dir).CombinedOutput(); err != nil {
		return fmt.Errorf("tar: %w: %s", err, said)
	}
	return os.Remove(archive)
}

// loadAPIs returns the packages of the released modules that other modules can import. Their types
// come from the source: to compile what has been released takes far longer.
func loadAPIs(root string) ([]*apidiff.Module, error) {
	modules, err := workspace(root)
	if err != nil {
		return nil, err
	}
	var apis []*apidiff.Module
	var patterns, paths []string
	byPath := make(map[string]*apidiff.Module)
	for _, m := range modules {
		if m.released {
			patterns = append(patterns, "./"+m.dir+"/...")
			api := &apidiff.Module{Path: m.path}
			apis, byPath[m.path] = append(apis, api), api
		}
	}
	cfg := &packages.Config{
		Mode: packages.NeedName,
		Dir:  root,
		// The program itself is built outside of the workspace.
		Env:       append(os.Environ(), "GOWORK="+filepath.Join(root, "go.work"), "CGO_ENABLED=0"),
		ParseFile: parseIn(root),
	}
	found, err := packages.Load(cfg, patterns...)
	if err != nil {
		return nil, err
	}
	for _, p := range found {
		if p.Name != "main" && !slices.Contains(strings.Split(p.PkgPath, "/"), "internal") {
			paths = append(paths, p.PkgPath)
		}
	}
	cfg.Mode |= packages.NeedModule | packages.NeedFiles | packages.NeedCompiledGoFiles | packages.NeedImports | packages.NeedDeps |
		packages.NeedSyntax | packages.NeedTypes | packages.NeedTypesSizes
	loaded, err := packages.Load(cfg, paths...)
	if err != nil {
		return nil, err
	}
	for _, p := range loaded {
		if len(p.Errors) > 0 {
			return nil, p.Errors[0]
		}
		api := byPath[p.Module.Path]
		api.Packages = append(api.Packages, p.Types)
	}
	return apis, nil
}

// parseIn returns a parser of files that leaves out the functions' bodies of those outside of
// root: of them only the types are needed.
func parseIn(root string) func(*token.FileSet, string, []byte) (*ast.File, error) {
	return func(fset *token.FileSet, name string, src []byte) (*ast.File, error) {
		file, err := parser.ParseFile(fset, name, src, parser.SkipObjectResolution)
		if file != nil && !strings.HasPrefix(name, root+string(filepath.Separator)) {
			for _, decl := range file.Decls {
				if f, ok := decl.(*ast.FuncDecl); ok {
					f.Body = nil
				}
			}
		}
		return file, err
	}
}

// compareAPIs prints what changed since the version latest, and fails on an incompatible change
// that announced does not name.
func compareAPIs(out *strings.Builder, latest string, before, now []*apidiff.Module, announced string) error {
	var missing []string
	for _, old := range before {
		at := slices.IndexFunc(now, func(m *apidiff.Module) bool { return m.Path == old.Path })
		if at < 0 {
			now, at = append(now, &apidiff.Module{Path: old.Path, Packages: []*types.Package{}}), len(now)
		}
		added, broken := 0, 0
		report := apidiff.ModuleChanges(old, now[at])
		slices.SortFunc(report.Changes, func(a, b apidiff.Change) int { return strings.Compare(a.Message, b.Message) })
		for _, c := range report.Changes {
			if c.Compatible {
				added++
				continue
			}
			broken++
			fmt.Fprintf(out, "%s: %s\n", old.Path, c.Message)
			if name := changedName(c.Message); semver.Major(latest) != "v0" || !names(announced, name) {
				missing = append(missing, name)
			}
		}
		fmt.Fprintf(out, "%s since %s: %d compatible changes, %d incompatible\n", old.Path, latest, added, broken)
	}
	switch {
	case len(missing) == 0:
		return nil
	case semver.Major(latest) != "v0":
		return fmt.Errorf("incompatible with %s, which a new major version only may be: %s", latest, strings.Join(missing, ", "))
	}
	return fmt.Errorf("incompatible with %s, and since then not named under \"### Breaking\" in %s: %s",
		latest, changelog, strings.Join(missing, ", "))
}

// changedName returns what a message of apidiff is about, as in "Cluster" or "KeyDef.Get", or the
// path of a package.
func changedName(message string) string {
	if pkg, found := strings.CutPrefix(message, "package "); found {
		pkg, _, _ = strings.Cut(pkg, ": ")
		return pkg
	}
	name, _, _ := strings.Cut(message, ": ")
	name, _, _ = strings.Cut(name, ",")
	if strings.HasPrefix(name, "./") {
		// The package's path ends with the first dot after the last slash.
		name = name[strings.LastIndex(name, "/")+1:]
		_, name, _ = strings.Cut(name, ".")
	}
	name = regexp.MustCompile(`\[.*\]`).ReplaceAllString(name, "") // type parameters
	return strings.NewReplacer("(", "", ")", "", "*", "").Replace(name)
}

// names reports whether a text has a name as a whole word.
func names(text, name string) bool {
	return regexp.MustCompile(`(^|\W)` + regexp.QuoteMeta(name) + `($|\W)`).MatchString(text)
}
