// Package observing tests what observers are told of operations, before they begin and afterwards.
package observing
