// Package acl writes the ACL rules of a Redis user who works with a declared keyspace: the names of
// the keys and channels below a scope, and the commands that the operations of the declared kinds
// consist of, and nothing else.
//
//	rules, err := acl.Rules(root, acl.ReadWrite)
//	// ACL SETUSER orders on >password, and the rules
//
// A script runs with the rights of its user, so the commands inside the scripts of package nest are
// among the rules. So are those with which the client connects, tracks what it caches, walks
// through the keyspace and runs transactions.
//
// What a user who may only read cannot do, although it reads, [Refused] lists: a read that restarts
// a TTL is a write, and so is the lock under which a value is loaded.
package acl

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"

	"github.com/redis/rueidis"

	"github.com/redisimnest/redisimnest/nest"
)

// Mode is what a user may do with the keys below a scope.
type Mode uint8

const (
	// ReadOnly lets a user read keys, subscribe to channels and walk through the names.
	ReadOnly Mode = iota + 1
	// ReadWrite lets a user run every operation of the declared kinds but Do and the Write of a
	// [nest.Custom] type, whose commands are the caller's own.
	ReadWrite
)

// String returns "read only" or "read and write".
func (m Mode) String() string {
	switch m {
	case ReadOnly:
		return "read only"
	case ReadWrite:
		return "read and write"
	}
	return "no mode"
}

// Option is an option of [Rules] and [Refused].
type Option interface{ apply(o *options) error }

type options struct {
	only    []nest.Node
	walks   bool
	watches []int
	known   func(commands []string) (map[string]bool, error)
}

type option func(o *options) error

func (f option) apply(o *options) error { return f(o) }

// Only limits the rules to the keys of some declarations, and of all below them where one is a
// cluster. The patterns are made from their templates then: "root:user:*:name". A pattern's * also
// stands for names that have further parts, as Redis has no narrower one. The default is every name
// that begins as the scope does, declared or not.
func Only(nodes ...nest.Node) Option {
	return option(func(o *options) error {
		if len(nodes) == 0 || slices.Contains(nodes, nil) {
			return fmt.Errorf("%w: Only needs declarations, and none of them nil", nest.ErrArgument)
		}
		o.only = append(o.only, nodes...)
		return nil
	})
}

// WithoutWalks leaves out SCAN, which shows a user the names of all keys of the server: Redis
// checks no names there. Keys, Subkeys, Count, Inspect and Clear of a scope, Rotate and Migrate are
// refused then. INFO and CLUSTER NODES, which show which server has which keys, are left out too.
func WithoutWalks() Option {
	return option(func(o *options) error {
		o.walks = false
		return nil
	})
}

// Watching adds the rights that a watch needs (package watch): to ask which notifications are on
// (CONFIG GET), and to subscribe to those of the keys below the scope in the database of this
// number, which is 0 on a Redis Cluster.
func Watching(db int) Option {
	return option(func(o *options) error {
		if db < 0 {
			return fmt.Errorf("%w: Watching(%d): the number of a database is at least 0", nest.ErrArgument, db)
		}
		o.watches = append(o.watches, db)
		return nil
	})
}

// On leaves out the commands that the client's server does not know (COMMAND INFO): ACL SETUSER
// refuses rules that name them. Without On, the rules have what Redis 8.0 and Valkey 9 know. The
// client's user needs the right to ask. Of a Redis Cluster, one of the nodes is asked.
func On(ctx context.Context, client rueidis.Client) Option {
	return option(func(o *options) error {
		if ctx == nil || client == nil {
			return fmt.Errorf("%w: On needs a context and a client", nest.ErrArgument)
		}
		o.known = func(commands []string) (map[string]bool, error) {
			infos, err := client.Do(ctx, client.B().CommandInfo().CommandName(commands...).Build()).ToArray()
			if err != nil {
				return nil, fmt.Errorf("ask the server which commands it knows (COMMAND INFO): %w", err)
			}
			known := map[string]bool{}
			for i, info := range infos {
				if !info.IsNil() && i < len(commands) {
					known[commands[i]] = true
				}
			}
			return known, nil
		}
		return nil
	})
}

// errMode is the error for what is no Mode.
var errMode = fmt.Errorf("%w: a mode is acl.ReadOnly or acl.ReadWrite", nest.ErrArgument)

