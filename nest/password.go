package nest

import (
	"context"
	"errors"
	"strings"

	"github.com/redis/rueidis"

	"github.com/redisimnest/redisimnest/codec"
)

// KindPassword is the kind of [Password].
const KindPassword Kind = "password"

// PasswordDef declares a key that holds the hash of a password, as a Redis string.
type PasswordDef struct {
	Declaration
}

// Password declares a key that holds the hash of a password, which can be verified and not read.
// [WithPasswords] gives what hashes it. With [WithKeyring] the hash is encrypted too, and bound
// to the name of its key, so that a hash which was copied from one user to another does not
// verify.
//
// A password has no [Default]. [Codec], [Cached] and [AutoRenew] have no effect on it: what is
// verified is what the server holds at that time, and an attempt to log in prolongs nothing.
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

// At gives the reference of the key below s; what args are, [KeyDef.At] tells.
func (d *PasswordDef) At(s Scope, args ...any) PasswordRef {
	if d == nil {
		return PasswordRef{nilRef(s)}
	}
	return PasswordRef{d.ref(&s, args)}
}

// PasswordRef is one key that holds the hash of a password, with all its parameters filled in.
// It has no Get: there is nothing to get.
//
// With a keyring, a stored string that is not sealed for this key is [ErrOpen]; what
// [Ref.Restore] and [Ref.Do] bring from another key does not open.
type PasswordRef struct {
	Ref
}

// Verification is what came of a candidate for a password.
type Verification struct {
	// Matched tells that the candidate is the password.
	Matched bool
	// Missing tells that there is no password. An answer that lets this be seen, or be told
	// from a wrong password, tells who has an account.
	Missing bool
	// Rehashed tells that the password, which matched, was hashed and stored anew, because its
	// hash was weaker than new ones are.
	Rehashed bool
}

// passwords is what Open prepares for a key that holds the hash of a password.
type passwords struct {
	sealing // without a sealer when there is no keyring
	hasher  Hasher
	plain   bool // AcceptPlainHashes
}

// hashCodec is what sealed hashes are bound to as their codec: the form of their text.
const hashCodec = "phc"

