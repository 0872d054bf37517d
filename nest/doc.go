// Package nest declares a service's whole Redis keyspace once, as Go values, and operates on it.
//
// A keyspace is a tree. [Cluster] declares a named group of keys and clusters under one prefix,
// [Key] a single value of a Go type; both are immutable values that domain packages declare and
// that main composes. Templates hold parameters in angle brackets:
//
//	var (
//		Age  = nest.Key[int]("age", nest.Default(0))
//		User = nest.Cluster("user:<user_id>", nest.TTL(120), nest.Sub(Age))
//		Root = nest.Cluster("root", nest.Sub(User))
//	)
//
// [Open] binds a tree to a rueidis client, proves that no two declared keys can ever have the
// same name, and gives a [Scope]. A declaration's At method fills in the parameters that are
// still open and gives a reference, on which the operations are:
//
//	root, err := nest.Open(client, Root)
//	age, err := Age.At(root, 42).Get(ctx) // GET root:user:42:age
//
// The words of this package, in the order in which data passes through it:
//
//   - declare: [ClusterDef], [KeyDef], [ParamDef] and the options that settle how they behave;
//   - mount: [Open] lays the declarations out as a tree, computes what each key inherits, and
//     reports every problem at once;
//   - resolve: [Scope] and the At methods turn parameters into names that cannot collide, and
//     [Scope.Match] turns names back into declarations and parameters;
//   - operate: references such as [KeyRef] send one command each, or join a [Batch].
//
// # Expiry
//
// A key that is declared with a TTL, its own or one inherited from a cluster, never exists in
// Redis without one, not even when the process dies between two commands: the TTL is part of
// the writing command or of one atomic step. Only [NoExpiry] and [Ref.Persist] take it away.
//
// # Errors
//
// An error of an operation is an [*Error] that names the operation, the template and the key, and
// wraps, for [errors.Is], one of the sentinels of this package or the error of the client, the
// server, the hasher or the context; [Batch.Exec] joins those of its operations. Neither values nor
// sensitive parameters appear in it. What a function of the caller's returns, such as a loader, is
// given back as it is.
//
// # When the server is away
//
// The client repeats reads until they are answered or their context ends: give each call a context
// with a deadline, since one without waits for as long as the server is down. Writes are never
// repeated, because nobody knows whether one whose answer was lost has been applied; they fail at
// once. (rueidis' DisableRetry, in package env max_retries=0, lets reads fail at once, too.)
//
// # Batches
//
// The operations of a [Batch] are those of the references. [Scope.Batch] sends them together, [Scope.Atomic] as one step, and [Transact] as one
// step that depends on what was read before.
package nest

//go:generate go run ./internal/batchgen
//go:generate go run ./internal/tablegen
