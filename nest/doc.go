// Package nest declares a service's whole Redis keyspace once, as Go values, and operates on it.
//
// A keyspace is a tree. [Cluster] declares a named group of keys and clusters under one prefix, and
// [Key] declares a single value of a Go type. Both return immutable values, which domain packages
// declare and main composes. Templates contain parameters in angle brackets:
//
//	var (
//		Age  = nest.Key[int]("age", nest.Default(0))
//		User = nest.Cluster("user:<user_id>", nest.TTL(120), nest.Sub(Age))
//		Root = nest.Cluster("root", nest.Sub(User))
//	)
//
// [Open] binds a tree to a rueidis client, proves that no two declared keys can ever have the same
// name, and returns a [Scope]. The At method of a declaration fills in the parameters that are
// still open and returns a reference, whose methods are the operations:
//
//	root, err := nest.Open(client, Root)
//	age, err := Age.At(root, 42).Get(ctx) // GET root:user:42:age
//
// The terms of this package, in the order in which data passes through it:
//
//   - declare: [ClusterDef], [KeyDef], [ParamDef] and the options that determine how they behave;
//   - mount: [Open] lays the declarations out as a tree, computes what each key inherits, and
//     reports every problem at once;
//   - resolve: [Scope] and the At methods turn parameters into names that cannot collide, and
//     [Scope.Match] turns names back into declarations and parameters;
//   - operate: references such as [KeyRef] send one command for each operation, or join a [Batch].
//
// # Expiry
//
// A key that is declared with a TTL, its own or one inherited from a cluster, never exists in Redis
// without one, not even if the process dies between two commands: the TTL is set by the command
// that writes the key, or in the same atomic step. Only [NoExpiry] and [Ref.Persist] remove it.
//
// # Errors
//
// An operation returns its error as an [*Error] that names the operation, the template and the key.
// For [errors.Is], it wraps one of the sentinels of this package, or the error of the client, the
// server, the hasher or the context. [Batch.Exec] joins the errors of its operations. Neither
// values nor sensitive parameters appear in an error. The error of a function that the caller
// provides, such as a loader, is returned as it is.
//
// # When the server is away
//
// Where Redis could not be asked or written, the error is [ErrAway]; where a write may have been
// executed all the same, it is [ErrOutcomeUnknown] too. What was certainly not executed is sent
// again for a tenth of a second. A write whose answer was lost is never sent again, because it may
// have been applied. The client itself sends reads again until they are answered, until their
// context ends, or until the server is found to refuse connections. [WithTimeout] bounds every
// exchange with a server, and [WithBreaker] sends nothing to a server that has failed too often;
// package env sets both. Without them, give each call a context with a deadline.
//
// Meanwhile GetOrLoad calls its loader without Redis ([LoadWhenDown]), and [WhenDown] lets limiters
// and defaults do without it.
//
// # Batches
//
// A [Batch] has the same operations as the references. The operations of a [Scope.Batch] are sent
// together, those of a [Scope.Atomic] batch run as one step, and those of [Transact] run as one
// step that depends on what was read before.
//
// # The names of this package
//
// Each kind of key has four: the function that declares it, such as [Hash], the declaration
// ([HashDef]), the reference ([HashRef]) and the reference in a batch ([HashBatch]). The others, by
// what they belong to:
//
//   - one value: [Key], [Counter], [Secret], [Password] with [Verification], and [SetOption] for the
//     expiry of a write
//   - fields: [Hash] and [Record], with [Field], [Optional], [FieldOption] and [FieldTTL]
//   - elements: [List] with [End] and [IndexOption]; [Set]; [SortedSet] with [Scored], [Ranked],
//     [Span], [AddOption] and [CombineOption]; [Geo] with [Point], [Place], [Near] and [Area]
//   - entries: [Stream] with [Entry], [Delivery], [Claimed], [TrimOption], [EntryOption],
//     [ReadOption], [ConsumeOption], and what the server says of groups and consumers, such as
//     [GroupInfo] and [PendingEntry]
//   - bits and estimates: [Bitmap] with [BitField], [FieldOp] and [Overflow]; [HyperLogLog]
//   - messages: [Channel] with [GapError] and [SubscribeOption]
//   - coordination: [Lock] with [Lease], [Holder] and [LockOption]; [Limiter] with [Decision]
//   - all references: [Ref], [Reference], [ExpireCondition], [WriteOption], [Forever]
//   - several operations: [Batch], [Future], [FoundFuture], [Done]; [Transact] and [Tx]; [LoadMany]
//     and [Loadable]
//   - declarations: [Cluster], [Param], [Arg], [Node], [Kind], and the options [ClusterOption],
//     [KeyOption] and [Option], which is both; [ReadThrough] and its options; [Cached] with
//     [CachedOption]; [WhenDown] with [Fallback]
//   - the tree: [Open], [Check], [OpenOption], [Sealer], [Hasher], [Observer], [Event],
//     [TrackingOptions]
//   - generations: [Generation] with [ClusterDef.Current] and [ClusterDef.Renew]
//   - the keyspace: [Scope], [Match], [ScanOption], [ClearOption], [Rotate] with [RotateReport],
//     [Description]
//   - errors: [Error] and the sentinels that it wraps
//
// # Reading order
//
// The source is built in floors. A declaration uses those of its own floor and of the floors below
// it, and a test holds that. From the bottom, with their files:
//
//   - words: the terms that everything else uses
//     (doc, errors, away, format, position, clone, timestamp, unsupported)
//   - declare: declarations, their options and parameters
//     (declaration, cluster, param, settings, options, cached, openoptions, walkoptions, expiry,
//     readthrough, whendown, observe, was)
//   - mount: the tree that Open lays out, and the client that it uses
//     (mount*, tree, tracking, client*)
//   - resolve: from parameters to names, and back
//     (open, scope, resolve, match)
//   - command: how a command is built, sent, answered and batched
//     (address, command*, reply*, conn*, batch*, value, key_update, transfer, secret_sealing,
//     secret_reseal)
//   - reference: the operations that all kinds have
//     (ref)
//   - kinds: the operations of each kind
//     (key*, counter, hash*, record*, list*, set, sortedset*, stream*, bitmap, bitfield,
//     hyperloglog, geo*, channel, subscribe*, secret*, password, existing,
//     custom)
//   - flows: what takes several steps
//     (load*, lock*, limiter, transact*, generation)
//   - keyspace: what works on all keys below a scope
//     (scan, walk*, clear, inspect*, ping, close, describe*, rotate*, migrate)
//   - generated: the operations of batches
//     (batch_operations)
package nest

//go:generate go run ./internal/batchgen
//go:generate go run ./internal/tablegen
