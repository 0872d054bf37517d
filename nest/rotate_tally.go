package nest

import (
	"slices"

	"github.com/redisimnest/redisimnest/nest/internal/hashslot"
)

// tally records what the values of each slot have added to the report of a pass, so that a slot
// that is walked through again counts once. Servers that are not a Redis Cluster count as one slot.
type tally struct {
	names    []string // of key ids and kinds of failures; slots count them by their index here
	slots    map[uint16]*slotTally
	failures []uint16 // the slots of the report's Failures
}

// slotTally is what one slot has added to the report.
type slotTally struct {
	resealed                          int64
	current, conflicts, failed, drily int64 // drily: what a pass that writes would have sealed
	ids, kinds                        []counted
	// credit is the number of values that were sealed when the slot was walked through before. They
	// will be found again, and are current then.
	credit int64
}

// counted is the number of values under one of the tally's numbered names.
type counted struct {
	number int
	values int64
}

func (t *tally) at(slot uint16) *slotTally {
	of := t.slots[slot]
	if of == nil {
		if t.slots == nil {
			t.slots = make(map[uint16]*slotTally)
		}
		of = &slotTally{}
		t.slots[slot] = of
	}
	return of
}

// add counts one more value under this name.
func (t *tally) add(list []counted, name string) []counted {
	number := slices.Index(t.names, name)
	if number < 0 {
		number = len(t.names)
		t.names = append(t.names, name)
	}
	for i := range list {
		if list[i].number == number {
			list[i].values++
			return list
		}
	}
	return append(list, counted{number, 1})
}

// count adds a finished value to the report.
func (t *tally) count(r *RotateReport, slot uint16, v *sealedValue, id string) {
	of := t.at(slot)
	if v.err == nil && v.sealed == "" && of.credit > 0 {
		of.credit-- // it was counted as sealed
		return
	}
	r.Scanned++
	id = r.sealedBy(id)
	switch {
	case v.err == errMeanwhile: //nolint:errorlint // it is set as it is, and not wrapped
		r.Conflicts++
		of.conflicts++
	case v.err != nil:
		kind, named := r.failed(v)
		if named {
			t.failures = append(t.failures, slot)
		}
		of.failed++
		of.kinds = t.add(of.kinds, kind)
	case v.sealed == "":
		r.Current++
		of.current++
	case r.DryRun:
		r.Resealed++
		of.drily++
	default:
		// What was written stays written, however often the slot is walked through.
		r.Resealed++
		of.resealed++
		return
	}
	of.ids = t.add(of.ids, id)
}

// withdraw removes from the report what the slots have added, because they will be walked through
// again.
func (t *tally) withdraw(r *RotateReport, slots *hashslot.Set) {
	for slot, of := range t.slots {
		if !slots.Has(slot) {
			continue
		}
		r.Scanned -= of.current + of.conflicts + of.failed + of.drily
		r.Current -= of.current
		r.Conflicts -= of.conflicts
		r.Failed -= of.failed
		r.Resealed -= of.drily
		t.takeBack(r.ByKeyID, of.ids)
		t.takeBack(r.FailuresByKind, of.kinds)
		*of = slotTally{resealed: of.resealed, credit: of.resealed}
	}
	kept := 0
	for i, slot := range t.failures {
		if !slots.Has(slot) {
			r.Failures[kept], t.failures[kept] = r.Failures[i], slot
			kept++
		}
	}
	r.Failures, t.failures = r.Failures[:kept], t.failures[:kept]
}

func (t *tally) takeBack(from map[string]int64, list []counted) {
	for _, c := range list {
		name := t.names[c.number]
		if from[name] -= c.values; from[name] == 0 {
			delete(from, name)
		}
	}
}