// Rules returns the arguments of ACL SETUSER, after the name of the user, that give it the mode's
// rights to the keys and channels below the scope (Redis 7.0). The rules take away what other
// rights the user had, and leave its passwords and whether it is on. The same words stand in an ACL
// file.
//
// Every name that begins as the scope does belongs to it, unless [Only] says otherwise, and so do
// former names ([nest.Was]). What package nest keeps beside keys begins as they do. A read-only
// user has the right to read those names (%R~), and scripts that only read stand in a selector of
// their own, since Redis takes every script for one that writes.
//
// The error wraps [nest.ErrArgument], or is that of the scope.
func Rules(scope nest.Scope, mode Mode, opts ...Option) ([]string, error) {
	p, err := newPlan(scope, mode, opts)
	if err != nil {
		return nil, fmt.Errorf("acl: rules: %w", err)
	}
	if err := p.leaveOut(); err != nil {
		return nil, fmt.Errorf("acl: rules: %w", err)
	}
	return p.rules(), nil
}

// Refusal is what a user cannot do.
type Refusal struct {
	Template   string   `json:"template"`   // of the key: "root:user:<user_id>:session"
	Operations []string `json:"operations"` // "Get", "Lookup"
	Reason     string   `json:"reason"`
}

// String returns the refusal as a sentence.
func (r Refusal) String() string {
	return r.Template + ": " + strings.Join(r.Operations, ", ") + ": " + r.Reason
}

// Refused lists the operations that leave a key as it is, or only seem to, and that a user with the
// rules of the mode cannot run, or cannot run to the end. For [ReadWrite] there are none.
func Refused(scope nest.Scope, mode Mode, opts ...Option) ([]Refusal, error) {
	p, err := newPlan(scope, mode, opts)
	if err != nil {
		return nil, fmt.Errorf("acl: refused: %w", err)
	}
	return p.refused, nil
}

// operation is a row of the table: what an operation sends, and what its scripts run.
type operation struct {
	name     string
	commands string // "get set", "xgroup|create"
	renewing string // the command in their place that restarts the TTL
	scripts  string // names of the scripts in which the commands can run
	inside   string // the commands that are written out in these scripts
	effect   effect
}

// effect is what an operation does to the key's expiry.
type effect uint8

const (
	keeps  effect = iota + 1 // nothing
	renews                   // nothing, unless AutoRenew restarts it
)

// plan collects the rights of a user.
type plan struct {
	options
	mode     Mode
	leads    []lead          // empty for a scope without a prefix
	patterns map[string]bool // of keys
	channels map[string]bool
	commands map[string]bool
	// whole are commands of a reader that Redis takes for writes. They stand beside patterns that
	// let write.
	whole   map[string]bool
	refused []Refusal
}

func newPlan(scope nest.Scope, mode Mode, opts []Option) (_ *plan, err error) {
	if err := scope.Err(); err != nil {
		return nil, err
	}
	if mode != ReadOnly && mode != ReadWrite {
		return nil, errMode
	}
	p := &plan{
		options: options{walks: true}, mode: mode,
		patterns: map[string]bool{}, channels: map[string]bool{}, commands: map[string]bool{}, whole: map[string]bool{},
	}
	for _, o := range opts {
		if o == nil {
			return nil, fmt.Errorf("%w: a nil option", nest.ErrArgument)
		}
		if err := o.apply(&p.options); err != nil {
			return nil, err
		}
	}
	p.grant(connecting, p.commands)
	p.grant(transacting, p.commands)
	if p.walks {
		p.grant(walking, p.commands)
	}
	for _, db := range p.watches {
		// A user may subscribe to the very pattern that its rule names.
		lead := "*"
		if prefix := scope.Prefix(); prefix != "" {
			lead = literal(prefix) + ":*"
		}
		p.channels["__keyspace@"+strconv.Itoa(db)+"__:"+lead] = true
		p.grant("psubscribe punsubscribe config|get cluster|nodes", p.commands)
	}
	top := scope.Describe()
	found := make([]bool, len(p.only))
	if p.leads, err = leadsOf(scope, top); err != nil {
		return nil, err
	}
	p.visit(top, len(p.only) == 0, found)
	for i, ok := range found {
		if !ok {
			return nil, fmt.Errorf("%w: Only: nothing below %s is the declaration of %s %s", nest.ErrNotMounted, place(top), p.only[i].Kind(), p.only[i].Template())
		}
	}
	return p, nil
}

func place(d nest.Description) string {
	if d.Name == "" {
		return "the root"
	}
	return d.Name
}

