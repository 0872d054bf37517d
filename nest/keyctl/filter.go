package keyctl

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"github.com/redisimnest/redisimnest/nest"
)

// filterFlags adds the flags that choose keys.
func (t *tool) filterFlags(cmd *cobra.Command) {
	cmd.Flags().StringArrayVar(&t.where, "where", nil, "only keys with this value of a parameter, as name=value; where several parameters have the name, "+
		"as template=value (user:<id>=42). The parameter must be attached with Params")
	cmd.Flags().StringArrayVar(&t.only, "only", nil, "only keys of this declaration, by its full template (see tree)")
	_ = cmd.RegisterFlagCompletionFunc("where", func(*cobra.Command, []string, string) ([]string, cobra.ShellCompDirective) {
		return t.complete(func(d nest.Description) []string {
			var names []string
			for _, p := range d.Params {
				names = append(names, p.Name+"=")
			}
			return names
		}), cobra.ShellCompDirectiveNoSpace | cobra.ShellCompDirectiveNoFileComp
	})
	_ = cmd.RegisterFlagCompletionFunc("only", func(*cobra.Command, []string, string) ([]string, cobra.ShellCompDirective) {
		return t.complete(func(d nest.Description) []string { return []string{d.Name} }), cobra.ShellCompDirectiveNoFileComp
	})
}

// complete collects what can stand for a flag's value.
func (t *tool) complete(of func(d nest.Description) []string) []string {
	d, err := t.declared()
	if err != nil {
		return nil
	}
	var all []string
	visit(d, func(d nest.Description) { all = append(all, of(d)...) })
	slices.Sort(all)
	return slices.Compact(all)
}

// visit calls f for d and everything below it.
func visit(d nest.Description, f func(nest.Description)) {
	f(d)
	for _, sub := range d.Nodes {
		visit(sub, f)
	}
}

// begin opens the tree on the server, and returns the options that the flags ask for.
func (t *tool) begin(ctx context.Context) (nest.Scope, []nest.WalkOption, error) {
	scope, err := t.connect(ctx)
	if err != nil {
		return scope, nil, err
	}
	filters, err := t.filters(scope)
	return scope, filters, err
}

// widened returns options of every walk as those of one kind of walk.
func widened[O any](opts []nest.WalkOption) []O {
	all := make([]O, 0, len(opts)+3)
	for _, opt := range opts {
		all = append(all, any(opt).(O)) //nolint:forcetypeassert // a WalkOption is an option of every walk
	}
	return all
}

// rateFlag adds the flag that slows a walk down.
func (t *tool) rateFlag(cmd *cobra.Command) {
	cmd.Flags().IntVar(&t.keysPerSecond, "rate", 0, "look at no more than this many keys a second; 0 is as fast as possible")
}

// paced adds what the flag says.
func (t *tool) paced(opts []nest.WalkOption) []nest.WalkOption {
	if t.keysPerSecond != 0 {
		opts = append(opts, nest.KeysPerSecond(t.keysPerSecond))
	}
	return opts
}

// filters returns the options that the flags ask for.
func (t *tool) filters(scope nest.Scope) ([]nest.WalkOption, error) {
	d := scope.Describe()
	var opts []nest.WalkOption
	var args []nest.Arg
	for _, text := range t.where {
		// A template can contain no '='.
		name, value, ok := strings.Cut(text, "=")
		if !ok {
			return nil, usage("--where %s: write name=value", text)
		}
		arg, err := argument(d, name, value)
		if err != nil {
			return nil, usage("--where %s=…: %w", name, err)
		}
		args = append(args, arg)
	}
	if len(args) > 0 {
		opts = append(opts, nest.Where(args...))
	}
	var nodes []nest.Node
	for _, template := range t.only {
		found := false
		visit(d, func(d nest.Description) {
			if d.Name == template && d.Node != nil && !found {
				found, nodes = true, append(nodes, d.Node)
			}
		})
		if !found {
			return nil, usage("--only %s: nothing is declared with this full template (%s tree shows them)", template, t.name)
		}
	}
	if len(nodes) > 0 {
		opts = append(opts, nest.Only(nodes...))
	}
	if _, err := scope.Filter(opts...); err != nil {
		return nil, &codeError{ExitUsage, err}
	}
	return opts, nil
}

// argument returns the value of a parameter, which is named, or by the template that it stands in.
func argument(d nest.Description, name, value string) (nest.Arg, error) {
	found := map[nest.Arg]string{} // to where it stands
	var failed error
	known := false
	visit(d, func(d nest.Description) {
		for i, p := range d.Params {
			own := i == len(d.Params)-1 && strings.Contains(d.Template, "<"+p.Name)
			if p.Name != name && (d.Template != name && d.Name != name || !own) {
				continue
			}
			known = true
			arg, err := p.Arg(value)
			if err != nil {
				failed = err
				continue
			}
			if found[arg] == "" {
				found[arg] = d.Template
			}
		}
	})
	switch {
	case len(found) == 1:
		for arg := range found {
			return arg, nil
		}
	case len(found) > 1:
		var places []string
		for _, place := range found {
			places = append(places, place)
		}
		slices.Sort(places)
		return nest.Arg{}, fmt.Errorf("several parameters have the name: write one of the templates instead: %s", strings.Join(places, ", "))
	case known:
		return nest.Arg{}, failed
	}
	names := parameters(d)
	if len(names) == 0 {
		return nest.Arg{}, errors.New("nothing here has a parameter")
	}
	return nest.Arg{}, fmt.Errorf("no parameter has this name, and no template that ends in one: there are %s", strings.Join(names, ", "))
}

// parameters returns the names of all parameters.
func parameters(d nest.Description) (names []string) {
	visit(d, func(d nest.Description) {
		for _, p := range d.Params {
			names = append(names, p.Name)
		}
	})
	slices.Sort(names)
	return slices.Compact(names)
}

// filtered reports whether a flag chooses keys.
func (t *tool) filtered() bool { return len(t.where)+len(t.only) > 0 }
