package nest

import (
	"context"
	"errors"
	"reflect"

	"github.com/redis/rueidis"

	"github.com/redisimnest/redisimnest/codec"
)

// ChannelDef declares a channel on which messages of type T are published.
type ChannelDef[T any] struct {
	Declaration
}

// Channel declares a channel of Redis' publish and subscribe. Each message, a T encoded by the
// channel's codec, goes to the subscribers at that moment and is stored nowhere. [Stream] keeps
// messages.
//
// A channel is named as a key is, but is not a key: it has neither a TTL nor a [Default]. On a
// Redis Cluster it is a sharded channel (Redis 7.0), on the node that would have a key of that
// name.
//
// Channel panics, with the file and line of the call, on a malformed template or option.
func Channel[T any](template string, opts ...KeyOption) *ChannelDef[T] {
	d := &ChannelDef[T]{}
	where := caller()
	constructor := d.declareFor(reflect.TypeFor[T](), d, KindChannel, "Channel", template, where, opts)
	if d.config.hasDefault {
		where.refuse(constructor, template, errors.New("a channel has no default: nothing is kept in it"))
	}
	d.bind = func(m *mounted) (any, error) { return bindChannel[T](m) }
	return d
}

// At returns a reference to the channel below s. See [KeyDef.At] for args.
func (d *ChannelDef[T]) At(s Scope, args ...any) ChannelRef[T] {
	if d == nil {
		return ChannelRef[T]{nilRef(s)}
	}
	return ChannelRef[T]{d.ref(&s, args)}
}

// ChannelRef is one channel, with all its parameters filled in. The methods of [Ref] about keys act
// on the key with the channel's name, which nothing here writes.
type ChannelRef[T any] struct {
	Ref
}

// channel is what Open prepares for a channel.
type channel[T any] struct {
	typed codec.Typed[T]
}

func bindChannel[T any](m *mounted) (any, error) {
	typed, err := codec.For[T](m.settings.codec)
	if err != nil {
		return nil, err
	}
	return &channel[T]{typed}, nil
}

// sharded reports whether the channel lives in one slot of a Redis Cluster.
func (r ChannelRef[T]) sharded() bool { return r.at.m.tree.client.Mode() == rueidis.ClientModeCluster }

func (r ChannelRef[T]) channel() *channel[T] { return r.at.m.bound.(*channel[T]) }

// Publish sends a message and returns how many connections received it (PUBLISH, or SPUBLISH on a
// Redis Cluster). On a Redis Cluster it counts only those to the channel's node. All subscriptions
// of a tree share one connection, see [ChannelRef.Subscribe].
func (r ChannelRef[T]) Publish(ctx context.Context, message T) (int64, error) {
	return call(ctx, r.at, func() command[int64] { return r.publish(message) })
}

//nest:ttl keeps
func (r ChannelRef[T]) publish(message T) command[int64] {
	text, err := r.channel().typed.Encode(message)
	if err != nil {
		return refuse(&opPublish, encodeError(r.at.m, err))
	}
	if r.sharded() {
		return command[int64]{op: &opPublish, cmd: r.at.b().Spublish().Channel(r.at.key).Message(text).Build()}
	}
	return command[int64]{op: &opPublish, cmd: r.at.b().Publish().Channel(r.at.key).Message(text).Build()}
}

// Subscribers returns how many connections are subscribed (PUBSUB NUMSUB, or PUBSUB SHARDNUMSUB on
// a Redis Cluster). On a Redis Cluster it counts only those to the node that answers. All
// subscriptions of a tree share one connection, see [ChannelRef.Subscribe].
func (r ChannelRef[T]) Subscribers(ctx context.Context) (int64, error) {
	return call(ctx, r.at, r.subscribers)
}

//nest:ttl keeps
func (r ChannelRef[T]) subscribers() command[int64] {
	if r.sharded() {
		return command[int64]{op: &opSubscribers, cmd: r.at.b().Arbitrary("PUBSUB", "SHARDNUMSUB").Keys(r.at.key).Build()}
	}
	return command[int64]{op: &opSubscribers, cmd: r.at.b().Arbitrary("PUBSUB", "NUMSUB").Args(r.at.key).Build()}
}

var (
	opPublish     = operation[int64]{"publish", replyInt}
	opSubscribers = operation[int64]{"subscribers", replySubscribers}
)

// replySubscribers reads the number that follows the name of the only channel.
func replySubscribers(_ *mounted, a rueidis.RedisMessage) (int64, error) {
	counts, err := a.AsIntMap()
	if err != nil || len(counts) > 1 {
		return 0, errAnswer
	}
	for _, n := range counts {
		return n, nil
	}
	return 0, nil
}
