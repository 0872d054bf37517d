package keyctl

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/redisimnest/redisimnest/nest"
	"github.com/redisimnest/redisimnest/nest/audit"
)

// ExitFound is the exit code of an audit that has found what --fail names.
const ExitFound = 5

// auditFlags are the flags of the command audit.
type auditFlags struct {
	values   int
	sample   string
	examples int
	ceiling  time.Duration
	format   string
	output   string
	resume   string
	against  string
	fail     []string
}

func (t *tool) auditCommand() *cobra.Command {
	var f auditFlags
	cmd := &cobra.Command{
		Use:   "audit",
		Short: "Say what is in Redis, and what of it is not as declared",
		Long: "Say what is in Redis, and what of it is not as declared. It only reads. If it is interrupted, the report\n" +
			"is about what was audited until then, and --continue goes on with one that was written as JSON.",
		Example: "  audit --ceiling 1ms --output report.html\n  audit --values 1048576 --fail all\n  audit --output today.json --against yesterday.json",
		Args:    cobra.NoArgs,
		RunE:    func(cmd *cobra.Command, _ []string) error { return t.audit(cmd, &f) },
	}
	t.filterFlags(cmd)
	cmd.Flags().IntVar(&f.values, "values", 0, "read and decode values of up to this many bytes; 0 reads none")
	cmd.Flags().StringVar(&f.sample, "sample", strconv.Itoa(audit.DefaultSample), "measure the memory of this many keys of each declaration, or of \"all\"; 0 is none")
	cmd.Flags().IntVar(&f.examples, "examples", audit.DefaultExamples, "name this many keys for each finding")
	cmd.Flags().DurationVar(&f.ceiling, "ceiling", 0, "slow down where a PING takes this much longer than without the audit, such as 1ms; 0 is no ceiling")
	t.rateFlag(cmd)
	cmd.Flags().StringVar(&f.format, "format", "", "text, markdown, json or html; the default is what the name of the output says, else text")
	cmd.Flags().StringVar(&f.output, "output", "", "write the report to this file")
	cmd.Flags().StringVar(&f.resume, "continue", "", "go on with the audit whose report, as JSON, is in this file")
	cmd.Flags().StringVar(&f.against, "against", "", "also print what has changed since the report, as JSON, in this file")
	cmd.Flags().StringSliceVar(&f.fail, "fail", nil, "end with exit code "+strconv.Itoa(ExitFound)+" if there are findings of these kinds, or of \"all\"")
	_ = cmd.RegisterFlagCompletionFunc("fail", func(*cobra.Command, []string, string) ([]string, cobra.ShellCompDirective) {
		all := []string{"all"}
		for _, kind := range audit.Kinds() {
			all = append(all, string(kind))
		}
		return all, cobra.ShellCompDirectiveNoFileComp
	})
	return cmd
}

func (t *tool) audit(cmd *cobra.Command, f *auditFlags) error {
	form, err := f.form(t.json)
	if err != nil {
		return err
	}
	opts, err := f.options()
	if err != nil {
		return err
	}
	kinds := f.kinds()
	// What is refused of a report without findings is refused of any.
	if err := (&audit.Report{Complete: true, Values: f.values}).Err(kinds...); err != nil {
		return usage("--fail: %w", err)
	}
	var earlier *audit.Report
	if f.against != "" {
		if earlier, err = readReport(f.against); err != nil {
			return err
		}
	}
	scope, filters, err := t.begin(cmd.Context())
	if err != nil {
		return err
	}
	if err := f.writable(); err != nil { // known now, and not after an hour
		return err
	}
	progress, done := t.progress("auditing", nil)
	report, failed := audit.Run(cmd.Context(), scope, append(opts, audit.Walk(append(t.paced(filters), progress)...))...)
	done()
	if report == nil {
		return failed
	}
	err = f.write(t.out, form, report)
	if err == nil && earlier != nil {
		_, err = fmt.Fprintf(t.err, "%s\n", audit.Diff(earlier, report))
	}
	if err := errors.Join(failed, err); err != nil || len(f.fail) == 0 {
		return err
	}
	switch err := report.Err(kinds...); {
	case errors.Is(err, nest.ErrArgument), errors.Is(err, audit.ErrUnchecked):
		return usage("--fail: %w", err)
	case err != nil:
		return &codeError{ExitFound, err}
	}
	return nil
}

