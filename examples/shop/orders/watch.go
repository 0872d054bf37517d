package orders

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"time"

	"github.com/redisimnest/redisimnest/nest"
)

// watch streams the orders of a customer whose status changes, as server-sent events, until the
// context ends.
func (o *Orders) watch(ctx context.Context, w http.ResponseWriter, customer string) error {
	response := http.NewResponseController(w)
	if err := response.SetWriteDeadline(time.Time{}); err != nil {
		return fmt.Errorf("write without a deadline: %w", err)
	}
	w.Header().Set("Content-Type", "text/event-stream")
	w.Header().Set("Cache-Control", "no-store")
	for order, err := range Changes.At(o.scope, customer).Subscribe(ctx, nest.Buffer(16), nest.OnSubscribed(func() {
		_, _ = fmt.Fprint(w, ": listening\n\n") // the next write fails too
		_ = response.Flush()
	})) {
		event, data := "order", []byte("{}")
		switch {
		case errors.Is(err, nest.ErrGap):
			event = "gap" // the client has to ask for what it missed
		case errors.Is(err, nest.ErrDecode):
			continue // another release's
		case err != nil:
			return nil // the response has begun; the client connects again
		default:
			if data, err = json.Marshal(order); err != nil {
				return fmt.Errorf("encode an order: %w", err)
			}
		}
		if _, err := fmt.Fprintf(w, "event: %s\ndata: %s\n\n", event, data); err != nil {
			return nil // the client has gone
		}
		if err := response.Flush(); err != nil {
			return nil // likewise
		}
	}
	return nil
}
