// Package secure keeps secrets and passwords safe from whoever reads the
// database they are stored in, and from whoever writes to it.
//
// # Secrets
//
// A [Keyring] seals values: each is encrypted under a key of its own, and bound
// to the place it is stored at (the Redis key, the hash field, the kind of
// value, the codec, and the keyring's context), so that a value moved to
// another place does not open. One key of the ring seals, any number of others
// only open, which is what rotation needs. [Holder] replaces the ring while the
// service runs. [Hidden] carries an opened secret through a program without
// being printed by it.
//
// # Passwords
//
// [Passwords] hashes under a [Policy] with argon2id and verifies what it and
// other libraries stored. Whatever a stored string asks for is measured before
// it is computed, and the memory of all computations together is bounded.
// [Verify] is for programs that have only a stored string.
//
// # What is not promised
//
// Nothing here protects from the holder of the keyring, from putting back an
// older value of the same key, from deletion, or hides the lengths of values,
// the names of keys and who reads them when. Keys and passwords stay in the
// process's memory until the garbage collector reuses it; they are not wiped.
//
// # Errors
//
// No error of this package contains a key, a password, a plaintext, a stored
// value or a part of one, but for the id of the key that sealed it. Errors are
// told apart with [errors.Is] and the variables of this package.
package secure
