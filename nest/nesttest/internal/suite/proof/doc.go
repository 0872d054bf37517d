// Package proof tests what package nest promises about all operations at once. A key that is
// declared with a TTL never exists without one, and the documentation's table of operations says
// what the operations do. The operations are found, not listed. The package has no code.
package proof
