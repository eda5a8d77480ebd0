package redis

import (
	"strings"
	"testing"
)

func TestTheGuardLetsAnswersPassAndNothingElse(t *testing.T) {
	for name, c := range map[string]struct {
		answers string
		pass    bool
	}{
		"answers of every kind":       {"+OK\r\n-ERR no\r\n:-1\r\n$3\r\na\r\n\r\n$-1\r\n$0\r\n\r\n*2\r\n:1\r\n*1\r\n$1\r\nx\r\n*0\r\n*-1\r\n+PONG\r\n", true},
		"a string with lines in it":   {"$12\r\n$999999999\r\n\r\n+OK\r\n", true},
		"lists one after another":     {strings.Repeat("*1\r\n:1\r\n", 100), true},
		"the longest string":          {"$262145\r\n" + strings.Repeat("x", maxBulk) + "\r\n:1\r\n", true},
		"a string of 100 GB":          {"$99999999999\r\n", false},
		"a string longer than ours":   {"$262146\r\n", false},
		"a length beyond all numbers": {"$99999999999999999999\r\n", false},
		"a negative length":           {"$-2\r\n", false},
		"a length that is none":       {"$x\r\n", false},
		"a list of 100 million":       {"*100000000\r\n", false},
		"lists in lists":              {strings.Repeat("*1\r\n", 9), false},
		"a line without an end":       {"+" + strings.Repeat("x", maxLine+1), false},
		"a line that ends otherwise":  {"+OK\n", false},
		"an empty line":               {"\r\n", false},
		"answers of RESP3":            {"%2\r\n+a\r\n*1\r\n:1\r\n+b\r\n_\r\n~1\r\n,inf\r\n>1\r\n=5\r\ntxt:a\r\n!1\r\nx\r\n(1\r\n#t\r\n+OK\r\n", true},
		"a map of 100 million":        {"%100000000\r\n", false},
		"a string without a length":   {"$?\r\n", false},
		"a kind that nobody answers":  {"|1\r\n+a\r\n+b\r\n", false},
		"no protocol":                 {"HTTP/1.1 400 Bad Request\r\n", false},
	} {
		t.Run(name, func(t *testing.T) {
			for _, size := range []int{1, 2, 7, 4096} {
				if got := follow(c.answers, size); got != c.pass {
					t.Errorf("%d bytes at a time: got %v, want %v", size, got, c.pass)
				}
			}
		})
	}
}

// follow gives a guard some bytes at a time.
func follow(answers string, size int) bool {
	g := &guard{}
	for rest := answers; rest != ""; {
		n := min(size, len(rest))
		if !g.follow([]byte(rest[:n])) {
			return false
		}
		rest = rest[n:]
	}
	return true
}
