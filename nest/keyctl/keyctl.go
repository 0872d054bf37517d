// Package keyctl is a command line over a service's own keyspace: what is declared, which keys
// there are and what they hold, how many, and commands that delete keys, rotate encryption keys,
// write ACL rules and watch. A service makes it its own in one file:
//
//	func main() { keyctl.Main(keys.Root, env.Open) }
//
// The commands know the declaration: they take parameters by name, print keys with their templates,
// and never show what is sealed or declared as sensitive.
//
//	keyctl tree
//	keyctl ls --where user_id=42
//	keyctl clear --where user_id=42
//
// On a terminal there are tables and a progress bar; otherwise there is one line for each thing,
// with tabs between its parts. With --json there is one JSON object for each line.
package keyctl

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/signal"
	"path/filepath"
	"slices"
	"syscall"

	"github.com/spf13/cobra"

	"github.com/redisimnest/redisimnest/nest"
)

// The exit codes.
const (
	ExitOK       = 0
	ExitFailed   = 1 // an error, which is on the standard error
	ExitUsage    = 2 // a command line that means nothing
	ExitNotFound = 3 // a key that does not exist
	ExitDeclined = 4 // a question that was not answered with yes
)

// Opener opens a tree, as [github.com/redisimnest/redisimnest/env.Open] does. The function that it
// returns closes the client.
type Opener = func(ctx context.Context, root *nest.ClusterDef, opts ...nest.OpenOption) (nest.Scope, func(), error)

// Main runs the command line of this process and ends the process with an exit code. An interrupt
// ends the running command.
func Main(root *nest.ClusterDef, open Opener, opts ...nest.OpenOption) {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	t := &tool{
		root: root, open: open, opts: opts, name: filepath.Base(os.Args[0]),
		in: os.Stdin, out: os.Stdout, err: os.Stderr, asks: isTerminal(os.Stdin), wide: isTerminal(os.Stdout), bars: isTerminal(os.Stderr),
	}
	code := t.run(ctx, os.Args[1:])
	stop()
	os.Exit(code)
}

// Run runs one command line, without the program's name, and returns the exit code. It is for
// programs that have other commands too, and for tests. Nothing is taken for a terminal.
func Run(ctx context.Context, root *nest.ClusterDef, open Opener, args []string, in io.Reader, out, errOut io.Writer, opts ...nest.OpenOption) int {
	t := &tool{root: root, open: open, opts: opts, name: "keyctl", in: in, out: out, err: errOut}
	return t.run(ctx, args)
}

// tool is one run of a command line.
type tool struct {
	root *nest.ClusterDef
	open Opener
	opts []nest.OpenOption
	name string

	in            io.Reader
	out, err      io.Writer
	asks          bool // someone is there to be asked
	wide, bars    bool // the output, and the errors, go to a terminal
	json          bool
	where, only   []string
	scope         nest.Scope
	closeScope    func()
	keysPerSecond int
	maxBytes      int
}

// codeError is an error with an exit code.
type codeError struct {
	code int
	err  error
}

func (e *codeError) Error() string { return e.err.Error() }
func (e *codeError) Unwrap() error { return e.err }

func usage(format string, args ...any) error {
	return &codeError{ExitUsage, fmt.Errorf(format, args...)}
}

func (t *tool) run(ctx context.Context, args []string) int {
	cmd := t.command()
	cmd.SetArgs(args)
	cmd.SetIn(t.in)
	cmd.SetOut(t.out)
	cmd.SetErr(t.err)
	cmd.InitDefaultCompletionCmd()
	for _, sub := range cmd.Commands() {
		if sub.Name() == "completion" {
			sub.Args = cobra.ArbitraryArgs
			sub.RunE = func(*cobra.Command, []string) error {
				return usage("completion needs one of the shells bash, zsh, fish and powershell")
			}
		}
	}
	began := false
	cmd.PersistentPreRun = func(*cobra.Command, []string) { began = true }
	err := cmd.ExecuteContext(ctx)
	if t.closeScope != nil {
		t.closeScope()
	}
	if err == nil {
		return ExitOK
	}
	_, _ = fmt.Fprintf(t.err, "%s: %v\n", t.name, err)
	if coded, ok := errors.AsType[*codeError](err); ok {
		return coded.code
	}
	if !began {
		return ExitUsage // what the command line says was refused
	}
	return ExitFailed
}

// command returns the command with all its subcommands.
func (t *tool) command() *cobra.Command {
	cmd := &cobra.Command{
		Use:           t.name,
		Short:         "Look after the keys that this service declares",
		SilenceErrors: true,
		SilenceUsage:  true,
		Args:          cobra.NoArgs,
		RunE:          func(cmd *cobra.Command, _ []string) error { return cmd.Help() },
		CompletionOptions: cobra.CompletionOptions{
			HiddenDefaultCmd: false,
		},
	}
	cmd.PersistentFlags().BoolVar(&t.json, "json", false, "print JSON, one object a line")
	cmd.AddCommand(t.treeCommand(), t.lsCommand(), t.getCommand(), t.ttlCommand(), t.countCommand(), t.clearCommand(),
		t.rotateCommand(), t.migrateCommand(), t.aclCommand(), t.watchCommand(), t.auditCommand())
	return cmd
}

// connect opens the tree on the server.
func (t *tool) connect(ctx context.Context) (nest.Scope, error) {
	scope, closeScope, err := t.open(ctx, t.root, t.opts...)
	if err != nil {
		return scope, err
	}
	t.closeScope = closeScope
	if t.scope = scope; scope.Err() != nil {
		return scope, scope.Err()
	}
	return scope, nil
}

// declared returns the description of the tree. It needs no server.
func (t *tool) declared() (nest.Description, error) {
	s, err := t.unbound()
	if err != nil {
		return nest.Description{}, err
	}
	return s.Describe(), nil
}

// unbound opens the tree without a server.
func (t *tool) unbound() (nest.Scope, error) {
	return nest.Open(nil, t.root, append(slices.Clip(t.opts), nest.NamesOnly())...)
}
