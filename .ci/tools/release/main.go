// Command release prepares the release of all modules of this repository, and compares their APIs
// with those of the release before:
//
//	release plan VERSION       prints the tags in their order, and what each go.mod gets
//	release write VERSION      writes the files go.mod and go.sum as they are released
//	release tags VERSION       prints the tags, once what they name is committed as written
//	release proxy VERSION DIR  makes DIR a module proxy that has the modules in that version
//	release api                fails on changes of the API that CHANGELOG.md does not announce
//
// It runs anywhere in a clone, and reads the files that git tracks, as they are in the working
// tree. CONTRIBUTING.md has the steps of a release.
package main

import (
	"errors"
	"fmt"
	"os"
	"strings"
)

const usage = "usage: release plan VERSION | write VERSION | tags VERSION | proxy VERSION DIR | api"

func main() {
	root, err := git("", nil, "rev-parse", "--show-toplevel")
	var out strings.Builder
	if err == nil {
		err = run(&out, strings.TrimSpace(root), os.Args[1:])
	}
	fmt.Print(out.String())
	if err != nil {
		fmt.Fprintln(os.Stderr, "release:", err)
		os.Exit(1)
	}
}

func run(out *strings.Builder, root string, args []string) error {
	verb := strings.Join(args, " ")
	switch {
	case verb == "api":
		return checkAPI(out, root)
	case len(args) == 3 && args[0] == "proxy":
		_, err := newPlan(root, args[1], args[2])
		return err
	case len(args) != 2:
		return errors.New(usage)
	}
	dir, err := os.MkdirTemp("", "release")
	if err != nil {
		return err
	}
	defer func() { _ = os.RemoveAll(dir) }()
	p, err := newPlan(root, args[1], dir)
	if err != nil {
		return err
	}
	switch args[0] {
	case "plan":
		p.print(out)
		return nil
	case "write":
		return p.write()
	case "tags":
		if err := p.ready(); err != nil {
			return err
		}
		for _, m := range p.modules {
			if m.released {
				fmt.Fprintln(out, m.tag(p.version))
			}
		}
		return nil
	}
	return errors.New(usage)
}
