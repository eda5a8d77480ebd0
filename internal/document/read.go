package document

import (
	"encoding/binary"
	"math"
	"time"

	"github.com/postern-authz/postern/internal/authz"
)

// Read reads a document that Append wrote, and nothing behind it. What it takes
// of memory is bounded by the length of b and by 8 MiB, whatever b says.
func Read(b []byte) (authz.Document, error) {
	if len(b) < 2 || b[0] != version || b[1] >= partsEnd {
		return authz.Document{}, errForm
	}
	parts, r := b[1], reader{rest: b[2:]}
	r.readTexts()
	var d authz.Document
	if parts&partLogin != 0 {
		d.Login = r.text()
	}
	if parts&partUser != 0 {
		d.User = r.user()
	}
	if parts&partPlace != 0 {
		d.Place = r.place()
	}
	if parts&partGranted != 0 {
		d.Granted = r.granted()
	}
	if r.bad || len(r.rest) > 0 {
		return authz.Document{}, errForm
	}
	return d, nil
}

// A reader reads until it meets what cannot be; from then on all is nothing.
type reader struct {
	rest  []byte
	texts []string
	bad   bool
}

func (r *reader) fail() { r.bad, r.rest = true, nil }

func (r *reader) uint() uint64 {
	n, size := binary.Uvarint(r.rest)
	if size <= 0 {
		r.fail()
		return 0
	}
	r.rest = r.rest[size:]
	return n
}

// count reads how many follow, each of which takes at least least bytes.
func (r *reader) count(least int) int {
	n := r.uint()
	if n > uint64(len(r.rest)/least) {
		r.fail()
		return 0
	}
	return int(n)
}

// number reads one that counts what is elsewhere.
func (r *reader) number() int {
	n := r.uint()
	if n > math.MaxInt32 {
		r.fail()
		return 0
	}
	return int(n)
}

// readTexts reads all texts into one string, of which each is a part.
func (r *reader) readTexts() {
	count, length := r.count(leastText), r.uint()
	if r.bad || length > maxText {
		r.fail()
		return
	}
	all := make([]byte, 0, length)
	ends := make([]int, count)
	before := 0 // where the text before begins
	for i := range ends {
		start := len(all)
		all = r.appendText(all, before, int(length))
		ends[i], before = len(all), start
	}
	if len(all) != int(length) {
		r.fail()
	}
	r.cut(string(all), ends)
}

// appendText appends the next text to all, whose last text begins at before.
func (r *reader) appendText(all []byte, before, limit int) []byte {
	same, more := r.uint(), r.uint()
	if same > uint64(len(all)-before) || more > uint64(len(r.rest)) || same+more > uint64(limit-len(all)) {
		r.fail()
		return all
	}
	all = append(all, all[before:before+int(same)]...)
	all = append(all, r.rest[:more]...)
	r.rest = r.rest[more:]
	return all
}

func (r *reader) cut(all string, ends []int) {
	r.texts = make([]string, len(ends)+1)
	start := 0
	for i, end := range ends {
		r.texts[i+1] = all[start:end]
		start = end
	}
}

// named is the text of a number.
func (r *reader) named(n uint64) string {
	if n >= uint64(len(r.texts)) {
		r.fail()
		return ""
	}
	return r.texts[n]
}

func (r *reader) text() string { return r.named(r.uint()) }

func (r *reader) list() []string {
	n := r.count(1)
	if n == 0 {
		return nil
	}
	all := make([]string, n)
	for i := range all {
		all[i] = r.text()
	}
	return all
}

// flags reads bits below end.
func (r *reader) flags(end uint64) uint64 {
	f := r.uint()
	if f >= end {
		r.fail()
		return 0
	}
	return f
}

func (r *reader) marked() (n uint64, mark bool) {
	n = r.uint()
	return n >> 1, n&1 != 0
}

func (r *reader) time() time.Time {
	seconds, size := binary.Varint(r.rest)
	if size <= 0 {
		r.fail()
		return time.Time{}
	}
	r.rest = r.rest[size:]
	nanoseconds := r.uint()
	t := time.Unix(seconds, int64(nanoseconds)).UTC()
	if nanoseconds >= uint64(time.Second) || t.Unix() != seconds || t.IsZero() {
		r.fail() // zero would be never
	}
	return t
}