// Commands that no operation names. The documentation says what each is for.
const (
	// HELLO and AUTH need no right. What else the client sends when it connects it can do without,
	// but for CLIENT TRACKING, the commands that tell the nodes of a Redis Cluster, and ROLE, which
	// a client of Sentinel asks of the server that it is sent to.
	connecting = "ping select readonly asking role cluster|slots cluster|shards client|setinfo client|setname client|info " +
		"client|tracking client|trackinginfo client|caching"
	// transacting also is how a cached value is read together with what is left of its TTL.
	transacting = "multi exec discard watch unwatch pttl exists"
	walking     = "scan info cluster|nodes exists dbsize ping type pttl object|encoding memory|usage " +
		"strlen llen hlen scard zcard xlen"
	// waiting ends a wait whose caller has gone.
	waiting = "client|id client|unblock"
)

// grant adds commands.
func (p *plan) grant(commands string, to map[string]bool) {
	for command := range strings.FieldsSeq(commands) {
		to[command] = true
	}
}

// visit adds the rights to what is at d or below it. all is true below a declaration that counts.
func (p *plan) visit(d nest.Description, all bool, found []bool) {
	for i, node := range p.only {
		if node == d.Node {
			found[i], all = true, true
		}
	}
	switch {
	case all && d.Kind != nest.KindCluster:
		p.add(d)
	case all && slices.Contains(d.Missing, d.Generation):
		p.addGeneration(d)
	}
	for _, sub := range d.Nodes {
		p.visit(sub, all, found)
	}
}

// add adds the rights to the keys of one declaration.
func (p *plan) add(d nest.Description) {
	if d.Kind == nest.KindChannel {
		p.channels[p.pattern(d.Name)] = true
		p.grant("unsubscribe sunsubscribe", p.commands)
	} else {
		for _, name := range append([]string{d.Name}, d.Was...) {
			pattern := p.pattern(name)
			p.patterns[pattern] = true
			if len(p.only) > 0 && !strings.HasSuffix(pattern, "*") {
				p.patterns[pattern+"%*"] = true // what package nest keeps beside the key
			}
		}
	}
	if d.Cached > 0 {
		p.grant("eval_ro", p.commands)
	}
	p.operations(d)
}

// operations adds the rights to the operations on a declaration.
func (p *plan) operations(d nest.Description) {
	refused := map[string][]string{}
	var reasons []string
	all := table[d.Kind]
	if d.Kind != nest.KindCluster {
		all = append(slices.Clip(table[""]), all...)
	}
	for _, o := range all {
		if d.Kind == nest.KindChannel && !strings.Contains(o.commands, "pub") && !strings.Contains(o.commands, "sub") {
			continue
		}
		reason := p.permit(o, d)
		if reason == "" {
			continue
		}
		if refused[reason] == nil {
			reasons = append(reasons, reason)
		}
		refused[reason] = append(refused[reason], o.name)
	}
	for _, reason := range reasons {
		p.refused = append(p.refused, Refusal{Template: d.Name, Operations: refused[reason], Reason: reason})
	}
}

// addGeneration adds the rights to ask for the current generation of a cluster, and to begin a new
// one. Its number is kept beside what stands before the generation in the cluster's name.
func (p *plan) addGeneration(d nest.Description) {
	for _, name := range append([]string{d.Name}, d.Was...) {
		before, _, _ := strings.Cut(name, "<"+d.Generation+">")
		pattern := p.pattern(strings.TrimSuffix(before, ":"))
		if len(p.only) > 0 {
			pattern += "%*"
		}
		p.patterns[pattern] = true
	}
	p.operations(d)
}

