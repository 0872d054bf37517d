// Shop is a service to copy: three packages that know nothing of each other, each with its part of
// one keyspace, and all that a service has around them. The README beside this file walks through
// it.
//
//	go run ./examples/shop
//	REDIS_URL=redis://localhost:6379 go run ./examples/shop
//
// It needs no server: without a REDIS_ variable and a .env file, it starts one of its own, which
// ends with it, and prints how to try the service with curl.
package main

import (
	"context"
	"fmt"
	"io"
	"log/slog"
	"net"
	"os"
	"os/signal"
	"syscall"

	"go.opentelemetry.io/otel"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	err := run(ctx, os.Getenv, os.Stdout, os.Stderr)
	stop()
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

// run runs the service until the context ends, and then shuts it down. Whoever runs it reads out;
// logs go elsewhere.
func run(ctx context.Context, getenv func(string) string, out, logs io.Writer) error {
	conf, err := loadConfig(getenv)
	if err != nil {
		return err
	}
	log := newLogger(logs, conf.logLevel)
	exporters, err := conf.exporters(ctx, out)
	if err != nil {
		return err
	}
	told := newTelemetry(exporters)
	otel.SetErrorHandler(otel.ErrorHandlerFunc(func(err error) { log.Warn("telemetry is lost", "error", err) }))
	keys, err := openKeys(ctx, conf, told, log)
	if err != nil {
		return err
	}
	listener, err := net.Listen("tcp", conf.addr)
	if err != nil {
		keys.close()
		return fmt.Errorf("listen: %w", err)
	}
	s := newService(conf, keys, told, log)
	if err := s.prepare(ctx); err != nil {
		log.LogAttrs(ctx, slog.LevelError, "not prepared", slog.Any("error", err)) // Redis may come yet
	}
	printHints(out, listener.Addr().String(), conf)
	return s.serve(ctx, listener)
}
