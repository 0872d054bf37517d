package nest

import (
	"fmt"
	"slices"
	"time"

	"github.com/redisimnest/redisimnest/codec"
	"github.com/redisimnest/redisimnest/nest/internal/names"
)

// settings holds what is inherited down the tree until something nearer overrides it. set records
// which fields were set, so that "unset" differs from "off". Open computes the effective settings
// of each mounted key once.
type settings struct {
	set       settingBits
	ttl       time.Duration // 0: none
	jitter    float64
	autoRenew bool
	protected bool
	sensitive bool
	cached    time.Duration // 0: not
	local     time.Duration // if the client cannot track; 0: not
	localSize int           // 0: the default
	codec     codec.Codec
	load      readThrough // the key's own: it is not inherited
}

// mark records that a declaration sets an option, which it can do only once.
func (s *settings) mark(bit settingBits, option string) error {
	if s.set&bit != 0 {
		return fmt.Errorf("%s is given twice", option)
	}
	s.set |= bit
	return nil
}

type settingBits uint16

const (
	hasTTL settingBits = 1 << iota
	hasJitter
	hasAutoRenew
	hasProtected
	hasCached
	hasCodec
	hasSensitive
)

// under returns the settings that hold below parent.
func (s settings) under(parent settings) settings {
	if s.set&hasTTL == 0 {
		s.ttl = parent.ttl
	}
	if s.set&hasJitter == 0 {
		s.jitter = parent.jitter
	}
	if s.set&hasAutoRenew == 0 {
		s.autoRenew = parent.autoRenew
	}
	if s.set&hasProtected == 0 {
		s.protected = parent.protected
	}
	if s.set&hasCached == 0 {
		s.cached, s.local, s.localSize = parent.cached, parent.local, parent.localSize
	}
	if s.set&hasCodec == 0 {
		s.codec = parent.codec
	}
	s.sensitive = s.sensitive || parent.sensitive
	s.set |= parent.set
	return s
}

// config collects the options of one declaration.
type config struct {
	settings
	doc        string
	params     []*names.Spec
	subs       []Node
	hashTag    bool
	generation string // the name of the parameter, or ""
	hasDefault bool
	// def returns the default. It is a function because package fmt prints what unexported fields
	// hold, but never what a function closes over, and the default may be that of a secret.
	def      func() any
	fieldTTL time.Duration
	// secretFields lists the names of encrypted fields; empty, but not nil, means all fields.
	secretFields []string
	acceptPlain  bool
	was          *former
	// How a stream stores its entries, and which of them it keeps.
	entryField    string
	entryPerField bool
	trim          TrimOption
	rate          rate // of a limiter
	whenDown      Fallback
	// special lists the options that only some kinds have.
	special []special
}

// special is an option that only some kinds have.
type special struct {
	option string
	kinds  []Kind
}

func (c *config) onlyFor(option string, kinds ...Kind) {
	c.special = append(c.special, special{option, kinds})
}

// fits returns an error if an option does not apply to the kind.
func (c *config) fits(kind Kind) error {
	for _, s := range c.special {
		if !slices.Contains(s.kinds, kind) {
			return fmt.Errorf("%s is no option of a %s", s.option, kind)
		}
	}
	return nil
}

// rate is what the options of a limiter declare.
type rate struct {
	n      int64
	period time.Duration
	burst  int64 // 0 stands for n
	window bool
}

// TrimOption says which entries of a stream are kept. It is an option of [StreamRef.Add], the
// argument of [StreamRef.Trim], and an option of [Stream] that applies to every Add. [KeepLast] and
// [KeepFrom] make one.
type TrimOption struct {
	by, threshold string
	approx        bool
	limit         int64
	err           error
}