// permit adds the rights to an operation on the keys of d. If the user cannot run all of it, and
// the operation's name does not tell, it returns the reason.
func (p *plan) permit(o operation, d nest.Description) (refused string) {
	scripted := o.scripted(d)
	if p.mode == ReadWrite {
		if len(d.Was) > 0 {
			p.grant("eval evalsha exists rename unlink", p.commands)
		}
		if d.AcrossSlots {
			p.grant("dump restore pttl", p.commands)
		}
		p.grant(o.commands, p.commands)
		for command := range strings.FieldsSeq(o.inside) {
			// One script stores what was loaded of every kind.
			if !strings.HasPrefix(command, "h") || d.Kind == nest.KindHash || d.Kind == nest.KindRecord {
				p.commands[command] = true
			}
		}
		if d.AutoRenew {
			p.grant(o.renewing, p.commands)
		}
		if scripted {
			p.grant("eval evalsha", p.commands)
		}
		if o.waits() {
			p.grant(waiting, p.commands)
		}
		if strings.Contains(o.scripts, "freeingLoad") {
			p.grant("unlink", p.commands) // ends a load
		}
		return ""
	}
	if in, ok := inPart[string(d.Kind)+" "+o.name]; ok {
		p.grant(in.commands, p.commands)
		if in.scripted || len(d.Was) > 0 {
			p.grant("eval evalsha", p.whole)
		}
		if o.name == "GetOrLoad" && d.ReadThrough == nil {
			return "" // it is no wonder there
		}
		return in.reason
	}
	if o.effect == 0 {
		return ""
	}
	if o.effect == renews && d.AutoRenew && d.TTL > 0 && !d.NoRenew {
		return "the read restarts the TTL (AutoRenew), which is a write; a scope that is opened with nest.NoRenew does not"
	}
	var writes []string
	for command := range strings.FieldsSeq(o.commands) {
		if !reading[command] {
			writes = append(writes, strings.ToUpper(strings.ReplaceAll(command, "|", " ")))
		}
	}
	if len(writes) > 0 && o.effect == keeps {
		return "" // as the name tells
	}
	if len(writes) > 0 {
		return "to Redis " + strings.Join(writes, " and ") + " is a write"
	}
	for command := range strings.FieldsSeq(o.commands) {
		if writesNothing[command] {
			p.whole[command] = true
		} else {
			p.commands[command] = true
		}
	}
	if scripted {
		p.grant("eval evalsha", p.whole)
	}
	if len(d.Was) > 0 {
		// The script that moves a key runs where there is nothing to move, too.
		p.grant("exists", p.commands)
		p.grant("eval evalsha", p.whole)
		return "a key that stands under a former name (Was) is moved first, which is a write"
	}
	return ""
}

// waits reports whether an operation waits on a connection of its own for something to take.
func (o operation) waits() bool {
	for command := range strings.FieldsSeq(o.commands) {
		if blocking[command] {
			return true
		}
	}
	return false
}

// scripted reports whether an operation on the keys of d can be sent as a script.
func (o operation) scripted(d nest.Description) bool {
	for script := range strings.FieldsSeq(o.scripts) {
		switch script {
		case "renewing", "renewingSub", "customRenewing":
			if d.AutoRenew && d.TTL > 0 && (!d.NoRenew || o.effect != renews) {
				return true
			}
		case "starting", "customStarting", "joined", "spanning", "spanningParts", "fielding":
			if d.TTL > 0 && (o.effect != renews || d.AutoRenew && !d.NoRenew) {
				return true
			}
		case "replacingFields": // a read that writes back values that another key sealed
			if o.effect != renews && len(d.SecretFields) > 0 {
				return true
			}
		default:
			return true
		}
	}
	return false
}

// part is what a reader can do of an operation.
type part struct {
	commands string
	scripted bool
	reason   string
}

// inPart are the operations that a reader can run, but not to the end.
var inPart = func() map[string]part {
	parts := map[string]part{
		"password Verify":       {"strlen get", true, replacesHash},
		"password VerifyDetail": {"strlen get", true, replacesHash},
		"password Rotate":       {"strlen get", true, sealsAgain},
		"secret Rotate":         {"get", false, sealsAgain},
		"cluster Current":       {"get", false, "the number of a generation that is there is read; to begin the first one is a write"},
	}
	for kind, rows := range table {
		for _, o := range rows {
			if o.name == "GetOrLoad" {
				parts[string(kind)+" "+o.name] = part{o.commands, false, "a value that is there is read; a load takes a lock and stores the value, which are writes"}
			}
		}
	}
	return parts
}()

const sealsAgain = "a value that the primary key has sealed stays; to seal another one again is a write"

const replacesHash = "a password is verified, but a hash that was made with a former policy is not replaced, which is a write"

// reading are the commands that Redis knows as reads, and the subscriptions.
var reading = words("exists touch pttl pexpiretime type memory|usage dump " +
	"get strlen getrange getbit bitcount bitpos bitfield_ro hget hmget hgetall hkeys hvals hlen hexists hstrlen hrandfield hscan hpttl hpexpiretime " +
	"lrange lindex llen lpos sismember smismember smembers scard srandmember sscan sunion sinter sdiff sintercard " +
	"zscore zmscore zrank zrevrank zcard zcount zlexcount zrange zrandmember zscan zunion zinter zdiff zintercard " +
	"pfcount geopos geohash geodist geosearch xlen xrange xrevrange xread xinfo|stream xinfo|groups xinfo|consumers xpending " +
	"pubsub|numsub pubsub|shardnumsub subscribe ssubscribe time")

// writesNothing are reads for which Redis asks for the right to write: PFCOUNT keeps its result in
// the key.
var writesNothing = words("pfcount")

