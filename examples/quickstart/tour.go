package main

import (
	"context"
	"fmt"
	"log"
	"time"

	"github.com/redisimnest/redisimnest/examples/quickstart/app"
	"github.com/redisimnest/redisimnest/examples/quickstart/users"
	"github.com/redisimnest/redisimnest/nest"
)

// tour shows what a keyspace can do, and prints each step.
type tour struct {
	out  *log.Logger
	root nest.Scope
}

func (t tour) run(ctx context.Context) error {
	t.title("What is declared")
	t.out.Print(t.root.Describe())
	for _, chapter := range []func(context.Context) error{
		t.values, t.expiry, t.scopes, t.updates, t.names, t.secrets, t.mistakes, t.clearing,
	} {
		if err := chapter(ctx); err != nil {
			return err
		}
	}
	return nil
}

func (t tour) title(text string) { t.out.Print("\n" + text) }

// step prints what was done and what it returned.
func (t tour) step(did string, gave any) { t.out.Printf("  %-47s %v", did, gave) }

func (t tour) values(ctx context.Context) error {
	t.title("Values, and what stands for a missing one")

	if err := ProjectName.At(t.root).Set(ctx, "RedisimNest"); err != nil {
		return err
	}
	name, err := ProjectName.At(t.root).Get(ctx)
	if err != nil {
		return err
	}
	t.step("ProjectName", name)

	storedType, err := ProjectName.At(t.root).StoredType(ctx)
	if err != nil {
		return err
	}
	t.step("the type of what is stored", storedType)

	age, err := users.Age.At(t.root, 1).Get(ctx)
	if err != nil {
		return err
	}
	t.step("Age of user 1, not set: its default", age)

	if err := users.Age.At(t.root, 1).Set(ctx, 30); err != nil {
		return err
	}
	if age, err = users.Age.At(t.root, 1).Get(ctx); err != nil {
		return err
	}
	t.step("Age of user 1, set", age)

	_, found, err := users.Name.At(t.root, 1).Lookup(ctx)
	if err != nil {
		return err
	}
	t.step("Name of user 1: is it there, defaults aside?", found)

	deleted, err := ProjectName.At(t.root).Delete(ctx)
	if err != nil {
		return err
	}
	t.step("ProjectName deleted", deleted)

	_, err = ProjectName.At(t.root).Get(ctx)
	t.step("ProjectName, which has no default", err)
	return nil
}

func (t tour) expiry(ctx context.Context) error {
	t.title("Expiry: declared once, part of every write")

	tokens := app.Tokens.At(t.root)
	if err := tokens.Set(ctx, []string{"token1", "token2"}); err != nil {
		return err
	}
	if err := t.left(ctx, "Tokens: what the cluster app says", tokens.Ref); err != nil {
		return err
	}
	if _, err := tokens.Expire(ctx, time.Minute); err != nil {
		return err
	}
	if err := t.left(ctx, "Tokens, expiring in a minute", tokens.Ref); err != nil {
		return err
	}

	session := users.Session.At(t.root, 1, "abc")
	login := users.Login{Device: "phone", At: time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)}
	if err := session.Set(ctx, login); err != nil {
		return err
	}
	if err := t.left(ctx, "Session: what the key itself says", session.Ref); err != nil {
		return err
	}

	banner := app.Banner.At(t.root)
	if err := banner.Set(ctx, "Welcome"); err != nil {
		return err
	}
	left, err := banner.TTL(ctx)
	if err != nil {
		return err
	}
	t.step("Banner, declared with NoTTL, stays for ever", left == nest.Forever)
	return nil
}

// left prints how long a key has left to live, to the second.
func (t tour) left(ctx context.Context, what string, key nest.Ref) error {
	left, err := key.TTL(ctx)
	if err != nil {
		return err
	}
	t.step(what, left.Round(time.Second))
	return nil
}

func (t tour) scopes(ctx context.Context) error {
	t.title("Scopes: parameters filled in once, used many times")

	user := users.Cluster.At(t.root, users.ID.Of(2))
	t.step("users.Cluster.At(root, users.ID.Of(2))", user.Prefix())
	if err := users.Name.At(user).Set(ctx, "Ali"); err != nil {
		return err
	}
	name, err := users.Name.At(user).Get(ctx)
	if err != nil {
		return err
	}
	t.step("Name of user 2", name)
	t.step("the name of the key", users.Name.At(user).Key())
	return nil
}

func (t tour) updates(ctx context.Context) error {
	t.title("Updates: compare and set, tried again when another client was faster")

	age := users.Age.At(t.root, 1)
	next, err := age.Update(ctx, func(age int, _ bool) (int, error) { return age + 1, nil })
	if err != nil {
		return err
	}
	t.step("Age of user 1, a year later", next)

	old, _, err := age.Swap(ctx, 18)
	if err != nil {
		return err
	}
	t.step("swapped for 18, it was", old)

	created, err := age.SetIfAbsent(ctx, 99)
	if err != nil {
		return err
	}
	t.step("set if absent", created)
	return nil
}

func (t tour) names(ctx context.Context) error {
	t.title("Names: from the server back to the declarations")

	keys, err := t.root.Subkeys(ctx)
	if err != nil {
		return err
	}
	for _, key := range keys {
		match, err := t.root.Match(key)
		if err != nil {
			return err
		}
		t.step(fmt.Sprint(match.Def()), match.Key())
	}

	match, err := t.root.Match(users.Age.At(t.root, 42).Key())
	if err != nil {
		return err
	}
	id, err := users.ID.From(match)
	if err != nil {
		return err
	}
	t.step("the user that an Age belongs to", id)
	t.step("a value cannot leave its place", users.Session.At(t.root, 3, "a:b*{c}").Key())
	return nil
}

func (t tour) secrets(ctx context.Context) error {
	t.title("Secrets and passwords: sealed before Redis sees them")

	apiKey := users.APIKey.At(t.root, 1)
	if err := apiKey.Set(ctx, "sk-123"); err != nil {
		return err
	}
	text, err := apiKey.Get(ctx)
	if err != nil {
		return err
	}
	t.step("APIKey of user 1", text)

	other := users.APIKey.At(t.root, 2)
	sealed, err := apiKey.Raw(ctx)
	if err != nil {
		return err
	}
	t.step("bytes of it in Redis", len(sealed))
	if _, err := other.Do(ctx, "SET", string(sealed)); err != nil {
		return err
	}
	_, err = other.Get(ctx)
	t.step("the same bytes as the APIKey of user 2", err)
	if _, err := other.Delete(ctx); err != nil {
		return err
	}

	password := users.Password.At(t.root, 1)
	if err := password.Set(ctx, "simple_pass"); err != nil {
		return err
	}
	for _, candidate := range []string{"simple_pass", "simple_guess"} {
		ok, err := password.Verify(ctx, candidate)
		if err != nil {
			return err
		}
		t.step("Password of user 1 is "+candidate, ok)
	}
	return nil
}

func (t tour) clearing(ctx context.Context) error {
	t.title("Clearing: this scope and nothing else")

	deleted, err := app.Cluster.At(t.root).Clear(ctx)
	if err != nil {
		return err
	}
	t.step("keys of app deleted", deleted)

	deleted, err = users.Cluster.At(t.root, 1).Clear(ctx)
	if err != nil {
		return err
	}
	t.step("keys of user 1 deleted", deleted)

	keys, err := t.root.Subkeys(ctx)
	if err != nil {
		return err
	}
	t.step("what is left", keys)
	return nil
}
