package feed

import (
	"fmt"
	"strconv"
	"strings"

	"github.com/postern-authz/postern/internal/authz"
)

// FormatPoint writes a point as text: its revision, a hyphen, and its stamp in
// hexadecimal.
func FormatPoint(p authz.Point) string {
	return strconv.FormatUint(uint64(p.Revision), 10) + "-" + strconv.FormatUint(p.Stamp, 16)
}

// ParsePoint reads what FormatPoint wrote. Anything else is an error of kind
// authz.ErrInvalid.
func ParsePoint(text string) (p authz.Point, err error) {
	revision, stamp, found := strings.Cut(text, "-")
	number, err := strconv.ParseUint(revision, 10, 63)
	if err == nil && found {
		p.Stamp, err = strconv.ParseUint(stamp, 16, 64)
	}
	p.Revision = authz.Revision(number)
	if err != nil || !found || FormatPoint(p) != text {
		return authz.Point{}, fmt.Errorf("%.40q is no point of the change log, such as 12-3f: send one as it came: %w", text, authz.ErrInvalid)
	}
	return p, nil
}
