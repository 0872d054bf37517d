// Package nest has the declarations of the library that the analyzers know, without what they do.
package nest

import (
	"context"
	"time"
)

type (
	Scope  struct{ _ int }
	Arg    struct{ _ int }
	Batch  struct{ _ int }
	Option interface {
		KeyOption
		ClusterOption
	}
	KeyOption     interface{ key() }
	ClusterOption interface{ cluster() }
	ParamOption   interface{ param() }
	OpenOption    interface{ open() }
	Node          interface{ node() }
	AnyParam      interface{ Name() string }

	ClusterDef      struct{ _ int }
	KeyDef[T any]   struct{ _ int }
	ListDef[T any]  struct{ _ int }
	ParamDef[T any] struct{ _ int }
	KeyRef[T any]   struct{ _ int }
	KeyBatch[T any] struct{ _ int }
	Future[T any]   struct{ _ int }
	option          struct{}
)

func (option) key()     {}
func (option) cluster() {}
func (option) param()   {}
func (option) open()    {}

func (*ClusterDef) node() {}
func (*KeyDef[T]) node()  {}
func (*ListDef[T]) node() {}

func Cluster(prefix string, opts ...ClusterOption) *ClusterDef             { return nil }
func Key[T any](template string, opts ...KeyOption) *KeyDef[T]             { return nil }
func List[T any](template string, opts ...KeyOption) *ListDef[T]           { return nil }
func Param[T any](name string, opts ...ParamOption) *ParamDef[T]           { return nil }
func Sub(nodes ...Node) ClusterOption                                      { return option{} }
func Params(params ...AnyParam) Option                                     { return option{} }
func HashTag() ClusterOption                                               { return option{} }
func Generation(param string) ClusterOption                                { return option{} }
func MaxLen(n int) ParamOption                                             { return option{} }
func Layout(layout string) ParamOption                                     { return option{} }
func Was(template string, opts ...any) Option                              { return option{} }
func TTL[D int | time.Duration](d D) Option                                { return option{} }
func Cached(d time.Duration) Option                                        { return option{} }
func Open(client any, root *ClusterDef, opts ...OpenOption) (Scope, error) { return Scope{}, nil }
func Check(root *ClusterDef, opts ...OpenOption) error                     { return nil }
func Only(nodes ...Node) any                                               { return nil }

func (*ClusterDef) At(s Scope, args ...any) Scope                                    { return s }
func (*KeyDef[T]) At(s Scope, args ...any) KeyRef[T]                                 { return KeyRef[T]{} }
func (*ClusterDef) Current(ctx context.Context, s Scope, args ...any) (Scope, error) { return s, nil }
func (*ClusterDef) Renew(ctx context.Context, s Scope, args ...any) (Scope, error)   { return s, nil }
func (*ListDef[T]) At(s Scope, args ...any) KeyRef[T]                                { return KeyRef[T]{} }
func (*ParamDef[T]) Name() string                                                    { return "" }
func (*ParamDef[T]) Of(v T) Arg                                                      { return Arg{} }
func (Scope) Batch() *Batch                                                          { return nil }
func (Scope) Atomic() *Batch                                                         { return nil }
func (*Batch) Exec(ctx context.Context) error                                        { return nil }
func (*Batch) Len() int                                                              { return 0 }
func (KeyRef[T]) Get(ctx context.Context) (T, error)                                 { panic(0) }
func (KeyRef[T]) Set(ctx context.Context, v T) error                                 { return nil }
func (KeyRef[T]) Expire(ctx context.Context, d time.Duration) (bool, error)          { return false, nil }
func (KeyRef[T]) Key() string                                                        { return "" }
func (KeyRef[T]) Err() error                                                         { return nil }
func (KeyRef[T]) In(b *Batch) KeyBatch[T]                                            { return KeyBatch[T]{} }
func (KeyBatch[T]) Get() *Future[T]                                                  { return nil }
func (KeyBatch[T]) Set(v T) *Future[T]                                               { return nil }
func (*Future[T]) Value() (T, error)                                                 { panic(0) }
func (*Future[T]) Err() error                                                        { return nil }
