package keyctl

import (
	"errors"
	"maps"
	"slices"

	"github.com/spf13/cobra"

	"github.com/redisimnest/redisimnest/nest"
)

// The errors of passes that have left something as it is.
var (
	errFailures = errors.New("some values could not be sealed again")
	errLeft     = errors.New("some keys could not be moved")
)

func (t *tool) rotateCommand() *cobra.Command {
	var dry bool
	cmd := &cobra.Command{
		Use:   "rotate",
		Short: "Seal everything with the primary encryption key",
		Long: "Seal everything with the primary encryption key. The exit code is 0 only if a whole pass found\n" +
			"nothing that fails; a pass that finds everything sealed by the primary key says \"clean\".",
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			scope, filters, err := t.begin(cmd.Context())
			if err != nil {
				return err
			}
			opts := widened[nest.RotateOption](t.paced(filters))
			if dry {
				opts = append(opts, nest.DryRun())
			}
			progress, done := t.progress("rotating", nil)
			report, err := nest.Rotate(cmd.Context(), scope, append(opts, progress)...)
			done()
			if err != nil {
				return err
			}
			var failures []row
			for _, f := range report.Failures {
				failures = append(failures, row{"failed: " + f.Key + " " + f.Field, f.Err.Error()})
			}
			err = t.passed([]string{"dry_run", "scanned", "current", "resealed", "conflicts", "failed", "by_key_id", "clean"}, row{
				report.DryRun, report.Scanned, report.Current, report.Resealed, report.Conflicts, report.Failed, report.ByKeyID, report.Clean(),
			}, "sealed by key ", failures)
			if err == nil && report.Failed > 0 {
				err = &codeError{ExitFailed, errFailures}
			}
			return err
		},
	}
	t.passFlags(cmd, &dry, "open and seal as it would, and write nothing")
	return cmd
}

func (t *tool) migrateCommand() *cobra.Command {
	var dry bool
	cmd := &cobra.Command{
		Use:   "migrate",
		Short: "Move keys from their former names to the present ones",
		Long: "Move keys from their former names to the present ones. A key that exists under both names is left\n" +
			"as it is, and named. The exit code is 0 only if nothing was left; a whole pass that finds no former\n" +
			"name says \"clean\".",
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			scope, filters, err := t.begin(cmd.Context())
			if err != nil {
				return err
			}
			opts := widened[nest.MigrateOption](t.paced(filters))
			if dry {
				opts = append(opts, nest.DryRun())
			}
			progress, done := t.progress("moving", nil)
			report, err := nest.Migrate(cmd.Context(), scope, append(opts, progress)...)
			done()
			if errors.Is(err, nest.ErrArgument) {
				err = &codeError{ExitUsage, err}
			}
			if err != nil {
				return err
			}
			var failures []row
			for _, f := range report.Failures {
				failures = append(failures, row{"left: " + f.Key, f.Err.Error()})
			}
			err = t.passed([]string{"dry_run", "found", "moved", "both", "gone", "failed", "by", "clean"}, row{
				report.DryRun, report.Found, report.Moved, report.Both, report.Gone, report.Failed, report.By, report.Clean(),
			}, "moved ", failures)
			if err == nil && report.Failed+report.Both > 0 {
				err = &codeError{ExitFailed, errLeft}
			}
			return err
		},
	}
	t.passFlags(cmd, &dry, "find what it would move, and write nothing")
	return cmd
}

// passFlags adds the flags of a pass over all keys.
func (t *tool) passFlags(cmd *cobra.Command, dry *bool, whatDry string) {
	t.filterFlags(cmd)
	cmd.Flags().BoolVar(dry, "dry-run", false, whatDry)
	t.rateFlag(cmd)
}

// passed prints the report of a pass: as JSON, or line by line. In lines, the numbers of a map come
// one by one after the word of, and the failures before the last cell.
func (t *tool) passed(columns []string, cells row, of string, failures []row) error {
	if t.json {
		return t.printJSON(columns, cells)
	}
	out := t.rows("what", "values")
	for i, column := range columns {
		by, several := cells[i].(map[string]int64)
		if column == "dry_run" {
			continue
		}
		lines := []row{{column, cells[i]}}
		if several {
			lines = nil
			for _, name := range slices.Sorted(maps.Keys(by)) {
				what := of + name
				if name == "" {
					what = "sealed by no key"
				}
				lines = append(lines, row{what, by[name]})
			}
		}
		if i == len(columns)-1 {
			lines = append(slices.Clip(failures), lines...)
		}
		for _, line := range lines {
			if err := out.add(line...); err != nil {
				return err
			}
		}
	}
	return out.end()
}
