package keyctl

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"maps"
	"strings"

	"github.com/schollz/progressbar/v3"
	"github.com/spf13/cobra"

	"github.com/redisimnest/redisimnest/nest"
)

// bar shows how far a walk is, on a terminal.
type bar struct {
	what string
	on   io.Writer
	bar  *progressbar.ProgressBar
}

func (t *tool) bar(what string) *bar {
	b := &bar{what: what, on: t.err}
	if t.bars && !t.json {
		b.bar = newProgressBar(t.err, what)
	}
	return b
}

func (b *bar) show(p nest.WalkProgress) {
	if b.bar != nil {
		showProgress(b.bar, b.what, p, columns(b.on))
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
			"Without a filter, --all is needed: it deletes everything that stands below this service's prefix,\n" +
			"names that nothing declares too. With a filter, those stay.",
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			ctx := cmd.Context()
			if !t.filtered() && !all {
				return usage("clear needs --where or --only, or --all for every key below this service's prefix")
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
			if t.filtered() && planned.Undeclared > 0 {
				if _, err := fmt.Fprintf(t.err, "%s that nothing declares: not deleted\n", amount(planned.Undeclared, "name")); err != nil {
					return err
				}
			}
			if dry {
				return nil
			}
			if planned.Matched == 0 {
				return t.deleted(planned)
			}
			if !force {
				if err := t.unprotected(scope.Describe(), planned); err != nil {
					return err
				}
			}
			if !yes {
				if err := t.confirm(ctx, planned); err != nil {
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
			return t.deleted(cleared)
		},
	}
	t.filterFlags(cmd)
	cmd.Flags().BoolVar(&all, "all", false, "all keys below this service's prefix, declared or not")
	cmd.Flags().BoolVar(&dry, "dry-run", false, "count what would be deleted, and end")
	cmd.Flags().BoolVar(&yes, "yes", false, "do not ask")
	cmd.Flags().BoolVar(&force, "force", false, "delete protected keys too")
	t.rateFlag(cmd)
	return cmd
}

// deleted prints what was deleted.
func (t *tool) deleted(p nest.WalkProgress) error {
	if t.json {
		return t.printJSON([]string{"deleted", "by"}, row{p.Done, p.By})
	}
	_, err := fmt.Fprintf(t.out, "deleted\t%d\n", p.Done)
	return err
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
			err = fmt.Errorf("%s: %w: --force deletes it too", d.Name, nest.ErrProtected)
		}
	})
	return err
}

// confirm asks whether keys may go. An interrupt is an answer too.
func (t *tool) confirm(ctx context.Context, p nest.WalkProgress) error {
	what := fmt.Sprintf("%s of %s", amount(p.Matched, "key"), amount(int64(len(p.By)), "declaration"))
	if !t.filtered() && p.Undeclared > 0 {
		what += fmt.Sprintf(" and %s that nothing declares", amount(p.Undeclared, "name"))
	}
	if len(t.where) > 0 {
		what += " with " + strings.Join(t.where, " and ")
	}
	if !t.asks && t.in == nil {
		return usage("nobody is there to be asked: --yes deletes %s", what)
	}
	if _, err := fmt.Fprintf(t.err, "Delete %s? Type the number of keys to go on: ", what); err != nil {
		return err
	}
	answers := make(chan string, 1)
	go func() { // which stays if nobody answers, until the process ends
		answer, _ := bufio.NewReader(t.in).ReadString('\n')
		answers <- answer
	}()
	answer := ""
	select {
	case answer = <-answers:
	case <-ctx.Done():
	}
	if !strings.HasSuffix(answer, "\n") {
		_, _ = fmt.Fprintln(t.err) // the question's line is not at its end
	}
	switch {
	case ctx.Err() != nil:
		return &codeError{ExitDeclined, errors.New("interrupted: nothing was deleted")}
	case strings.TrimSpace(answer) != fmt.Sprint(p.Matched):
		return &codeError{ExitDeclined, errors.New("that is not the number: nothing was deleted (--yes does not ask)")}
	}
	return nil
}

// amount returns how many there are of something.
func amount(n int64, noun string) string {
	if n != 1 {
		noun += "s"
	}
	return fmt.Sprintf("%d %s", n, noun)
}
