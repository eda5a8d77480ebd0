package grant

import (
	"hash/maphash"
	"slices"
)

// An index finds what is granted by a name, in a time that does not depend on
// how many names there are. It is a hash table without a pointer per name: a
// holder of 100,000 accounts costs the garbage collector nothing.
type index struct {
	seed  maphash.Seed
	text  []byte   // all names, one after the other
	ends  []uint32 // where the i-th name ends in text
	what  []uint32 // what is granted by the i-th name: a number of lists
	slots []uint32 // open addressing: i+1, or 0; a power of two
}

// minSlots keeps the smallest table at a cache line or two.
const minSlots = 8

// find returns the number of what is granted by name, and whether anything is.
func (x *index) find(name string) (uint32, bool) {
	if len(x.ends) == 0 {
		return 0, false
	}
	i := x.slots[x.slot(name)]
	if i == 0 {
		return 0, false
	}
	return x.what[i-1], true
}

// at returns the place of name's number, made if it is new. The pointer is good
// until the next call.
func (x *index) at(name string) *uint32 {
	if 4*(len(x.ends)+1) > 3*len(x.slots) {
		x.grow()
	}
	slot := x.slot(name)
	if x.slots[slot] == 0 {
		x.text = append(x.text, name...)
		x.ends = append(x.ends, uint32(len(x.text)))
		x.what = append(x.what, 0)
		x.slots[slot] = uint32(len(x.ends))
	}
	return &x.what[x.slots[slot]-1]
}

// slot is where name is, or where it would be put.
func (x *index) slot(name string) uint64 {
	mask := uint64(len(x.slots) - 1)
	slot := maphash.String(x.seed, name) & mask
	for x.slots[slot] != 0 && x.name(x.slots[slot]-1) != name {
		slot = (slot + 1) & mask
	}
	return slot
}

// name is the i-th name. The compiler makes no copy where it is only compared.
func (x *index) name(i uint32) string {
	begin := uint32(0)
	if i > 0 {
		begin = x.ends[i-1]
	}
	return string(x.text[begin:x.ends[i]])
}

func (x *index) grow() {
	x.slots = make([]uint32, max(minSlots, 2*len(x.slots)))
	for i := range x.ends {
		x.slots[x.slot(x.name(uint32(i)))] = uint32(i) + 1
	}
}

// clip gives back what growing left over.
func (x *index) clip() {
	x.text = slices.Clone(x.text)
	x.ends = slices.Clone(x.ends)
	x.what = slices.Clone(x.what)
}

// bytes is what the index takes.
func (x *index) bytes() int64 {
	return int64(cap(x.text) + 4*(cap(x.ends)+cap(x.what)+cap(x.slots)))
}
