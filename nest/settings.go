package nest

import (
	"fmt"
	"slices"
	"time"

	"github.com/redisimnest/redisimnest/codec"
)

// settings is what goes down the tree until something nearer overrides it. Which fields were
// set stands beside them, so that "unset" differs from "off". The effective settings of each
// mounted key are computed once, by Open.
type settings struct {
	set       settingBits
	ttl       time.Duration // 0: none
	jitter    float64
	autoRenew bool
	protected bool
	cached    time.Duration // 0: not
	codec     codec.Codec
	load      readThrough // the key's own: it is not inherited
}

// mark notes that a declaration sets something, which it can do once.
func (s *settings) mark(bit settingBits, option string) error {
	if s.set&bit != 0 {
		return fmt.Errorf("%s is given twice", option)
	}
	s.set |= bit
	return nil
}

type settingBits uint8

const (
	hasTTL settingBits = 1 << iota
	hasJitter
	hasAutoRenew
	hasProtected
	hasCached
	hasCodec
)

// under gives the settings that hold below parent.
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
		s.cached = parent.cached
	}
	if s.set&hasCodec == 0 {
		s.codec = parent.codec
	}
	s.set |= parent.set
	return s
}

// config collects the options of one declaration.
type config struct {
	settings
	doc        string
	params     []*paramSpec
	subs       []Node
	hashTag    bool
	hasDefault bool
	def        any
	fieldTTL   time.Duration
	// secretFields are the names of encrypted fields; empty, but not nil, for all fields.
	secretFields []string
	// How a stream stores its entries, and which it keeps.
	entryField    string
	entryPerField bool
	trim          TrimOption
	rate          rate // of a limiter
	// special are the options that only some kinds have.
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

// fits tells which option is none of the kind's.
func (c *config) fits(kind Kind) error {
	for _, s := range c.special {
		if !slices.Contains(s.kinds, kind) {
			return fmt.Errorf("%s is no option of a %s", s.option, kind)
		}
	}
	return nil
}
