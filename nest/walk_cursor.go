package nest

import (
	"fmt"
	"hash/fnv"
	"strconv"
	"strings"
)

// A cursor identifies the walk, and the servers that it goes through, their runs and their slots,
// since a place in one server means nothing in another, nor after a restart.

// fingerprint returns a hash that identifies a topology.
func (t *topology) fingerprint() string {
	h := fnv.New64a()
	for _, n := range t.holders {
		_, _ = fmt.Fprintln(h, n.addr, n.id, n.run, n.epoch, n.slots, n.open)
	}
	return strconv.FormatUint(h.Sum64(), 16)
}

func formatCursor(walk, servers string, stands []stand) string {
	b := append(append(append([]byte(nil), walk...), '-'), servers...)
	for _, at := range stands {
		if b = append(b, '-'); at.done {
			b = append(b, cursorDone...)
		} else {
			b = strconv.AppendUint(b, at.cursor, 10)
		}
	}
	return string(b)
}

// cursorDone stands for a server that the walk has finished.
const cursorDone = "done"

// parseCursor parses a cursor of a walk. It returns the beginning for a cursor of other servers.
func parseCursor(text, walk, servers string, count int) ([]stand, error) {
	beginning := make([]stand, count)
	if text == "" {
		return beginning, nil
	}
	parts := strings.Split(text, "-")
	if len(parts) < 3 {
		return nil, errNoCursor
	}
	stands := make([]stand, len(parts)-2)
	for i, part := range parts[2:] {
		if stands[i].done = part == cursorDone; stands[i].done {
			continue
		}
		var err error
		if stands[i].cursor, err = strconv.ParseUint(part, 10, 64); err != nil {
			return nil, errNoCursor
		}
	}
	switch {
	case parts[0] != walk:
		return nil, errOtherCursor
	case parts[1] != servers:
		return beginning, nil
	case len(stands) != count:
		return nil, errNoCursor
	}
	return stands, nil
}

var (
	errNoCursor    = because(ErrArgument, "ResumeFrom takes the Cursor of a WalkProgress or a RotateReport")
	errOtherCursor = because(ErrArgument, "ResumeFrom: the cursor is that of a walk with another operation, scope or filter")
)
