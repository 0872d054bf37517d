// Package away tests what happens while Redis is away, slow or full: time-outs, circuit breakers,
// loads and limits without Redis.
package away
