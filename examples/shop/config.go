package main

import (
	"crypto/rand"
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"time"

	"github.com/redisimnest/redisimnest/secure"
)

// config is what the environment says. The connection to Redis is read by package env.
type config struct {
	addr     string                // SHOP_ADDR
	tenants  []string              // SHOP_TENANTS
	operator secure.Hidden[string] // SHOP_OPERATOR_PASSWORD
	payment  secure.Hidden[string] // SHOP_PAYMENT_KEY
	cookies  bool                  // SHOP_SECURE_COOKIES: only over https
	retry    time.Duration         // SHOP_RETRY: how long an order whose payment has failed rests
	drain    time.Duration         // SHOP_DRAIN: between being not ready and closing the port
	logLevel slog.Level            // SHOP_LOG_LEVEL
	traces   string                // SHOP_TRACES: "stdout" prints spans
	otlp     bool                  // OTEL_EXPORTER_OTLP_ENDPOINT, which the exporters read
	process  string                // HOSTNAME: the name of this consumer

	embedded bool // no server is named

	generated bool // the operator's password
}

func loadConfig(getenv func(string) string) (config, error) {
	or := func(name, def string) string {
		if v := getenv(name); v != "" {
			return v
		}
		return def
	}
	c := config{
		addr:     or("SHOP_ADDR", "127.0.0.1:8080"),
		tenants:  strings.Split(or("SHOP_TENANTS", "acme,globex"), ","),
		operator: secure.Hide(getenv("SHOP_OPERATOR_PASSWORD")),
		payment:  secure.Hide(or("SHOP_PAYMENT_KEY", "sk-example")),
		cookies:  getenv("SHOP_SECURE_COOKIES") == "true",
		traces:   getenv("SHOP_TRACES"),
		otlp:     getenv("OTEL_EXPORTER_OTLP_ENDPOINT") != "",
		process:  or("HOSTNAME", "shop"),
		embedded: !namesServer(getenv),
	}
	if c.operator.Reveal() == "" {
		c.operator, c.generated = secure.Hide(rand.Text()), true
	}
	var errs []error
	var err error
	if c.retry, err = time.ParseDuration(or("SHOP_RETRY", "30s")); err != nil {
		errs = append(errs, fmt.Errorf("SHOP_RETRY: %w", err))
	}
	if c.drain, err = time.ParseDuration(or("SHOP_DRAIN", "0s")); err != nil {
		errs = append(errs, fmt.Errorf("SHOP_DRAIN: %w", err))
	}
	if err := c.logLevel.UnmarshalText([]byte(or("SHOP_LOG_LEVEL", "info"))); err != nil {
		errs = append(errs, fmt.Errorf("SHOP_LOG_LEVEL: %w", err))
	}
	if c.traces != "" && c.traces != "stdout" {
		errs = append(errs, errors.New("SHOP_TRACES: it is stdout or nothing"))
	}
	return c, errors.Join(errs...)
}
