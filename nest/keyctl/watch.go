package keyctl

import (
	"errors"
	"fmt"
	"time"

	"github.com/spf13/cobra"

	"github.com/redisimnest/redisimnest/nest"
	"github.com/redisimnest/redisimnest/nest/watch"
)

func (t *tool) watchCommand() *cobra.Command {
	var enable bool
	var events []string
	var limit int
	cmd := &cobra.Command{
		Use:   "watch",
		Short: "Show what happens to keys, until interrupted",
		Args:  cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			if limit < 0 {
				return usage("--limit %d: at least 0", limit)
			}
			scope, filters, err := t.begin(cmd.Context())
			if err != nil {
				return err
			}
			opts := []watch.Option{watch.OnSubscribed(func() { _, _ = fmt.Fprintln(t.err, "watching") })}
			if enable {
				opts = append(opts, watch.Enable())
			}
			if len(events) > 0 {
				opts = append(opts, watch.Events(events...))
			}
			stamp := "15:04:05.000"
			if t.json {
				stamp = "2006-01-02T15:04:05.000Z07:00"
			}
			t.wide = false // a table would wait for its end
			out := t.rows("time", "event", "key")
			for e, err := range watch.With(opts...).Keys(cmd.Context(), scope, filters...) {
				if errors.Is(err, nest.ErrGap) {
					_, _ = fmt.Fprintf(t.err, "%s: %v\n", t.name, err)
					continue
				}
				if errors.Is(err, watch.ErrNotEnabled) {
					return fmt.Errorf("%w (here: --enable)", err)
				}
				if err != nil {
					return err
				}
				if err := out.add(time.Now().Format(stamp), e.Event, e.Match.String()); err != nil {
					return err
				}
				if out.n == limit {
					break
				}
			}
			return nil
		},
	}
	t.filterFlags(cmd)
	cmd.Flags().BoolVar(&enable, "enable", false, "switch on the notifications that are missing on the server")
	cmd.Flags().StringArrayVar(&events, "event", nil, "only events of this name")
	cmd.Flags().IntVar(&limit, "limit", 0, "end after this many events; 0 is never")
	return cmd
}
