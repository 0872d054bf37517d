package nestotel

import (
	"context"
	"errors"
	"slices"
	"strings"

	"github.com/redis/rueidis"
	"go.opentelemetry.io/otel/attribute"
	semconv "go.opentelemetry.io/otel/semconv/v1.43.0"

	"github.com/redisimnest/redisimnest/nest"
)

// failure says how an operation failed, without the text of the error.
type failure struct {
	kind string // "" if it did not
	code string // of the server, or ""
}

// kinds are the kinds of errors. An error has the first one that it wraps.
var kinds = []struct {
	err  error
	name string
}{
	{nest.ErrOutcomeUnknown, "outcome_unknown"},
	{nest.ErrAway, "away"},
	{nest.ErrLockLost, "lock_lost"},
	{nest.ErrLockReleased, "lock_released"},
	{nest.ErrLimited, "limited"},
	{nest.ErrCrossSlot, "cross_slot"},
	{nest.ErrConflict, "conflict"},
	{nest.ErrAborted, "aborted"},
	{nest.ErrUnsent, "unsent"},
	{nest.ErrWrongType, "wrong_type"},
	{nest.ErrUnsupported, "unsupported"},
	{nest.ErrOverflow, "overflow"},
	{nest.ErrExists, "exists"},
	{nest.ErrOpen, "open"},
	{nest.ErrNoKeyring, "no_keyring"},
	{nest.ErrNoHasher, "no_hasher"},
	{nest.ErrDecode, "decode"},
	{nest.ErrEncode, "encode"},
	{nest.ErrProtected, "protected"},
	{nest.ErrBatch, "batch"},
	{nest.ErrMissingParam, "missing_param"},
	{nest.ErrExtraParam, "extra_param"},
	{nest.ErrParamType, "param_type"},
	{nest.ErrParamValue, "param_value"},
	{nest.ErrNotMounted, "not_mounted"},
	{nest.ErrAmbiguous, "ambiguous"},
	{nest.ErrNoMatch, "no_match"},
	{nest.ErrNoClient, "no_client"},
	{nest.ErrArgument, "argument"},
	{context.DeadlineExceeded, "timeout"},
	{context.Canceled, "canceled"},
}

const otherKind = "_OTHER"

// statusCodes are the first words of errors that servers send. A script may send any other.
var statusCodes = []string{
	"ASK", "BUSY", "BUSYGROUP", "BUSYKEY", "CLUSTERDOWN", "CROSSSLOT", "ERR", "EXECABORT", "LOADING", "MASTERDOWN", "MISCONF", "MOVED",
	"NOAUTH", "NOGROUP", "NOPERM", "NOPROTO", "NOREPLICAS", "NOSCRIPT", "OOM", "READONLY", "TRYAGAIN", "UNBLOCKED", "UNKILLABLE", "WRONGPASS",
	"WRONGTYPE",
}

// failureOf classifies an error. A missing key is none.
func failureOf(err error) failure {
	if err == nil {
		return failure{}
	}
	f := failure{kind: otherKind}
	if answer, ok := errors.AsType[*rueidis.RedisError](err); ok && !answer.IsNil() {
		first, _, _ := strings.Cut(answer.Error(), " ") // the client leaves ERR out
		f.code = "ERR"
		if _, known := slices.BinarySearch(statusCodes, first); known {
			f.code = first
		}
	}
	for _, k := range kinds {
		if errors.Is(err, k.err) {
			f.kind = k.name
			if k.err == nest.ErrWrongType { //nolint:errorlint // of the table
				f.code = "WRONGTYPE" // package nest says what the key holds in place of the server's words
			}
			return f
		}
	}
	if f.code == "" && errors.Is(err, nest.ErrNotFound) {
		return failure{}
	}
	return f
}

// class is the error.type of the conventions.
func (f failure) class() attribute.KeyValue {
	if f.code != "" {
		return semconv.ErrorTypeKey.String(f.code)
	}
	return semconv.ErrorTypeKey.String(f.kind)
}

func (f failure) appendTo(attrs []attribute.KeyValue) []attribute.KeyValue {
	attrs = append(attrs, f.class(), errorKindKey.String(f.kind))
	if f.code != "" {
		attrs = append(attrs, semconv.DBResponseStatusCode(f.code))
	}
	return attrs
}
