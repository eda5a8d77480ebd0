package drift

import (
	"fmt"
	"strconv"

	"github.com/postern-authz/postern/internal/authz"
)

// log wants the change log to hold every revision after its floor up to the
// head, each with its stamp first and its entries without a gap. Revisions that
// were made before there were stamps may have no entry.
func (c *check) log() error {
	w := &walk{check: c}
	log, err := c.Log(w.next)
	if err != nil {
		return err
	}
	c.summary.Directory, c.summary.Revision = log.Directory, authz.Revision(log.Head)
	switch {
	case log.Floor < 0 || log.Floor > log.Head:
		err = c.find("directory", "the change log begins after revision %d, and the directory is at %d", log.Floor, log.Head)
	case w.first != 0 && w.first <= log.Floor:
		err = c.find(change(w.first), "it should be forgotten: the log begins after revision %d", log.Floor)
	case w.last.Revision > log.Head:
		err = c.find(change(w.last.Revision), "it is of the future: the directory is at revision %d", log.Head)
	case w.stamped && w.last.Revision < log.Head:
		err = c.find(changes(w.last.Revision+1, log.Head), "missing, so that followers do not learn what changed")
	}
	return err
}

// A walk goes through the change log in order.
type walk struct {
	*check
	first   int64 // revision; 0: none yet
	last    Entry
	stamped bool // a stamp was seen: every revision from there on has one
}

func (w *walk) next(e Entry) (err error) {
	w.summary.Entries++
	last := w.last
	w.last = e
	if w.first == 0 {
		w.first = e.Revision
	}
	if e.Revision == last.Revision {
		if e.Seq != last.Seq+1 {
			err = w.find(change(e.Revision), "entry %d follows %d: entries are missing", e.Seq, last.Seq)
		}
		return err
	}
	if w.stamped && e.Revision != last.Revision+1 {
		if err := w.find(changes(last.Revision+1, e.Revision-1), "missing, so that followers do not learn what changed"); err != nil {
			return err
		}
	}
	return w.begins(e)
}

// begins looks at the first entry of a revision.
func (w *walk) begins(e Entry) error {
	switch {
	case e.Seq != 0:
		return w.find(change(e.Revision), "it begins with entry %d: entries are missing", e.Seq)
	case e.Kind != "stamp" && w.stamped:
		return w.find(change(e.Revision), "it has no stamp, which followers tell histories apart by")
	case e.Kind != "stamp":
		return nil
	}
	w.stamped = true
	if stamp, err := strconv.ParseUint(e.Key, 16, 64); err != nil || stamp == 0 {
		return w.find(change(e.Revision), "its stamp is no stamp")
	}
	return nil
}

func change(revision int64) string { return fmt.Sprintf("change log of revision %d", revision) }

func changes(from, to int64) string {
	if from == to {
		return change(from)
	}
	return fmt.Sprintf("change log of revisions %d to %d", from, to)
}
