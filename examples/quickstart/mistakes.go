//nest:ignore what wrong calls say is shown here

package main

import (
	"context"

	"github.com/redisimnest/redisimnest/examples/quickstart/users"
	"github.com/redisimnest/redisimnest/nest"
)

// mistakes shows the errors of wrong calls. None of them sends a command, except those on a key
// that holds the wrong type.
func (t tour) mistakes(ctx context.Context) error {
	t.title("Mistakes, and what they say")

	_, err := users.Age.At(t.root).Get(ctx)
	t.mistake(err)
	_, err = users.Age.At(t.root, 1, 2).Get(ctx)
	t.mistake(err)
	_, err = users.Age.At(t.root, "one").Get(ctx)
	t.mistake(err)
	_, err = users.Age.At(t.root, nest.Param[int64]("userid").Of(1)).Get(ctx)
	t.mistake(err)
	_, err = users.Session.At(t.root, 1, "").Get(ctx)
	t.mistake(err)
	_, err = t.root.Match("redisimnest-quickstart:root:user:me:age")
	t.mistake(err)

	age := users.Age.At(t.root, 1)
	if _, err := age.Do(ctx, "SET", "thirty"); err != nil {
		return err
	}
	_, err = age.Get(ctx)
	t.mistake(err)

	if _, err := age.Delete(ctx); err != nil {
		return err
	}
	if _, err := age.Do(ctx, "RPUSH", "30"); err != nil {
		return err
	}
	_, err = age.Get(ctx)
	t.mistake(err)

	if _, err := age.Delete(ctx); err != nil {
		return err
	}
	t.mistake(nest.Check(colliding))
	return nil
}

// colliding is a keyspace that Open rejects: the name user:me:age could belong to either key.
var colliding = nest.Cluster("user", nest.Sub(
	nest.Key[int]("<name>:age"),
	nest.Key[string]("me:<field>"),
))

func (t tour) mistake(err error) { t.out.Printf("  %v", err) }
