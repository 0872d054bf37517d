package watch

import (
	"strings"

	"github.com/redisimnest/redisimnest/nest"
)

// Letters of notify-keyspace-events. The letter keyspaceClass asks for notifications by key; the
// others are classes of events.
const (
	keyspaceClass = 'K'
	allClasses    = "g$lshzxetd" // what A stands for
	generalClass  = "g"
	timelyClasses = "xe" // expired and evicted
)

// eventClasses are the classes of events that do not depend on the kind of the key.
var eventClasses = map[string]string{
	"del": "g", "expire": "g", "persist": "g", "rename_from": "g", "rename_to": "g", "copy_to": "g", "restore": "g", "move_from": "g", "move_to": "g",
	"expired": "x", "evicted": "e", "keymiss": "m", "new": "n",
}

// kindClasses are the classes of events that the commands on a kind cause.
var kindClasses = map[nest.Kind]string{
	nest.KindValue: "$", nest.KindCounter: "$", nest.KindSecret: "$", nest.KindPassword: "$", nest.KindBitmap: "$", nest.KindHyperLogLog: "$",
	nest.KindLock: "$", nest.KindLimiter: "$", nest.KindHash: "h", nest.KindRecord: "h", nest.KindList: "l", nest.KindSet: "s",
	nest.KindSortedSet: "z", nest.KindGeo: "z", nest.KindStream: "t",
}

// classesFor returns the letters that a watch of what d describes needs.
func classesFor(d nest.Description, events []string) string {
	kinds := ""
	var visit func(d nest.Description)
	visit = func(d nest.Description) {
		kinds += kindClasses[d.Kind]
		for _, sub := range d.Nodes {
			visit(sub)
		}
	}
	visit(d)
	wanted := generalClass + timelyClasses + kinds
	if len(events) > 0 {
		wanted = ""
		for _, event := range events {
			if class, ok := eventClasses[event]; ok {
				wanted += class
			} else {
				wanted += kinds
			}
		}
	}
	return ordered(string(keyspaceClass) + wanted)
}

// ordered returns each letter of a text once, in the order of the documentation of Redis.
func ordered(letters string) string {
	var b strings.Builder
	for _, c := range "KE" + allClasses + "mnA" {
		if strings.ContainsRune(letters, c) {
			b.WriteRune(c)
		}
	}
	return b.String()
}

// missingFrom returns the letters of wanted that a setting does not have.
func missingFrom(setting, wanted string) string {
	setting = strings.ReplaceAll(setting, "A", allClasses)
	return strings.Map(func(c rune) rune {
		if strings.ContainsRune(setting, c) {
			return -1
		}
		return c
	}, wanted)
}
