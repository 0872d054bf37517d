package keyctl

import (
	"maps"
	"slices"

	"github.com/spf13/cobra"

	"github.com/redisimnest/redisimnest/nest"
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
			scope, err := t.connect(cmd.Context())
			if err != nil {
				return err
			}
			filters, err := t.filters(scope)
			if err != nil {
				return err
			}
			var opts []nest.RotateOption
			for _, f := range filters {
				opts = append(opts, f)
			}
			if dry {
				opts = append(opts, nest.DryRun())
			}
			if t.keysPerSecond > 0 {
				opts = append(opts, nest.KeysPerSecond(t.keysPerSecond))
			}
			b := t.bar("rotating")
			report, err := nest.Rotate(cmd.Context(), scope, append(opts, nest.Progress(b.show))...)
			b.done()
			if err != nil {
				return err
			}
			if t.json {
				err = t.printJSON([]string{"dry_run", "scanned", "current", "resealed", "conflicts", "failed", "by_key_id", "clean"}, row{
					report.DryRun, report.Scanned, report.Current, report.Resealed, report.Conflicts, report.Failed, report.ByKeyID, report.Clean(),
				})
			} else {
				err = t.rotated(report)
			}
			if err == nil && report.Failed > 0 {
				err = &codeError{ExitFailed, errFailures}
			}
			return err
		},
	}
	t.filterFlags(cmd)
	cmd.Flags().BoolVar(&dry, "dry-run", false, "open and seal as it would, and write nothing")
	cmd.Flags().IntVar(&t.keysPerSecond, "rate", 0, "look at no more than this many keys a second; 0 is as fast as possible")
	return cmd
}

// rotated prints a report.
func (t *tool) rotated(report nest.RotateReport) error {
	out := t.rows("what", "values")
	lines := []row{
		{"scanned", report.Scanned}, {"current", report.Current}, {"resealed", report.Resealed},
		{"conflicts", report.Conflicts}, {"failed", report.Failed},
	}
	for _, id := range slices.Sorted(maps.Keys(report.ByKeyID)) {
		lines = append(lines, row{"sealed by key " + id, report.ByKeyID[id]})
	}
	for _, f := range report.Failures {
		lines = append(lines, row{"failed: " + f.Key + " " + f.Field, f.Err.Error()})
	}
	lines = append(lines, row{"clean", report.Clean()})
	for _, line := range lines {
		if err := out.add(line...); err != nil {
			return err
		}
	}
	return out.end()
}