func bindPassword(m *mounted) (any, error) {
	o := &m.tree.options
	if o.hasher == nil && !o.namesOnly {
		return nil, because(ErrNoHasher, "a password needs the option WithPasswords")
	}
	return &passwords{sealing{o.sealer, KindPassword, hashCodec, nil}, o.hasher, o.plainHashes}, nil
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

// maxWrapped is the length in bytes up to which a stored string is looked at for the Python
// library's JSON; what is within is no longer than a hash.
const maxWrapped = 1024

// unwrapPython takes the JSON off that the Python library puts round a hash.
func unwrapPython(stored string) string {
	var encoded string
	if len(stored) > maxWrapped || !strings.HasPrefix(stored, "{") || codec.Tagged.Decode([]byte(stored), &encoded) != nil {
		return stored
	}
	return encoded
}

// Set hashes the password and writes the hash, and starts the declared TTL (SET). With [KeepTTL]
// the running one goes on, with [ExpireIn], [ExpireUntil] and [NoExpiry] the caller decides.
// Whatever the password looks like, it is hashed; its length is 1 to 1024 bytes with package
// secure's hasher. The error wraps the hasher's own. In a batch the hash is made when the
// operation is put into it.
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

// SetIfAbsent writes the hash only when there is no password yet, and tells whether it did (SET
// NX).
func (r PasswordRef) SetIfAbsent(ctx context.Context, password string, opts ...SetOption) (bool, error) {
	return call(ctx, r.at, func() command[bool] { return r.setIf(ctx, &opSetIfAbsent, "NX", password, opts) })
}

// SetIfPresent writes the hash only when there is a password already, and tells whether it did
// (SET XX).
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

// hash makes what is stored for a password.
func (r PasswordRef) hash(ctx context.Context, password string) (string, error) {
	if ctx == nil {
		return "", errNilContext
	}
	p := r.passwords()
	encoded, err := p.hasher.Hash(ctx, password)
	if err != nil {
		return "", err
	}
	return p.seal(r.at.key, "", encoded)
}

func (r PasswordRef) passwords() *passwords { return r.at.m.bound.(*passwords) }

// SetHash writes the hash of a password that was made elsewhere, in the form of PHC strings or of
// bcrypt, and starts the declared TTL (SET). The error wraps [ErrArgument] when the hasher would
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

// Verify tells whether candidate is the password (STRLEN and GET in one script). A wrong candidate and a missing password
// are no errors: both are false, and take the same time. A hash that is weaker than new ones are
// is replaced after a match, unless somebody else wrote meanwhile (GET and SET KEEPTTL in one
// script); its TTL goes on, and whether that succeeds does not change the result.
//
// The error wraps [ErrOpen] when the stored hash does not open or is longer than 16 KiB, and the
// hasher's own error when
// the stored string is no hash that it computes, the candidate is too long, or too many are being
// verified.
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

// VerifyDetail is [PasswordRef.Verify], and tells more of what came of it (STRLEN and GET in one
// script; GET and SET KEEPTTL in one where the hash is replaced).
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

// maxStoredHash is how many bytes are read of what a password's key holds: whoever writes Redis
// decides how long that is, and whoever logs in how often it is read. Package secure's hashes are
// shorter by far, sealed and in the Python library's JSON too.
const maxStoredHash = 16 << 10

// readingHash gives what the key holds, or how long that is if it is longer than ARGV[1].
var readingHash = newScript(`local size = redis.call('STRLEN', KEYS[1])
if size > tonumber(ARGV[1]) then return size end
return redis.call('GET', KEYS[1])`)

func (r address) storedHash() rueidis.Completed {
	return r.b().Arbitrary(evalSHA, readingHash.sha, "1").Keys(r.key).Args(millis(maxStoredHash)).ReadOnly()
}

// hashText reads the answer of readingHash, which is not nil.
func hashText(a rueidis.RedisMessage) (string, error) {
	if size, err := a.AsInt64(); a.IsInt64() && err == nil {
		return "", errLongHash(size)
	}
	stored, err := a.ToString()
	if err != nil {
		return "", errAnswer
	}
	return stored, nil
}

func errLongHash(size int64) error {
	return because(ErrOpen, millis(size)+" bytes are none of a password's hash")
}

func replyStoredHash(_ *mounted, a rueidis.RedisMessage) (found[string], error) {
	if a.IsNil() {
		return found[string]{}, nil
	}
	text, err := hashText(a)
	return found[string]{text, err == nil}, err
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

// rehash replaces what was stored by a new hash, and tells whether it did. That it failed is told
// to the observers alone: the login is right.
func (p *passwords) rehash(ctx context.Context, r address, stored, password string) bool {
	text, err := PasswordRef{Ref{r}}.hash(ctx, password)
	cmd := refuse(&opRehash, err)
	if err == nil {
		cmd = r.replace(&opRehash, stored, text)
	}
	done, err := run(ctx, r, cmd)
	return done && err == nil
}

// Reveal gives the stored hash, in the form of PHC strings or of bcrypt (STRLEN and GET in one
// script): whoever has it can try out passwords. The error wraps [ErrNotFound] when there is no password.
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

// Rotate seals the hash anew if it is not sealed by the keyring's primary key, as
// [SecretRef.Rotate] does (STRLEN and GET in one script, then GET and SET KEEPTTL in one). Without
// a keyring there is nothing to do.
func (r PasswordRef) Rotate(ctx context.Context) (bool, error) { return r.at.reseal(ctx) }

// Rename gives the password, with its remaining TTL, to another key, sealed for its new name, as
// [SecretRef.Rename] does (STRLEN and GET in one script, then SET and DEL in one).
func (r PasswordRef) Rename(ctx context.Context, to PasswordRef, opts ...WriteOption) (bool, error) {
	return r.at.renameSealed(ctx, to.at, opts)
}

// Copy writes the password, with its remaining TTL, to another key too, as [SecretRef.Copy] does
// (STRLEN and GET in one script, then SET in one).
func (r PasswordRef) Copy(ctx context.Context, to PasswordRef, opts ...WriteOption) (bool, error) {
	return r.at.copySealed(ctx, to.at, opts)
}

var (
	opSetHash      = operation[struct{}]{"set hash", replyNone}
	opVerify       = operation[bool]{name: "verify"}
	opVerifyDetail = operation[Verification]{name: "verify"}
	opReveal       = operation[string]{name: "reveal"}
	opStoredHash   = operation[found[string]]{"get", replyStoredHash}
)
