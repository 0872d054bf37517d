package hashslot

import (
	"strconv"
	"strings"
)

// Node is what CLUSTER NODES says about one node.
type Node struct {
	ID      string
	Myself  bool // it is the node that answered
	Primary bool
	Gone    bool // as far as is known
	Epoch   uint64
	Slots   Set
	Open    Set // slots on their way from or to it, known only for the node that answered
}

// ParseNodes reads the answer to CLUSTER NODES. It reports false for an answer of another form, or
// without nodes.
func ParseNodes(text string) (nodes []Node, ok bool) {
	text = strings.TrimPrefix(text, "txt:") // the client leaves the format of a verbatim string
	for line := range strings.Lines(text) {
		fields := strings.Fields(line)
		if len(fields) < 8 {
			return nil, false
		}
		epoch, err := strconv.ParseUint(fields[6], 10, 64)
		if err != nil {
			return nil, false
		}
		n := Node{ID: fields[0], Epoch: epoch}
		for flag := range strings.SplitSeq(fields[2], ",") {
			switch flag {
			case "myself":
				n.Myself = true
			case "master":
				n.Primary = true
			case "fail", "noaddr", "handshake":
				n.Gone = true
			}
		}
		for _, field := range fields[8:] {
			if moving, open := strings.CutPrefix(field, "["); open {
				slot, _, _ := strings.Cut(moving, "-")
				ok = n.Open.AddText(slot)
			} else {
				ok = n.Slots.AddText(field)
			}
			if !ok {
				return nil, false
			}
		}
		nodes = append(nodes, n)
	}
	return nodes, len(nodes) > 0
}
