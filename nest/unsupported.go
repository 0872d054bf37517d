package nest

import "strings"

// needs maps each command that not every supported server knows to the first versions that know it.
var needs = map[string]string{
	"HPEXPIRE":       "redis 7.4, valkey 9",
	"HPEXPIREAT":     "redis 7.4, valkey 9",
	"HPEXPIRETIME":   "redis 7.4, valkey 9",
	"HPTTL":          "redis 7.4, valkey 9",
	"HPERSIST":       "redis 7.4, valkey 9",
	"HGETEX":         "redis 8.0, valkey 9",
	"HRANDFIELD":     "redis 6.2, valkey 7.2",
	"XAUTOCLAIM":     "redis 6.2, valkey 7.2",
	"SPUBLISH":       "redis 7.0, valkey 7.2",
	"SSUBSCRIBE":     "redis 7.0, valkey 7.2",
	"GETEX":          "redis 6.2, valkey 7.2",
	"GETDEL":         "redis 6.2, valkey 7.2",
	"COPY":           "redis 6.2, valkey 7.2",
	"SMISMEMBER":     "redis 6.2, valkey 7.2",
	"LMOVE":          "redis 6.2, valkey 7.2",
	"BLMOVE":         "redis 6.2, valkey 7.2",
	"ZMSCORE":        "redis 6.2, valkey 7.2",
	"ZDIFF":          "redis 6.2, valkey 7.2",
	"ZDIFFSTORE":     "redis 6.2, valkey 7.2",
	"ZUNION":         "redis 6.2, valkey 7.2",
	"ZINTER":         "redis 6.2, valkey 7.2",
	"ZRANDMEMBER":    "redis 6.2, valkey 7.2",
	"ZRANGESTORE":    "redis 6.2, valkey 7.2",
	"GEOSEARCH":      "redis 6.2, valkey 7.2",
	"GEOSEARCHSTORE": "redis 6.2, valkey 7.2",
	"SINTERCARD":     "redis 7.0, valkey 7.2",
	"ZINTERCARD":     "redis 7.0, valkey 7.2",
	"BLMPOP":         "redis 7.0, valkey 7.2",
	"BZMPOP":         "redis 7.0, valkey 7.2",
	"PEXPIRETIME":    "redis 7.0, valkey 7.2",
	"LPOS":           "redis 6.0.6, valkey 7.2",
	"BITFIELD_RO":    "redis 6.0, valkey 7.2",
	"UNLINK":         "redis 4.0, valkey 7.2",
	"MEMORY":         "redis 4.0, valkey 7.2",
}

// unsupported returns the error for a command that the server does not know, made from the server's
// answer: "unknown command 'HPTTL', with args beginning with ...". It keeps only a command's name
// that is in the table. Whatever else the answer repeats can be a key or a value.
func unsupported(answer string) error {
	words, _, _ := strings.Cut(answer, ", with args")
	name := strings.ToUpper(strings.Trim(strings.TrimPrefix(words, "unknown command "), "'`\" "))
	if version, ok := needs[name]; ok {
		return because(ErrUnsupported, "needs "+name+": "+version)
	}
	return because(ErrUnsupported, "the server does not know the command")
}
