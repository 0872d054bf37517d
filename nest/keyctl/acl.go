package keyctl

import (
	"fmt"
	"strings"
	"unicode"

	"github.com/spf13/cobra"

	"github.com/redisimnest/redisimnest/nest"
	"github.com/redisimnest/redisimnest/nest/acl"
)

func (t *tool) aclCommand() *cobra.Command {
	var readOnly, ask, noWalks, watches bool
	cmd := &cobra.Command{
		Use:   "acl [USER]",
		Short: "Write the ACL rules of a user who works with these keys",
		Long: "Write the ACL rules of a user who works with these keys: a line for an ACL file, after its user and\n" +
			"password. What a user who may only read cannot do comes on the standard error.",
		Args: cobra.MaximumNArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			if len(args) == 1 && (args[0] == "" || strings.ContainsFunc(args[0], func(c rune) bool { return unicode.IsSpace(c) || !unicode.IsPrint(c) })) {
				return usage("acl %q: a user's name has no spaces", args[0])
			}
			scope, err := t.unbound()
			if err != nil {
				return err
			}
			mode := acl.ReadWrite
			if readOnly {
				mode = acl.ReadOnly
			}
			var opts []acl.Option
			if noWalks {
				opts = append(opts, acl.WithoutWalks())
			}
			if watches {
				opts = append(opts, acl.Watching(0))
			}
			if ask {
				connected, err := t.connect(cmd.Context())
				if err != nil {
					return err
				}
				opts = append(opts, acl.On(cmd.Context(), connected.Client()))
				scope = connected
			}
			for _, template := range t.only {
				var node nest.Node
				visit(scope.Describe(), func(d nest.Description) {
					if d.Name == template && node == nil {
						node = d.Node
					}
				})
				if node == nil {
					return usage("--only %s: nothing is declared with this full template", template)
				}
				opts = append(opts, acl.Only(node))
			}
			rules, err := acl.Rules(scope, mode, opts...)
			if err != nil {
				return err
			}
			refused, err := acl.Refused(scope, mode, opts...)
			if err != nil {
				return err
			}
			if t.json {
				return t.printJSON([]string{"rules", "refused"}, row{rules, refused})
			}
			if len(args) == 1 {
				rules = append([]string{"user", args[0]}, rules...)
			}
			if _, err := fmt.Fprintln(t.out, strings.Join(rules, " ")); err != nil {
				return err
			}
			for _, r := range refused {
				if _, err := fmt.Fprintln(t.err, r); err != nil {
					return err
				}
			}
			return nil
		},
	}
	cmd.Flags().BoolVar(&readOnly, "read-only", false, "of a user who only reads")
	cmd.Flags().BoolVar(&ask, "ask", false, "leave out the commands that the server does not know")
	cmd.Flags().BoolVar(&noWalks, "no-walks", false, "without SCAN, which shows the names of all keys of the server")
	cmd.Flags().BoolVar(&watches, "watch", false, "with the rights to watch (database 0)")
	cmd.Flags().StringArrayVar(&t.only, "only", nil, "only keys of this declaration, by its full template")
	return cmd
}