// kinds returns the kinds of findings that are failures, or none for all of them.
func (f *auditFlags) kinds() (kinds []nest.ProblemKind) {
	for _, kind := range f.fail {
		if kind == "all" {
			return nil
		}
		kinds = append(kinds, nest.ProblemKind(kind))
	}
	return kinds
}

// writable returns an error if the output cannot be written. What it has stays.
func (f *auditFlags) writable() error {
	if f.output == "" {
		return nil
	}
	_, missing := os.Stat(f.output)
	file, err := os.OpenFile(f.output, os.O_CREATE|os.O_WRONLY, 0o666) //nolint:gosec // as os.Create makes it
	if err != nil {
		return usage("--output: %w", err)
	}
	if err := file.Close(); err != nil || missing == nil {
		return err
	}
	return os.Remove(f.output)
}

// options returns the options that the flags ask for.
func (f *auditFlags) options() ([]audit.Option, error) {
	opts := []audit.Option{audit.Examples(f.examples)}
	if f.sample == "all" {
		opts = append(opts, audit.SampleMemory(audit.All))
	} else {
		n, err := strconv.Atoi(f.sample)
		if err != nil {
			return nil, usage("--sample %s: a number, or all", f.sample)
		}
		opts = append(opts, audit.SampleMemory(n))
	}
	if f.values != 0 {
		opts = append(opts, audit.CheckValues(f.values))
	}
	if f.ceiling != 0 {
		opts = append(opts, audit.MaxAddedLatency(f.ceiling))
	}
	if f.resume != "" {
		earlier, err := readReport(f.resume)
		if err != nil {
			return nil, err
		}
		opts = append(opts, audit.Continue(earlier))
	}
	return opts, nil
}

// form returns the function that writes a report in the form that the flags ask for.
func (f *auditFlags) form(asJSON bool) (func(io.Writer, *audit.Report) error, error) {
	name := f.format
	if name == "" {
		switch filepath.Ext(f.output) {
		case ".html":
			name = "html"
		case ".md":
			name = "markdown"
		case ".json":
			name = "json"
		}
	}
	if name == "" && asJSON {
		name = "json"
	}
	switch name {
	case "", "text":
		return func(w io.Writer, r *audit.Report) error { _, err := io.WriteString(w, r.String()); return err }, nil
	case "markdown":
		return func(w io.Writer, r *audit.Report) error { _, err := io.WriteString(w, r.Markdown()); return err }, nil
	case "html":
		return func(w io.Writer, r *audit.Report) error { return r.HTML(w) }, nil
	case "json":
		return func(w io.Writer, r *audit.Report) error {
			e := json.NewEncoder(w)
			e.SetEscapeHTML(false) // templates are full of angle brackets
			return e.Encode(r)
		}, nil
	}
	return nil, usage("--format %s: text, markdown, json or html", name)
}

// write writes a report to the output.
func (f *auditFlags) write(out io.Writer, form func(io.Writer, *audit.Report) error, r *audit.Report) error {
	if f.output == "" {
		return form(out, r)
	}
	file, err := os.Create(f.output)
	if err != nil {
		return err
	}
	return errors.Join(form(file, r), file.Close())
}

// readReport reads a report that was written as JSON.
func readReport(path string) (*audit.Report, error) {
	data, err := os.ReadFile(path)
	if err != nil {
		return nil, usage("%w", err)
	}
	var r audit.Report
	if err := json.Unmarshal(data, &r); err != nil || r.Began.IsZero() {
		return nil, usage("%s is no report of an audit as JSON", strings.TrimSpace(path))
	}
	return &r, nil
}
