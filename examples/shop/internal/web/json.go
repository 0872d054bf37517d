package web

import (
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
)

// maxBody is the longest body of a request, in bytes.
const maxBody = 1 << 16

// Read decodes the body of a request, and refuses what it does not know.
func Read[T any](w http.ResponseWriter, r *http.Request) (T, error) {
	var v T
	decoder := json.NewDecoder(http.MaxBytesReader(w, r.Body, maxBody))
	decoder.DisallowUnknownFields()
	if err := decoder.Decode(&v); err != nil {
		if _, tooLong := errors.AsType[*http.MaxBytesError](err); tooLong {
			return v, Status(http.StatusRequestEntityTooLarge, err)
		}
		return v, Status(http.StatusBadRequest, fmt.Errorf("the body of the request: %w", err))
	}
	return v, nil
}

// Write answers with JSON.
func Write(w http.ResponseWriter, status int, v any) error {
	body, err := json.Marshal(v)
	if err != nil {
		return fmt.Errorf("encode the answer: %w", err)
	}
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(status)
	_, _ = w.Write(append(body, '\n')) // the client has gone
	return nil
}
