package nest

import (
	"context"
	"errors"
	"strings"

	"github.com/redis/rueidis"

	"github.com/redisimnest/redisimnest/codec"
)

// PasswordDef declares a key that holds the hash of a password, as a Redis string.
type PasswordDef struct {
	Declaration
}

// Password declares a key that holds the hash of a password. The password can be verified but not
// read. [WithPasswords] sets what hashes it. With [WithKeyring] the hash is encrypted too, and
// bound to the name of its key: a hash that was copied from one user to another does not verify.
//
// A password has no [Default]. [Codec], [Cached] and [AutoRenew] have no effect on it: a candidate
// is verified against what the server holds at that time, and an attempt to log in does not renew
// the TTL.
//
// Password panics, with the file and line of the call, on a malformed template or option.
func Password(template string, opts ...KeyOption) *PasswordDef {
	d := &PasswordDef{}
	where := caller()
	d.declare(d, KindPassword, "Password", template, where, applyKeyOptions(opts))
	if d.config.hasDefault {
		where.refuse("Password", template, errors.New("a password has no Default: who has none set cannot log in"))
	}
	d.bind = bindPassword
	return d
}

// At returns the reference of the key below s; see [KeyDef.At] for args.
func (d *PasswordDef) At(s Scope, args ...any) PasswordRef {
	if d == nil {
		return PasswordRef{nilRef(s)}
	}
	return PasswordRef{d.ref(&s, args)}
}

// PasswordRef is one key that holds the hash of a password, with all its parameters filled in. It
// has no Get: there is nothing to get.
//
// With a keyring, a stored string that is not sealed for this key is [ErrOpen]. What [Ref.Restore]
// and [Ref.Do] bring from another key does not open.
type PasswordRef struct {
	Ref
}

// Verification is the result of verifying a candidate for a password.
type Verification struct {
	// Matched reports whether the candidate is the password.
	Matched bool
	// Missing reports that there is no password. An answer to the user that shows this, or that
	// differs from the answer to a wrong password, reveals who has an account.
	Missing bool
	// Rehashed reports that the password matched, and was hashed and stored again because its hash
	// was weaker than new hashes are.
	Rehashed bool
}

// passwords is what Open prepares for a key that holds the hash of a password.
type passwords struct {
	sealing // without a sealer if there is no keyring
	hasher  Hasher
	plain   bool // AcceptPlainHashes
}

// hashCodec is the name of the codec that sealed hashes are bound to: the format of their text.
const hashCodec = "phc"

func bindPassword(m *mounted) (any, error) {
	o := &m.tree.options
	if o.hasher == nil && !o.namesOnly {
		return nil, because(ErrNoHasher, "a password needs the option WithPasswords")
	}
	return &passwords{sealing{o.sealer, KindPassword, []string{hashCodec}, nil, nil}, o.hasher, o.plainHashes}, nil
}

func (p *passwords) seal(key, field, encoded string) (string, error) {
	if p.sealer == nil {
		return encoded, nil
	}
	return p.sealing.seal(key, field, encoded)
}

func (p *passwords) open(key, field, stored string) (string, error) {
	if p.sealer == nil {
		if p.plain {
			stored = unwrapPython(stored)
		}
		return stored, nil
	}
	encoded, err := p.sealing.open(key, field, stored)
	if err != nil && p.plain {
		if plain := unwrapPython(stored); p.hasher.Validate(plain) == nil {
			return plain, nil
		}
	}
	return encoded, err
}

func (p *passwords) current(stored string) bool {
	return p.sealer == nil || p.sealing.current(stored)
}

// maxWrapped is the length in bytes up to which a stored string is examined for the Python
// library's JSON. The string inside is no longer than a hash.
const maxWrapped = 1024

// unwrapPython removes the JSON that the Python library puts around a hash.
func unwrapPython(stored string) string {
	var encoded string
	if len(stored) > maxWrapped || !strings.HasPrefix(stored, "{") || codec.Tagged.Decode([]byte(stored), &encoded) != nil {
		return stored
	}
	return encoded
}

