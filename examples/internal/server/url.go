package server

import (
	"errors"
	"os"
)

// URL returns the URL of the server, for clients other than this library's.
func (s Server) URL() (string, error) {
	if s.embedded != nil {
		return "redis://" + s.embedded.Addr(), nil
	}
	url := os.Getenv("REDIS_URL")
	if url == "" {
		return "", errors.New("this example finds a server by REDIS_URL only")
	}
	return url, nil
}
