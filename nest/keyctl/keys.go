package keyctl

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"

	"github.com/spf13/cobra"

	"github.com/redisimnest/redisimnest/nest"
)

func (t *tool) treeCommand() *cobra.Command {
	var markdown, mermaid bool
	cmd := &cobra.Command{
		Use:   "tree",
		Short: "Show what is declared, without asking a server",
		Args:  cobra.NoArgs,
		RunE: func(*cobra.Command, []string) error {
			if markdown && mermaid || t.json && (markdown || mermaid) {
				return usage("--json, --markdown and --mermaid exclude each other")
			}
			d, err := t.declared()
			if err != nil {
				return err
			}
			text := d.String()
			switch {
			case t.json:
				encoded, err := d.MarshalJSON()
				if err != nil {
					return err
				}
				text = string(encoded)
			case markdown:
				text = d.Markdown()
			case mermaid:
				text = d.Mermaid()
			}
			_, err = fmt.Fprintln(t.out, text)
			return err
		},
	}
	cmd.Flags().BoolVar(&markdown, "markdown", false, "as a table in Markdown")
	cmd.Flags().BoolVar(&mermaid, "mermaid", false, "as a graph for Mermaid")
	return cmd
}

func (t *tool) lsCommand() *cobra.Command {
	var limit int
	var undeclared bool
	cmd := &cobra.Command{
		Use:   "ls",
		Short: "List keys with their templates",
		Long:  "List keys with their templates. Names that nothing declares have no template.\nParameters that are declared as sensitive are shown as their templates.",
		Args:  cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			if limit < 0 {
				return usage("--limit %d: at least 0", limit)
			}
			scope, filters, err := t.begin(cmd.Context())
			if err != nil {
				return err
			}
			opts := widened[nest.ScanOption](filters)
			if undeclared {
				opts = append(opts, nest.Undeclared())
			}
			out := t.rows("key", "template", "kind")
			for m, err := range scope.Keys(cmd.Context(), opts...) {
				if err != nil {
					return err
				}
				kind := ""
				if def := m.Def(); def != nil {
					kind = string(def.Kind())
				}
				if err := out.add(m.String(), m.Template(), kind); err != nil {
					return err
				}
				if out.n == limit {
					break
				}
			}
			return out.end()
		},
	}
	t.filterFlags(cmd)
	cmd.Flags().IntVar(&limit, "limit", 0, "no more than this many keys; 0 is all")
	cmd.Flags().BoolVar(&undeclared, "undeclared", false, "only names that nothing declares")
	return cmd
}

func (t *tool) countCommand() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "count",
		Short: "Count keys by their templates",
		Args:  cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			scope, filters, err := t.begin(cmd.Context())
			if err != nil {
				return err
			}
			seen, err := t.count(cmd.Context(), scope, filters)
			if err != nil {
				return err
			}
			return t.counts(seen)
		},
	}
	t.filterFlags(cmd)
	return cmd
}

// count counts keys by their templates.
func (t *tool) count(ctx context.Context, scope nest.Scope, filters []nest.WalkOption) (seen nest.WalkProgress, err error) {
	report, done := t.progress("counting", &seen)
	_, err = scope.Count(ctx, append(widened[nest.ScanOption](filters), report)...)
	done()
	return seen, err
}

// counts prints numbers of keys by their templates.
func (t *tool) counts(p nest.WalkProgress) error {
	out := t.rows("template", "keys")
	for _, template := range slices.Sorted(maps.Keys(p.By)) {
		if err := out.add(template, p.By[template]); err != nil {
			return err
		}
	}
	if p.Undeclared > 0 {
		if err := out.add("", p.Undeclared); err != nil { // declared by nothing
			return err
		}
	}
	return out.end()
}

func (t *tool) getCommand() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "get KEY...",
		Short: "Show what keys hold",
		Long: "Show what keys hold, by their full names: at most the first 100 elements of each, and the newest\n" +
			"entries of a stream. Values are shown as what they are declared. What differs from the declaration\n" +
			"comes on the standard error. Secrets, passwords, secret fields and sensitive values are not shown.",
		Args: cobra.MinimumNArgs(1),
		RunE: func(cmd *cobra.Command, keys []string) error {
			if t.maxBytes < 1 {
				return usage("--max-bytes %d: at least 1", t.maxBytes)
			}
			return t.each(cmd.Context(), keys, []string{"key", "type", "part", "value"}, t.value)
		},
	}
	cmd.Flags().IntVar(&t.maxBytes, "max-bytes", 1<<20, "read no value that is longer; a collection counts with its memory on the server")
	return cmd
}

func (t *tool) ttlCommand() *cobra.Command {
	return &cobra.Command{
		Use:   "ttl KEY...",
		Short: "Show how long keys still live, and what is declared",
		Args:  cobra.MinimumNArgs(1),
		RunE: func(cmd *cobra.Command, keys []string) error {
			return t.each(cmd.Context(), keys, []string{"key", "ttl", "declared"}, func(ctx context.Context, m nest.Match, out *rows) error {
				ref := m.Ref()
				left, err := ref.TTL(ctx)
				if errors.Is(err, nest.ErrNotFound) {
					return errMissing
				}
				if err != nil {
					return err
				}
				declared := ref.DeclaredTTL()
				if declared == 0 {
					declared = nest.Forever
				}
				return out.add(m.String(), left, declared)
			})
		},
	}
}

// errMissing is the error of a key that does not exist.
var errMissing = errors.New("does not exist")

// each does something with every key. The keys that do not exist are told at the end, after all
// others.
func (t *tool) each(ctx context.Context, keys, columns []string, do func(context.Context, nest.Match, *rows) error) error {
	scope, err := t.connect(ctx)
	if err != nil {
		return err
	}
	out := t.rows(columns...)
	var missing []error
	for _, key := range keys {
		m, err := scope.Match(key)
		if err != nil {
			return &codeError{ExitUsage, fmt.Errorf("%s: %w", printable(m.String()), err)}
		}
		err = do(ctx, m, out)
		if errors.Is(err, errMissing) {
			missing = append(missing, fmt.Errorf("%s %w", printable(m.String()), errMissing))
		} else if err != nil {
			return fmt.Errorf("%s: %w", printable(m.String()), err)
		}
	}
	if err := out.end(); err != nil || len(missing) == 0 {
		return err
	}
	return &codeError{ExitNotFound, errors.Join(missing...)}
}
