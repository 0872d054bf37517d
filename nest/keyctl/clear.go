package keyctl

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"maps"
	"strings"

	"github.com/schollz/progressbar/v3"
	"github.com/spf13/cobra"

	"github.com/redisimnest/redisimnest/nest"
)

// bar shows how far a walk is, on a terminal.
type bar struct {
	what string
	bar  *progressbar.ProgressBar
}

func (t *tool) bar(what string) *bar {
	b := &bar{what: what}
	if t.bars && !t.json {
		b.bar = newProgressBar(t.err, what)
	}
	return b
}

func (b *bar) show(p nest.WalkProgress) {
	if b.bar != nil {
		showProgress(b.bar, b.what, p)
	}
}

func (b *bar) done() {
	if b.bar != nil {
		_ = b.bar.Finish()
	}
}

// progress returns the option that shows how far a walk is, and that keeps what it said last in
// end, unless that is nil.
func (t *tool) progress(what string, end *nest.WalkProgress) (report nest.WalkOption, done func()) {
	b := t.bar(what)
	return nest.Progress(func(p nest.WalkProgress) {
		if b.show(p); end != nil {
			*end = p
			end.By = maps.Clone(p.By)
		}
	}), b.done
}

func (t *tool) clearCommand() *cobra.Command {
	var yes, force, dry, all bool
	cmd := &cobra.Command{
		Use:   "clear",
		Short: "Delete keys, after a dry run and a question",
		Long: "Delete keys. First they are counted, then a question names what goes, and then they are deleted.\n" +
			"Without a filter, --all is needed: it deletes everything that this service declares.",
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			ctx := cmd.Context()
			if !t.filtered() && !all {
				return usage("clear needs --where or --only, or --all for every key of this service")
			}
			if t.filtered() && all {
				return usage("--all is for everything: leave it out, or the filters")
			}
			scope, filters, err := t.begin(ctx)
			if err != nil {
				return err
			}
			planned, err := t.clear(ctx, "counting", scope, filters, nest.DryRun())
			if err != nil {
				return err
			}
			if dry || !t.json {
				if err := t.counts(planned); err != nil {
					return err
				}
			}
			if dry || planned.Matched == 0 {
				return nil
			}
			if !force {
				if err := t.unprotected(scope.Describe(), planned); err != nil {
					return err
				}
			}
			if !yes {
				if err := t.confirm(planned); err != nil {
					return err
				}
			}
			opts := []nest.ClearOption{}
			if force {
				opts = append(opts, nest.Force())
			}
			cleared, err := t.clear(ctx, "deleting", scope, filters, opts...)
			if err != nil {
				if errors.Is(err, nest.ErrProtected) {
					return fmt.Errorf("%w (--force)", err)
				}
				return err
			}
			if t.json {
				return t.printJSON([]string{"deleted", "by"}, row{cleared.Done, cleared.By})
			}
			_, err = fmt.Fprintf(t.out, "deleted\t%d\n", cleared.Done)
			return err
		},
	}
	t.filterFlags(cmd)
	cmd.Flags().BoolVar(&all, "all", false, "all keys that this service declares")
	cmd.Flags().BoolVar(&dry, "dry-run", false, "count what would be deleted, and end")
	cmd.Flags().BoolVar(&yes, "yes", false, "do not ask")
	cmd.Flags().BoolVar(&force, "force", false, "delete protected keys too")
	t.rateFlag(cmd)
	return cmd
}

// clear runs one pass of Clear and returns what it did at its end.
func (t *tool) clear(ctx context.Context, what string, scope nest.Scope, filters []nest.WalkOption, opts ...nest.ClearOption) (end nest.WalkProgress, err error) {
	report, done := t.progress(what, &end)
	opts = append(opts, widened[nest.ClearOption](t.paced(filters))...)
	_, err = scope.Clear(ctx, append(opts, report)...)
	done()
	return end, err
}

// unprotected returns an error if protected keys would go. It comes before the question, where
// Clear would refuse only afterwards.
func (t *tool) unprotected(d nest.Description, planned nest.WalkProgress) (err error) {
	visit(d, func(d nest.Description) {
		if d.Kind != nest.KindCluster && d.Protected && (!t.filtered() || planned.By[d.Name] > 0) && err == nil {
			err = fmt.Errorf("%s: %w (--force)", d.Name, nest.ErrProtected)
		}
	})
	return err
}

// confirm asks whether keys may go.
func (t *tool) confirm(p nest.WalkProgress) error {
	what := fmt.Sprintf("%d keys of %d declarations", p.Matched, len(p.By))
	if len(t.where) > 0 {
		what += " with " + strings.Join(t.where, " and ")
	}
	if !t.asks && t.in == nil {
		return usage("nobody is there to be asked: --yes deletes %s", what)
	}
	if _, err := fmt.Fprintf(t.err, "Delete %s? Type the number of keys to go on: ", what); err != nil {
		return err
	}
	answer, _ := bufio.NewReader(t.in).ReadString('\n')
	if strings.TrimSpace(answer) != fmt.Sprint(p.Matched) {
		return &codeError{ExitDeclined, errors.New("nothing was deleted")}
	}
	return nil
}
