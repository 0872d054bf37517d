// Package redis is another client.
package redis

import (
	"context"
	"time"
)

type Client struct{ cmdable }

type cmdable func()

type Cmdable interface {
	Get(ctx context.Context, key string) *Cmd
	Del(ctx context.Context, keys ...string) *Cmd
}

type Cmd struct{}

func (cmdable) Get(ctx context.Context, key string) *Cmd                                 { return nil }
func (cmdable) Del(ctx context.Context, keys ...string) *Cmd                             { return nil }
func (cmdable) Set(ctx context.Context, key string, value any, d time.Duration) *Cmd     { return nil }
func (cmdable) HGet(ctx context.Context, key, field string) *Cmd                         { return nil }
func (cmdable) Publish(ctx context.Context, channel string, message any) *Cmd            { return nil }
func (cmdable) Eval(ctx context.Context, script string, keys []string, args ...any) *Cmd { return nil }
