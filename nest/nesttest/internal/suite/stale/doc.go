// Package stale tests, step by step, that nobody reads what a write has replaced: neither from the
// client's memory, nor because a load stores it afterwards.
package stale
