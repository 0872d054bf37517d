package secure

import "bytes"

// unwrapPython returns the text inside the wrapper that the Python library puts around every
// string,
//
//	{"__type__": "str", "value": "…"}
//
// It accepts only this object: these two members in this order, with or without white space between
// the tokens, and a text without escapes, since neither a Fernet token nor a password hash has any.
// Everything else, valid JSON included, does not wrap either of them. The text is not copied.
func unwrapPython(value []byte) (text []byte, ok bool) {
	for _, token := range [...]string{"{", `"__type__"`, ":", `"str"`, ",", `"value"`, ":", `"`} {
		value = bytes.TrimLeft(value, jsonSpace)
		if value, ok = bytes.CutPrefix(value, []byte(token)); !ok {
			return nil, false
		}
	}
	end := bytes.IndexFunc(value, func(r rune) bool { return r == '"' || r == '\\' || r < ' ' || r > '~' })
	if end < 0 || value[end] != '"' {
		return nil, false
	}
	text, value = value[:end], bytes.TrimLeft(value[end+1:], jsonSpace)
	value, ok = bytes.CutPrefix(value, []byte("}"))
	if !ok || len(bytes.TrimLeft(value, jsonSpace)) > 0 {
		return nil, false
	}
	return text, true
}

const jsonSpace = " \t\r\n"
