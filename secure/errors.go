package secure

import "errors"

// The errors of sealing and opening. Each means that there is no plaintext; an empty value, a
// default or a marker never takes its place.
var (
	// ErrNotSealed means that a stored value is not in a form that the keyring reads: another
	// client wrote it, or it was stored before it became a secret.
	ErrNotSealed = errors.New("secure: value is not sealed")
	// ErrUnknownSuite means that a newer version of this package sealed a value, or that its third
	// byte was altered.
	ErrUnknownSuite = errors.New("secure: value is sealed by an unknown suite")
	// ErrUnknownKey means that the key that sealed a value is not in the keyring. The message names
	// the key's id.
	ErrUnknownKey = errors.New("secure: key is not in the keyring")
	// ErrDisabledKey means that the key that sealed a value is disabled in the keyring. The message
	// names the key's id.
	ErrDisabledKey = errors.New("secure: key is disabled in the keyring")
	// ErrOpen means that a value does not open: it was altered, truncated, or sealed for another
	// place or in another context. Which one cannot be known.
	ErrOpen = errors.New("secure: value does not open: altered, moved, or sealed in another context")
	// ErrTooLarge means that a plaintext or a sealed value is over the limit.
	ErrTooLarge = errors.New("secure: value is too large")
	// ErrNoKeyring means that a [Holder] is empty, or that a [Keyring] was not made by
	// [NewKeyring].
	ErrNoKeyring = errors.New("secure: no keyring")
)

// The errors of making keys and keyrings.
var (
	// ErrKey means that a text or a slice of bytes is not a key.
	ErrKey = errors.New("secure: bad key")
	// ErrKeyring means that keys and options do not make a keyring.
	ErrKeyring = errors.New("secure: bad keyring")
)

// The errors of passwords. A wrong password is not an error.
var (
	// ErrHashMalformed means that a stored string is not a password hash, or is not in the one form
	// that its format allows.
	ErrHashMalformed = errors.New("secure: password hash is malformed")
	// ErrHashUnsupported means that a stored string is a password hash of an algorithm or a version
	// that this package does not compute.
	ErrHashUnsupported = errors.New("secure: password hash is of an unsupported algorithm")
	// ErrHashCost means that a stored string asks for more memory or time than any password hash
	// should. Nothing was computed.
	ErrHashCost = errors.New("secure: password hash costs too much to verify")
	// ErrPasswordLength means that a password or a candidate is empty or longer than 1024 bytes.
	// Nothing was computed.
	ErrPasswordLength = errors.New("secure: password must be 1 to 1024 bytes long")
	// ErrBusy means that too many computations are already waiting. Try again later.
	ErrBusy = errors.New("secure: too many passwords are being computed")
	// ErrPolicy means that a policy or its options are weaker or more expensive than this package
	// allows.
	ErrPolicy = errors.New("secure: bad password policy")
)
