package web

import (
	"context"
	"errors"
	"log/slog"
	"math"
	"net/http"
	"strconv"
	"time"

	"github.com/redisimnest/redisimnest/nest"
)

// statusError is an error whose text the client may see.
type statusError struct {
	status int
	after  time.Duration
	err    error
}

func (e *statusError) Error() string { return e.err.Error() }
func (e *statusError) Unwrap() error { return e.err }

// Status says that an error is the client's, and with which status it is answered.
func Status(status int, err error) error { return &statusError{status: status, err: err} }

// Later says that an error will be none after d.
func Later(status int, err error, d time.Duration) error { return &statusError{status, d, err} }

// fail answers with an error. Errors of Redis and others name keys, so clients do not see them.
func (rs Routes) fail(w http.ResponseWriter, r *http.Request, err error) {
	known := classify(err)
	if known.status >= http.StatusInternalServerError {
		rs.Log.LogAttrs(r.Context(), slog.LevelError, "request failed", slog.String("pattern", r.Pattern), slog.Any("error", err))
	}
	if known.after > 0 {
		w.Header().Set("Retry-After", strconv.Itoa(int(math.Ceil(known.after.Seconds()))))
	}
	_ = Write(w, known.status, map[string]string{"error": known.Error()}) // it can always be encoded
}

func classify(err error) *statusError {
	if known, ok := errors.AsType[*statusError](err); ok {
		return known
	}
	switch {
	case errors.Is(err, nest.ErrParamValue):
		return &statusError{status: http.StatusBadRequest, err: errors.New("a name or key of the request cannot have this value")}
	case errors.Is(err, nest.ErrOutcomeUnknown):
		return &statusError{http.StatusServiceUnavailable, time.Second, errors.New("this may have been done or not")}
	case errors.Is(err, nest.ErrAway):
		return &statusError{http.StatusServiceUnavailable, time.Second, errors.New("nothing was done; try again")}
	case errors.Is(err, context.DeadlineExceeded):
		return &statusError{status: http.StatusGatewayTimeout, err: errors.New("this took too long")}
	}
	return &statusError{status: http.StatusInternalServerError, err: errors.New("internal error")}
}
