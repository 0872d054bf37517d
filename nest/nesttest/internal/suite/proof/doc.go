// Package proof holds the tests of what package nest promises of all operations at once: that a
// key which is declared with a TTL never exists without one, and that the documentation's table
// of operations says what they do. The operations are found, not listed. It has no code.
package proof
