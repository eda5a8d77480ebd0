package pap

import (
	"strconv"
	"strings"
)

// pointer is the JSON Pointer (RFC 6901) of an element of a list.
func pointer(prefix, list string, i int) string {
	return prefix + "/" + escaped(list) + "/" + strconv.Itoa(i)
}

// escaped is a name as a part of a JSON Pointer.
func escaped(name string) string { return strings.NewReplacer("~", "~0", "/", "~1").Replace(name) }
