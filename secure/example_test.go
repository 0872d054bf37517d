package secure_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"os"

	"github.com/redisimnest/redisimnest/secure"
)

func ExampleKeyring() {
	key, err := secure.ParseKey("cw_0x689RpI-jtRR7oE8h_eQsKImvJapLeSbXpwF4e4=") // from where your secrets are kept
	if err != nil {
		panic(err)
	}
	ring, err := secure.NewKeyring(key, secure.InContext("production"))
	if err != nil {
		panic(err)
	}
	sealed, err := ring.Seal(nil, []byte("sk_live_51H"), "user:42:api_key", "", "secret", "text")
	if err != nil {
		panic(err)
	}
	opened, err := ring.Open(nil, sealed, "user:42:api_key", "", "secret", "text")
	fmt.Println(string(opened), err)

	_, err = ring.Open(nil, sealed, "user:43:api_key", "", "secret", "text")
	fmt.Println(err)
	fmt.Println(ring)
	// Output:
	// sk_live_51H <nil>
	// secure: value does not open: altered, moved, or sealed in another context
	// secure.Keyring(primary e0e070b01d045dc1)
}

// Rotation: every process accepts the next key before any seals with it, and accepts the old one
// until nothing is sealed under it.
func ExampleHolder() {
	old, next := secure.GenerateKey(), secure.GenerateKey()
	must := func(k *secure.Keyring, err error) *secure.Keyring {
		if err != nil {
			panic(err)
		}
		return k
	}
	live := secure.NewHolder(must(secure.NewKeyring(old)))
	sealed, _ := live.Seal(nil, []byte("token"), "key", "", "secret", "text")

	live.Store(must(secure.NewKeyring(old, secure.AcceptOnly(next)))) // 1. accept it, in every process
	live.Store(must(secure.NewKeyring(next, secure.AcceptOnly(old)))) // 2. promote it
	fmt.Println("current:", live.Current(sealed))
	opened, _ := live.Open(nil, sealed, "key", "", "secret", "text") // 3. seal again what is not current
	sealed, _ = live.Seal(nil, opened, "key", "", "secret", "text")
	fmt.Println("current:", live.Current(sealed))
	live.Store(must(secure.NewKeyring(next))) // 4. remove the old key
	opened, err := live.Open(nil, sealed, "key", "", "secret", "text")
	fmt.Println(string(opened), err)
	// Output:
	// current: false
	// current: true
	// token <nil>
}

func ExampleHidden() {
	login := struct {
		User     string
		Password secure.Hidden[string]
	}{"ali", secure.Hide("correct horse")}

	fmt.Printf("%+v\n", login)
	b, err := json.Marshal(login)
	fmt.Println(string(b), err)
	slog.New(slog.NewTextHandler(os.Stdout, &slog.HandlerOptions{ReplaceAttr: func(_ []string, a slog.Attr) slog.Attr {
		if a.Key == slog.TimeKey {
			return slog.Attr{}
		}
		return a
	}})).Info("login", "password", login.Password)
	fmt.Println(login.Password.Reveal())
	// Output:
	// {User:ali Password:[redacted]}
	// {"User":"ali","Password":"[redacted]"} <nil>
	// level=INFO msg=login password=[redacted]
	// correct horse
}

func ExamplePasswords() {
	ctx := context.Background()
	passwords, err := secure.NewPasswords(secure.Minimum())
	if err != nil {
		panic(err)
	}
	stored, err := passwords.Hash(ctx, "correct horse")
	if err != nil {
		panic(err)
	}
	ok, rehash, err := passwords.Verify(ctx, stored, "correct horse")
	fmt.Println(ok, rehash, err)
	ok, rehash, err = passwords.Verify(ctx, stored, "battery staple")
	fmt.Println(ok, rehash, err)

	// An older hash that is weaker than the policy matches, and should be replaced by a new one.
	ok, rehash, err = passwords.Verify(ctx, "$2b$04$JZzJv2/gj5DyI1NfVGKozO/9YPvwOhA2u9T0zkiYpSDQwigQl4A0K", "hunter2")
	fmt.Println(ok, rehash, err)
	// Output:
	// true false <nil>
	// false false <nil>
	// true true <nil>
}

func ExampleVerify() {
	ok, err := secure.Verify("$argon2id$v=19$m=256,t=2,p=1$c29tZXNhbHQ$nf65EOgLrQMR/uIPnA4rEsF5h7TKyQwu9U1bMCHGi/4", "password")
	fmt.Println(ok, err)

	// What asks for 2 TiB is not computed.
	_, err = secure.Verify("$argon2id$v=19$m=2147483648,t=2,p=1$c29tZXNhbHQ$nf65EOgLrQMR/uIPnA4rEsF5h7TKyQwu9U1bMCHGi/4", "password")
	fmt.Println(errors.Is(err, secure.ErrHashCost))
	// Output:
	// true <nil>
	// true
}

func ExampleOpenFernet() {
	text, err := secure.OpenFernet("cw_0x689RpI-jtRR7oE8h_eQsKImvJapLeSbXpwF4e4=",
		[]byte("gAAAAAAdwJ6wAAECAwQFBgcICQoLDA0ODy021cpGVWKZ_eEwCGM4BLLF_5CV9dOPmrhuVUPgJobwOz7JcbmrR64jVmpU4IwqDA=="))
	fmt.Println(string(text), err)
	// Output: hello <nil>
}
