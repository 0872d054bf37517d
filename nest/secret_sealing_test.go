package nest

import (
	"os"
	"os/exec"
	"path/filepath"
	"reflect"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/redisimnest/redisimnest/secure"
)

// Package secure implements the interfaces that this package asks for.
var (
	_ Sealer = (*secure.Keyring)(nil)
	_ Sealer = (*secure.Holder)(nil)
	_ Hasher = (*secure.Passwords)(nil)
)

func keyring(t *testing.T) *secure.Keyring {
	t.Helper()
	ring, err := secure.NewKeyring(secure.GenerateKey())
	require.NoError(t, err)
	return ring
}

// A program that declares no secret links no cryptography except that of the connection.
func TestThisPackageBringsNoCryptography(t *testing.T) {
	deps, err := exec.Command("go", "list", "-deps", ".").Output()
	require.NoError(t, err)
	require.Contains(t, string(deps), "rueidis", "the list is that of this package")
	for dep := range strings.Lines(string(deps)) {
		dep = strings.TrimSpace(dep)
		require.False(t, strings.HasPrefix(dep, "golang.org/x/crypto"), dep)
		require.NotContains(t, dep, "redisimnest/secure")
	}
}

func TestSecretsNeedAKeyring(t *testing.T) {
	tree := Cluster("root", Sub(Secret[string]("first"), Cluster("user:<id>", Sub(Secret[int]("second"))), Key[int]("third")))
	err := Check(tree)
	require.ErrorIs(t, err, ErrNoKeyring)
	require.ErrorIs(t, err, ErrDeclaration)
	require.ErrorContains(t, err, `"root:first"`)
	require.ErrorContains(t, err, `"root:user:<id>:second"`)
	require.ErrorContains(t, err, "sealing_test.go:")
	require.NotContains(t, err.Error(), "third")

	_, err = Open(nil, tree)
	require.ErrorIs(t, err, ErrNoKeyring)
	require.NoError(t, Check(tree, WithKeyring(keyring(t))))
	require.NoError(t, Check(tree, NamesOnly()), "names need no keyring")

	for _, none := range []Sealer{nil, (*secure.Keyring)(nil), (*secure.Holder)(nil)} {
		require.ErrorContains(t, Check(tree, WithKeyring(none)), "nil keyring")
	}
}

func TestSecretDeclarations(t *testing.T) {
	d := Secret[int]("limit:<n>", Default(3), TTL(60), Doc("how many"))
	require.Equal(t, KindSecret, d.Kind())
	require.Equal(t, "int", d.GoType())
	require.Equal(t, "secret limit:<n>", d.String())
	s := open(t, Cluster("root", Sub(d)))
	require.Equal(t, "root:limit:7", d.At(s, 7).Key())
	require.ErrorIs(t, d.At(s).Err(), ErrMissingParam) //nest:ignore the error is what is tested
	require.ErrorIs(t, (*SecretDef[int])(nil).At(s).Err(), ErrNotMounted)
	require.Contains(t, s.Describe().String(), "limit:<n>  secret int  [ttl 1m")

	require.Contains(t, refusedAt(func() { Secret[int]("age", Default("x")) }), "does not fit an int")
	require.Contains(t, refusedAt(func() { Secret[int]("age", nil) }), "a nil option")
	require.ErrorContains(t, Check(Cluster("root", Sub(Secret[chan int]("c"))), WithKeyring(keyring(t))), "chan")
}

// refusedAt returns the text of the panic of a declaration in this file.
func refusedAt(declare func()) (text string) {
	defer func() {
		text, _ = recover().(string)
		if !strings.Contains(text, "sealing_test.go:") {
			text = "without its place: " + text
		}
	}()
	declare()
	return ""
}

func TestPasswordDeclarations(t *testing.T) {
	hasher, err := secure.NewPasswords(secure.Minimum())
	require.NoError(t, err)
	d := Password("password", TTL(60))
	require.Equal(t, KindPassword, d.Kind())
	tree := Cluster("user:<id>", Sub(d))
	err = Check(tree)
	require.ErrorIs(t, err, ErrNoHasher)
	require.ErrorIs(t, err, ErrDeclaration)
	require.ErrorContains(t, err, "sealing_test.go:")
	require.NoError(t, Check(tree, NamesOnly()))
	require.NoError(t, Check(tree, WithPasswords(hasher)), "a keyring is not needed")
	for _, none := range []Hasher{nil, (*secure.Passwords)(nil)} {
		require.ErrorContains(t, Check(tree, WithPasswords(none)), "nil hasher")
	}

	s := open(t, tree)
	require.Equal(t, "user:7:password", d.At(s, 7).Key())
	require.ErrorIs(t, (*PasswordDef)(nil).At(s).Err(), ErrNotMounted)
	require.Contains(t, s.Describe().String(), "password  password  [ttl 1m")
	require.Contains(t, refusedAt(func() { Password("password", Default("simple_pass")) }), "no Default")
	require.Contains(t, refusedAt(func() { Password("password:{x}") }), "braces")
}

// A password cannot be read, not even by mistake: a read does not compile.
func TestPasswordsCannotBeRead(t *testing.T) {
	for _, typ := range []reflect.Type{reflect.TypeFor[PasswordRef](), reflect.TypeFor[PasswordBatch]()} {
		for _, name := range []string{"Get", "Lookup", "Swap", "Take", "Update", "GetOrLoad", "Raw", "StoredType"} {
			_, there := typ.MethodByName(name)
			require.False(t, there, "%v.%s", typ, name)
		}
		_, there := typ.MethodByName("Verify")
		require.True(t, there, "%v.Verify", typ)
	}
	build := func(call string) string {
		file := filepath.Join(t.TempDir(), "main.go")
		source := "package main\n\nimport \"github.com/redisimnest/redisimnest/nest\"\n\n" +
			"func main() { var r nest.PasswordRef; " + call + " }\n"
		require.NoError(t, os.WriteFile(file, []byte(source), 0o600))
		out, _ := exec.Command("go", "build", "-o", os.DevNull, file).CombinedOutput()
		return string(out)
	}
	require.Contains(t, build("_, _ = r.Get(nil)"), "r.Get undefined")
	require.Empty(t, build("_ = r.Verify"), "everything else compiles")
}
