// Package secure keeps secrets and passwords safe from anyone who can read or write the database
// that stores them.
//
// # Secrets
//
// A [Keyring] seals values. Each value is encrypted under a key of its own and bound to its place:
// the Redis key, the hash field, the kind of value, the codec, and the keyring's context. A value
// moved to another place does not open. One key of the ring seals; any number of others only open,
// as rotation requires. A [Holder] lets the ring be replaced while the service runs. [Hidden]
// carries an opened secret through a program without being printed.
//
// # Passwords
//
// [Passwords] hashes with argon2id under a [Policy] and verifies hashes that it or other libraries
// stored. The cost that a stored string asks for is checked before anything is computed, and the
// memory of all computations together is bounded. [Verify] is for programs that have only a stored
// string.
//
// # What is not promised
//
// Nothing here protects against the holder of the keyring, against putting back an older value of
// the same key, or against deletion. Nothing hides the lengths of values, the names of keys, or who
// reads them when. Keys and passwords are not wiped: they stay in the process's memory until the
// garbage collector reuses it.
//
// # Errors
//
// No error of this package contains a key, a password, a plaintext, a stored value or a part of
// one, except the id of the key that sealed it. To distinguish errors, use [errors.Is] with the
// variables of this package.
package secure
