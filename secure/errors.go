package secure

import "errors"

// What sealing and opening can fail with. Each of them means that there is no
// plaintext: never an empty value, a default or a marker in its place.
var (
	// ErrNotSealed tells that a stored value is not in a form that the keyring
	// reads: somebody else wrote it, or it was stored before it was a secret.
	ErrNotSealed = errors.New("secure: value is not sealed")
	// ErrUnknownSuite tells that a value was sealed by a newer version of this
	// package, or that its third byte was altered.
	ErrUnknownSuite = errors.New("secure: value is sealed by an unknown suite")
	// ErrUnknownKey tells that the key that sealed a value is not in the
	// keyring. The message names the key's id.
	ErrUnknownKey = errors.New("secure: key is not in the keyring")
	// ErrDisabledKey tells that the key that sealed a value is disabled in the
	// keyring. The message names the key's id.
	ErrDisabledKey = errors.New("secure: key is disabled in the keyring")
	// ErrOpen tells that a value does not open: it was altered, cut, sealed for
	// another place or in another context. Which of these cannot be known.
	ErrOpen = errors.New("secure: value does not open: altered, moved, or sealed in another context")
	// ErrTooLarge tells that a plaintext or a sealed value is over the limit.
	ErrTooLarge = errors.New("secure: value is too large")
	// ErrNoKeyring tells that a [Holder] is empty, or that a [Keyring] was not
	// made by [NewKeyring].
	ErrNoKeyring = errors.New("secure: no keyring")
)

// What making keys and keyrings can fail with.
var (
	// ErrKey tells that a text or a slice of bytes is not a key.
	ErrKey = errors.New("secure: bad key")
	// ErrKeyring tells that keys and options do not make a keyring.
	ErrKeyring = errors.New("secure: bad keyring")
)

// What passwords can fail with. A wrong password is not an error.
var (
	// ErrHashMalformed tells that a stored string is not a password hash, or
	// not written the one way that its format allows.
	ErrHashMalformed = errors.New("secure: password hash is malformed")
	// ErrHashUnsupported tells that a stored string is a password hash of an
	// algorithm or a version that this package does not compute.
	ErrHashUnsupported = errors.New("secure: password hash is of an unsupported algorithm")
	// ErrHashCost tells that a stored string asks for more memory or time than
	// any password hash should. Nothing was computed.
	ErrHashCost = errors.New("secure: password hash costs too much to verify")
	// ErrPasswordLength tells that a password or a candidate is empty or longer
	// than 1024 bytes. Nothing was computed.
	ErrPasswordLength = errors.New("secure: password must be 1 to 1024 bytes long")
	// ErrBusy tells that too many computations wait already. Try again later.
	ErrBusy = errors.New("secure: too many passwords are being computed")
	// ErrPolicy tells that a policy or its options are weaker or dearer than
	// this package allows.
	ErrPolicy = errors.New("secure: bad password policy")
)
