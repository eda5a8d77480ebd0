package test

import "testing"

func TestSumOfSeries(t *testing.T) {
	const page = `# HELP a_total Something.
# TYPE a_total counter
a_total{decision="allow",api="one"} 2
a_total{decision="allow",api="two"} 3
a_total{decision="deny",api="one"} 1e+01
a_total_created{decision="allow"} 7
b 4.5
`
	for _, c := range []struct {
		series string
		want   float64
	}{
		{"a_total", 15},
		{`a_total{decision="allow"}`, 5},
		{`a_total{api="one",decision="allow"}`, 2},
		{`a_total{decision="error"}`, 0},
		{"b", 4.5},
		{"c", 0},
	} {
		if got := sum(page, c.series); got != c.want {
			t.Errorf("sum of %s: got %v, want %v", c.series, got, c.want)
		}
	}
}

func TestIncludes(t *testing.T) {
	for _, c := range []struct {
		name, got, want string
		holds           bool
	}{
		{"more members", `{"a":1,"b":{"c":2,"d":3}}`, `{"b":{"c":2}}`, true},
		{"a member of another value", `{"a":1}`, `{"a":2}`, false},
		{"a member that is missing", `{"a":1}`, `{"b":null}`, false},
		{"more elements", `[1,2,3]`, `[1,2]`, false},
		{"another order", `[1,2]`, `[2,1]`, false},
		{"elements with more members", `[{"a":1,"b":2}]`, `[{"a":1}]`, true},
		{"another type", `{"a":"1"}`, `{"a":1}`, false},
	} {
		got, err := decode(c.got)
		if err != nil {
			t.Fatal(err)
		}
		want, err := decode(c.want)
		if err != nil {
			t.Fatal(err)
		}
		if includes(got, want) != c.holds {
			t.Errorf("%s: got %v, want %v", c.name, !c.holds, c.holds)
		}
	}
}