var blocking = words("blpop brpop blmpop blmove bzpopmin bzpopmax bzmpop")

func words(text string) map[string]bool {
	set := map[string]bool{}
	for word := range strings.FieldsSeq(text) {
		set[word] = true
	}
	return set
}

// leaveOut takes away the commands that the server does not know.
func (p *plan) leaveOut() error {
	if p.known == nil {
		return nil
	}
	known, err := p.known(append(slices.Sorted(maps.Keys(p.commands)), slices.Sorted(maps.Keys(p.whole))...))
	if err != nil {
		return err
	}
	unknown := func(command string, _ bool) bool { return !known[command] }
	maps.DeleteFunc(p.commands, unknown)
	maps.DeleteFunc(p.whole, unknown)
	return nil
}

// rules returns what p has collected.
func (p *plan) rules() []string {
	rules := []string{"resetkeys", "resetchannels", "clearselectors", "-@all"}
	patterns := slices.Sorted(maps.Keys(p.patterns))
	for _, pattern := range patterns {
		if p.mode == ReadOnly {
			pattern = "%R~" + pattern
		} else {
			pattern = "~" + pattern
		}
		rules = append(rules, pattern)
	}
	for _, pattern := range slices.Sorted(maps.Keys(p.channels)) {
		rules = append(rules, "&"+pattern)
	}
	for _, command := range slices.Sorted(maps.Keys(p.commands)) {
		rules = append(rules, "+"+command)
	}
	if len(p.whole) > 0 && len(patterns) > 0 {
		var b strings.Builder
		for i, pattern := range patterns {
			if i > 0 {
				b.WriteByte(' ')
			}
			b.WriteString("~" + pattern)
		}
		for _, command := range slices.Sorted(maps.Keys(p.whole)) {
			b.WriteString(" +" + command)
		}
		rules = append(rules, "("+b.String()+")")
	}
	return rules
}

// Patterns of names.

// lead is what names below a scope begin with.
type lead struct {
	shown   string // as descriptions show it, without sensitive parameters
	pattern string
}

// leadsOf returns the present and the former prefixes of a scope.
func leadsOf(scope nest.Scope, top nest.Description) ([]lead, error) {
	if scope.Prefix() == "" {
		return nil, nil
	}
	leads := []lead{{scope.String(), literal(scope.Prefix())}}
	for _, was := range top.Was {
		if slices.ContainsFunc(top.Params, func(p nest.ParamDescription) bool { return p.Sensitive && !p.Missing }) {
			return nil, fmt.Errorf("%w: the former name %s has a sensitive parameter: write the rules for the scope above it", nest.ErrArgument, was)
		}
		leads = append(leads, lead{was, namePattern(was)})
	}
	return leads, nil
}

// pattern matches the names of a declaration, or all that begin as the scope does.
func (p *plan) pattern(name string) string {
	for _, l := range p.leads {
		rest, ok := strings.CutPrefix(name, l.shown)
		switch {
		case !ok || !strings.HasPrefix(rest, ":"):
		case len(p.only) > 0:
			return l.pattern + namePattern(rest)
		default:
			return l.pattern + ":*"
		}
	}
	if len(p.only) > 0 {
		return namePattern(name)
	}
	return leadPattern(name)
}

// leadPattern matches all names that begin as name does up to its first parameter or its first
// segment.
func leadPattern(name string) string {
	if at := strings.IndexAny(name, "<:"); at >= 0 {
		if name[at] == ':' {
			at++
		}
		return literal(name[:at]) + "*"
	}
	return literal(name) + "*"
}

// namePattern matches the names of a declaration.
func namePattern(name string) string {
	var b strings.Builder
	for name != "" {
		before, rest, ok := strings.Cut(name, "<")
		b.WriteString(literal(before))
		if !ok {
			break
		}
		b.WriteByte('*')
		_, name, _ = strings.Cut(rest, ">")
	}
	return b.String()
}

// literal returns a pattern for a text. What an ACL rule cannot hold, white space, quotes and
// parentheses, becomes a wildcard for one byte.
func literal(text string) string {
	var b strings.Builder
	for i := range len(text) {
		switch c := text[i]; {
		case c <= ' ' || c == 0x7f || strings.IndexByte(`"'()`, c) >= 0:
			b.WriteByte('?')
		case strings.IndexByte(`*?[]\`, c) >= 0:
			b.WriteByte('\\')
			b.WriteByte(c)
		default:
			b.WriteByte(c)
		}
	}
	return b.String()
}
