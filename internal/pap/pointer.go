package pap

import (
	"strconv"
	"strings"
)

// pointer is the JSON Pointer (RFC 6901) of an element of a list.
func pointer(prefix, list string, i int) string {
	return prefix + "/" + strings.NewReplacer("~", "~0", "/", "~1").Replace(list) + "/" + strconv.Itoa(i)
}