// Set hashes the password, writes the hash and starts the declared TTL (SET). With [KeepTTL] the
// running TTL goes on; with [ExpireIn], [ExpireUntil] and [NoExpiry] the caller decides. The
// password is hashed whatever it looks like, even like a hash. With package secure's hasher its
// length is 1 to 1024 bytes. The error wraps the hasher's own error. In a batch, [Batch.Exec] makes
// the hashes; in a transaction, [Transact] does once its function has returned. They make one hash
// after the other, with the context that was passed to them.
//
//nest:batch late
func (r PasswordRef) Set(ctx context.Context, password string, opts ...SetOption) error {
	_, err := call(ctx, r.at, func() command[struct{}] { return r.set(ctx, password, opts) })
	return err
}

func (r PasswordRef) set(ctx context.Context, password string, opts []SetOption) command[struct{}] {
	text, err := r.hash(ctx, password)
	if err != nil {
		return refuse(&opSet, err)
	}
	return r.at.put(text, opts)
}

// SetIfAbsent writes the hash only if there is no password yet, and reports whether it did (SET
// NX).
//
//nest:batch late
func (r PasswordRef) SetIfAbsent(ctx context.Context, password string, opts ...SetOption) (bool, error) {
	return call(ctx, r.at, func() command[bool] { return r.setIf(ctx, &opSetIfAbsent, "NX", password, opts) })
}

// SetIfPresent writes the hash only if there is a password already, and reports whether it did (SET
// XX).
//
//nest:batch late
func (r PasswordRef) SetIfPresent(ctx context.Context, password string, opts ...SetOption) (bool, error) {
	return call(ctx, r.at, func() command[bool] { return r.setIf(ctx, &opSetIfPresent, "XX", password, opts) })
}

func (r PasswordRef) setIf(ctx context.Context, op *operation[bool], condition, password string, opts []SetOption) command[bool] {
	text, err := r.hash(ctx, password)
	if err != nil {
		return refuse(op, err)
	}
	return r.at.putIf(op, condition, text, opts)
}

// hash returns what is stored for a password.
func (r PasswordRef) hash(ctx context.Context, password string) (string, error) {
	switch {
	case r.at.err != nil:
		return "", r.at.err
	case ctx == nil:
		return "", errNilContext
	case ctx.Err() != nil:
		return "", ctx.Err()
	}
	p := r.passwords()
	encoded, err := p.hasher.Hash(ctx, password)
	if err != nil {
		return "", err
	}
	return p.seal(r.at.key, "", encoded)
}

func (r PasswordRef) passwords() *passwords { return r.at.m.bound.(*passwords) }

// SetHash writes the hash of a password that was made elsewhere, as a PHC string or in the form of
// bcrypt, and starts the declared TTL (SET). The error wraps [ErrArgument] if the hasher would
// refuse to verify it.
func (r PasswordRef) SetHash(ctx context.Context, encoded string, opts ...SetOption) error {
	_, err := call(ctx, r.at, func() command[struct{}] { return r.setHash(encoded, opts) })
	return err
}

func (r PasswordRef) setHash(encoded string, opts []SetOption) command[struct{}] {
	p := r.passwords()
	if err := p.hasher.Validate(encoded); err != nil {
		return refuse(&opSetHash, &declined{ErrArgument, err})
	}
	text, err := p.seal(r.at.key, "", encoded)
	if err != nil {
		return refuse(&opSetHash, err)
	}
	return r.at.put(text, opts)
}

// Verify reports whether candidate is the password (STRLEN and GET in one script). A wrong
// candidate and a missing password are not errors: both return false, and take the same time. If
// the candidate matches and the stored hash is weaker than new hashes are, Verify replaces it,
// unless another client wrote meanwhile (GET and SET KEEPTTL in one script). The TTL goes on, and
// the result does not depend on whether the replacement succeeds.
//
// The error wraps [ErrOpen] if the stored hash does not open or is longer than 16 KiB. It wraps the
// hasher's own error if the stored string is not a hash that the hasher computes, if the candidate
// is too long, or if too many candidates are being verified.
func (r PasswordRef) Verify(ctx context.Context, candidate string) (bool, error) {
	return call(ctx, r.at, func() command[bool] { return r.verify(candidate) })
}

//nest:ttl keeps
func (r PasswordRef) verify(candidate string) command[bool] {
	return command[bool]{op: &opVerify, cmd: r.at.storedHash(),
		keyed: func(ctx context.Context, r address, a rueidis.RedisMessage) (bool, error) {
			v, err := verifyPassword(ctx, r, a, candidate)
			return v.Matched, err
		}}
}

