package nestotel

import (
	"net"
	"strconv"

	"go.opentelemetry.io/otel/attribute"
	semconv "go.opentelemetry.io/otel/semconv/v1.43.0"

	"github.com/redisimnest/redisimnest/nest"
)

// The attributes of this package.
const (
	templateKey  = attribute.Key("redisimnest.template")
	operationKey = attribute.Key("redisimnest.operation")
	declaredKey  = attribute.Key("redisimnest.kind")
	errorKindKey = attribute.Key("redisimnest.error.kind")
	cacheHitKey  = attribute.Key("redisimnest.cache.hit")
	degradedKey  = attribute.Key("redisimnest.degraded")
	refusedKey   = attribute.Key("redisimnest.limiter.refused")
	bytesOutKey  = attribute.Key("redisimnest.bytes.sent")
	bytesInKey   = attribute.Key("redisimnest.bytes.received")
	keyKey       = attribute.Key("redisimnest.key")
)

// The operations of package nest that are treated in a way of their own.
const (
	opLoad    = "load"    // a call of a loader
	opConsume = "consume" // a call of a handler
	opRetry   = "consume retry"
	opBatch   = "batch"
	opAtomic  = "atomic"
	opAcquire = "acquire"
	opPeek    = "peek"
)

// longestSummary is what the conventions allow.
const longestSummary = 255

// summary returns the name of a span, which is its db.query.summary too.
func summary(e *nest.Event) string {
	name := operationName(e)
	if e.Template == "" || len(name)+1+len(e.Template) > longestSummary {
		return name
	}
	return name + " " + e.Template
}

// operationName returns the Redis command, or the operation if there is no command or several.
func operationName(e *nest.Event) string {
	if e.Batch > 1 && (e.Op == opBatch || e.Op == opAtomic) {
		name := "PIPELINE"
		if e.Op == opAtomic {
			name = "MULTI"
		}
		if e.Command != "" {
			name += " " + e.Command
		}
		return name
	}
	if e.Command != "" {
		return e.Command
	}
	return e.Op
}

// ours reports whether the operation is a call of one of the program's own functions, or stands for
// calls that are reported by themselves.
func ours(e *nest.Event) bool { return e.Op == opLoad || e.Op == opConsume || e.Op == opRetry }

// atStart returns the attributes that are known when a span begins, for those who sample.
func (o *observer) atStart(e *nest.Event) []attribute.KeyValue {
	attrs := make([]attribute.KeyValue, 0, 12)
	attrs = append(attrs, templateKey.String(e.Template), operationKey.String(e.Op), declaredKey.String(string(e.Kind)))
	if !ours(e) {
		attrs = database(attrs, e)
	}
	if e.Batch > 1 {
		attrs = append(attrs, semconv.DBOperationBatchSize(e.Batch))
	}
	if o.keys && e.Key != "" {
		attrs = append(attrs, keyKey.String(e.Key))
	}
	return attrs
}

// database appends the attributes of the conventions that spans and metrics have.
func database(attrs []attribute.KeyValue, e *nest.Event) []attribute.KeyValue {
	attrs = append(attrs, semconv.DBSystemNameRedis, semconv.DBOperationName(operationName(e)), semconv.DBQuerySummary(summary(e)))
	if e.Server == "" {
		return attrs
	}
	host, port, err := net.SplitHostPort(e.Server)
	if err != nil { // the path of a socket
		return append(attrs, semconv.ServerAddress(e.Server))
	}
	attrs = append(attrs, semconv.ServerAddress(host))
	if n, err := strconv.Atoi(port); err == nil {
		attrs = append(attrs, semconv.ServerPort(n))
	}
	return attrs
}
