package nest_test

import (
	"context"
	"errors"
	"fmt"
	"slices"

	"github.com/redisimnest/redisimnest/nest"
)

func Example() {
	// A domain package declares its part of the keyspace,
	age := nest.Key[int]("age", nest.Default(0))
	name := nest.Key[string]("name", nest.Default("Unknown"))
	user := nest.Cluster("user:<user_id>", nest.TTL(120), nest.Sub(age, name))
	// Package main composes the domains and opens them once.
	root, err := nest.Open(connect(), nest.Cluster("root", nest.Sub(user)))
	check(err)

	ctx := context.Background()
	check(name.At(root, 42).Set(ctx, "Ali")) // SET root:user:42:name Ali EX 120
	fmt.Println(name.At(root, 42).Get(ctx))
	fmt.Println(age.At(root, 42).Get(ctx))
	// Output:
	// Ali <nil>
	// 0 <nil>
}

func ExampleCluster() {
	age := nest.Key[int]("age")
	user := nest.Cluster("user:<user_id>", nest.TTL(120), nest.Sub(age))
	shop := nest.Cluster("shop", nest.Sub(user))

	root, err := nest.Open(connect(), shop)
	check(err)
	fmt.Println(age.At(root, 42).Key(), age.At(root, 42).DeclaredTTL())
	// Output: shop:user:42:age 2m0s
}

func ExampleClusterDef_At() {
	age, name := nest.Key[int]("age"), nest.Key[string]("name")
	user := nest.Cluster("user:<user_id>", nest.Sub(age, name))
	root, err := nest.Open(connect(), nest.Cluster("root", nest.Sub(user)))
	check(err)

	u := user.At(root, 42) // resolved once, used many times
	fmt.Println(u.Prefix())
	fmt.Println(age.At(u).Key(), name.At(u).Key())
	// Output:
	// root:user:42
	// root:user:42:age root:user:42:name
}

func ExampleKeyDef_At() {
	session := nest.Key[string]("session:<token>")
	user := nest.Cluster("user:<user_id>", nest.Sub(session))
	root, err := nest.Open(connect(), nest.Cluster("root", nest.Sub(user)))
	check(err)

	fmt.Println(session.At(root, 42, "a:b").Key())          // no value leaves its place
	_, err = session.At(root, 42).Get(context.Background()) //nest:ignore the error is what is shown
	fmt.Println(errors.Is(err, nest.ErrMissingParam), err)
	// Output:
	// root:user:42:session:a%3Ab
	// true nest: at "root:user:<user_id>:session:<token>": missing parameter: <token>: open below the scope are <user_id>, <token>; got 1 argument
}

func ExampleParam() {
	id := nest.Param[int64]("user_id")
	age := nest.Key[int]("age")
	user := nest.Cluster("user:<user_id>", nest.Params(id), nest.Sub(age))
	root, err := nest.Open(connect(), nest.Cluster("root", nest.Sub(user)))
	check(err)

	fmt.Println(age.At(root, 42).Err())
	var key any = "me" // the compiler does not see its type
	fmt.Println(age.At(root, key).Err())
	// Output:
	// <nil>
	// nest: at "root:user:<user_id>:age": wrong parameter type: parameter <user_id> (argument 1 of 1) takes an int64 or another value of integer kind, not a string
}

func ExampleParamDef_Of() {
	user, order := nest.Param[int64]("user_id"), nest.Param[int64]("order_id")
	total := nest.Key[int]("order:<order_id>:total", nest.Params(order))
	users := nest.Cluster("user:<user_id>", nest.Params(user), nest.Sub(total))
	root, err := nest.Open(connect(), nest.Cluster("root", nest.Sub(users)))
	check(err)

	// Named arguments come in any order.
	fmt.Println(total.At(root, order.Of(7), user.Of(42)).Key())
	// Output: root:user:42:order:7:total
}

func ExampleOpen() {
	byID := nest.Key[string]("user:<user_id>:age")
	byName := nest.Key[string]("user:me:<field>")
	_, err := nest.Open(connect(), nest.Cluster("root", nest.Sub(byID, byName)))
	fmt.Println(errors.Is(err, nest.ErrCollision)) // "root:user:me:age" would be a name of both
	// Output: true
}

func ExampleCheck() {
	// A test of the declarations needs no server.
	root := nest.Cluster("root", nest.Sub(nest.Key[int]("visits:<day>"), nest.Key[int]("total")))
	fmt.Println(nest.Check(root))
	// Output: <nil>
}

func ExampleScope_Match() {
	id := nest.Param[int64]("user_id")
	age := nest.Key[int]("age")
	user := nest.Cluster("user:<user_id>", nest.Params(id), nest.Sub(age))
	root, err := nest.Open(connect(), nest.Cluster("root", nest.Sub(user)))
	check(err)

	match, err := root.Match("root:user:42:age")
	check(err)
	fmt.Println(match.Def() == nest.Node(age), match.Template())
	fmt.Println(id.From(match))

	_, err = root.Match("root:user:me:age") // an int64 is never written this way
	fmt.Println(errors.Is(err, nest.ErrNoMatch))
	// Output:
	// true root:user:<user_id>:age
	// 42 <nil>
	// true
}

func ExampleScope_Describe() {
	user := nest.Cluster("user:<user_id>", nest.TTL(120), nest.Doc("one person"), nest.Sub(
		nest.Key[int]("age", nest.Default(0)),
		nest.List[string]("cart", nest.NoTTL()),
	))
	root, err := nest.Open(connect(), nest.Cluster("root", nest.Sub(user)))
	check(err)
	fmt.Println(root.Describe())
	// Output:
	// root
	// └─ user:<user_id>  [ttl 2m]  — one person
	//    ├─ age  value int  [ttl 2m, has a default]
	//    └─ cart  list string
}

func ExampleScope_Keys() {
	age, name := nest.Key[int]("age"), nest.Key[string]("name")
	user := nest.Cluster("user:<user_id>", nest.Sub(age, name))
	root, err := nest.Open(connect(), nest.Cluster("root", nest.Sub(user)))
	check(err)
	ctx := context.Background()
	check(age.At(root, 42).Set(ctx, 30))
	check(name.At(root, 7).Set(ctx, "Ali"))

	var found []string
	for match, err := range root.Keys(ctx) { // streamed, in the order of the server
		check(err)
		found = append(found, match.Key()+" is "+match.Template())
	}
	slices.Sort(found)
	for _, line := range found {
		fmt.Println(line)
	}
	// Output:
	// root:user:42:age is root:user:<user_id>:age
	// root:user:7:name is root:user:<user_id>:name
}

func ExampleScope_Clear() {
	age, name := nest.Key[int]("age"), nest.Key[string]("name")
	user := nest.Cluster("user:<user_id>", nest.Sub(age, name))
	root, err := nest.Open(connect(), nest.Cluster("root", nest.Sub(user)))
	check(err)
	ctx := context.Background()
	for _, id := range []int{42, 421} {
		check(age.At(root, id).Set(ctx, 30))
		check(name.At(root, id).Set(ctx, "Ali"))
	}

	fmt.Println(user.At(root, 42).Clear(ctx)) // no key of user 421
	fmt.Println(root.Subkeys(ctx))
	// Output:
	// 2 <nil>
	// [root:user:421:age root:user:421:name] <nil>
}