// VerifyDetail is [PasswordRef.Verify] with a more detailed result (STRLEN and GET in one script;
// GET and SET KEEPTTL in one where the hash is replaced).
func (r PasswordRef) VerifyDetail(ctx context.Context, candidate string) (Verification, error) {
	return call(ctx, r.at, func() command[Verification] { return r.verifyDetail(candidate) })
}

//nest:ttl keeps
func (r PasswordRef) verifyDetail(candidate string) command[Verification] {
	return command[Verification]{op: &opVerifyDetail, cmd: r.at.storedHash(),
		keyed: func(ctx context.Context, r address, a rueidis.RedisMessage) (Verification, error) {
			return verifyPassword(ctx, r, a, candidate)
		}}
}

func verifyPassword(ctx context.Context, r address, a rueidis.RedisMessage, candidate string) (Verification, error) {
	p := r.m.bound.(*passwords)
	if a.IsNil() {
		err := p.hasher.VerifyMissing(ctx, candidate)
		return Verification{Missing: err == nil}, err
	}
	stored, err := hashText(a)
	if err != nil {
		return Verification{}, err
	}
	encoded, err := p.open(r.key, "", stored)
	if err != nil {
		return Verification{}, err
	}
	matched, rehash, err := p.hasher.Verify(ctx, encoded, candidate)
	if err != nil || !matched {
		return Verification{}, err
	}
	if !rehash {
		r.resealRead(ctx, stored, encoded)
		return Verification{Matched: true}, nil
	}
	return Verification{Matched: true, Rehashed: p.rehash(ctx, r, stored, candidate)}, nil
}

// rehash replaces the stored string with a new hash, and reports whether it did. Only the observers
// see that it failed: the login is right.
func (p *passwords) rehash(ctx context.Context, r address, stored, password string) bool {
	text, err := PasswordRef{Ref{r}}.hash(ctx, password)
	cmd := refuse(&opRehash, err)
	if err == nil {
		cmd = r.replace(&opRehash, stored, text)
	}
	done, err := run(ctx, r, cmd)
	return done && err == nil
}

// Reveal returns the stored hash, as a PHC string or in the form of bcrypt (STRLEN and GET in one
// script). Whoever has it can try out passwords. The error wraps [ErrNotFound] if there is no
// password.
func (r PasswordRef) Reveal(ctx context.Context) (string, error) { return call(ctx, r.at, r.reveal) }

//nest:ttl keeps
func (r PasswordRef) reveal() command[string] {
	return command[string]{op: &opReveal, cmd: r.at.storedHash(), keyed: revealPassword}
}

func revealPassword(_ context.Context, r address, a rueidis.RedisMessage) (string, error) {
	if a.IsNil() {
		return "", ErrNotFound
	}
	stored, err := hashText(a)
	if err != nil {
		return "", err
	}
	return r.m.bound.(*passwords).open(r.key, "", stored)
}

// Rotate reseals the hash if it is not sealed by the keyring's primary key, as [SecretRef.Rotate]
// does (STRLEN and GET in one script, then GET and SET KEEPTTL in one). Without a keyring there is
// nothing to do.
func (r PasswordRef) Rotate(ctx context.Context) (bool, error) { return r.at.reseal(ctx) }

// Rename moves the password, with its remaining TTL, to another key and seals it for its new name,
// as [SecretRef.Rename] does (STRLEN and GET in one script, then SET and DEL in one).
func (r PasswordRef) Rename(ctx context.Context, to PasswordRef, opts ...WriteOption) (bool, error) {
	return r.at.renameSealed(ctx, to.at, opts)
}

// Copy copies the password, with its remaining TTL, to another key, as [SecretRef.Copy] does
// (STRLEN and GET in one script, then SET in one).
func (r PasswordRef) Copy(ctx context.Context, to PasswordRef, opts ...WriteOption) (bool, error) {
	return r.at.copySealed(ctx, to.at, opts)
}

var (
	opSetHash      = operation[struct{}]{"set hash", replyNone}
	opVerify       = operation[bool]{name: "verify"}
	opVerifyDetail = operation[Verification]{name: "verify"}
	opReveal       = operation[string]{name: "reveal"}
)
