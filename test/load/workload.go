package main

import (
	"fmt"
	"math/rand/v2"
	"strings"
)

// A workload is a directory and the requests asked of it.
type workload struct {
	ndjson string
	bodies []string // AuthZEN evaluation requests
}

var roles = []string{"administrator", "regular", "read_only", "support"}

var actions = []string{
	"service.view", "service.configure", "service.create", "invoice.view", "invoice.download",
	"order.view", "order.create", "ticket.create", "diagnostic.run", "report.view",
}

// newWorkload makes ten companies whose users hold accounts of their company.
// Of the requests 70 in 100 are about an account the user holds, 10 about a
// foreign company's, 20 about one of its company that it does not hold.
func newWorkload(users, accounts int) *workload {
	rng := rand.New(rand.NewPCG(1, 2))
	var b strings.Builder
	const companies = 10
	perCompany := max(4*accounts, 100)
	fmt.Fprintln(&b, `{"type":"organization","id":"load","kind":"customer","name":"Load"}`)
	for c := range companies {
		fmt.Fprintf(&b, `{"type":"company","id":"c%d","organization":"load","name":"Company %d"}`+"\n", c, c)
	}
	for c := range companies {
		for a := range perCompany {
			fmt.Fprintf(&b, `{"type":"account","id":"a%d-%d","company":"c%d","kind":"service","name":"Account"}`+"\n", c, a, c)
		}
	}
	w := &workload{}
	for u := range users {
		name, company := fmt.Sprintf("user%d", u), u%companies
		fmt.Fprintf(&b, `{"type":"user","kind":"personal","username":"%s","email":"%s@load.example","given_name":"Load","family_name":"User"}`+"\n", name, name)
		fmt.Fprintf(&b, `{"type":"membership","organization":"load","user":"%s","role":"%s","affiliation":"customer","state":"active"}`+"\n", name, roles[u%len(roles)])
		fmt.Fprintf(&b, `{"type":"grant","organization":"load","user":"%s","company":"c%d"}`+"\n", name, company)
		held := rng.Perm(perCompany)[:accounts]
		for _, a := range held {
			fmt.Fprintf(&b, `{"type":"grant","organization":"load","user":"%s","account":"a%d-%d"}`+"\n", name, company, a)
		}
		w.ask(rng, name, company, held, perCompany)
	}
	w.ndjson = b.String()
	return w
}

func (w *workload) ask(rng *rand.Rand, user string, company int, held []int, perCompany int) {
	for range 2 {
		account := fmt.Sprintf("a%d-%d", company, held[rng.IntN(len(held))])
		switch n := rng.IntN(100); {
		case n < 10:
			account = fmt.Sprintf("a%d-%d", (company+1)%10, rng.IntN(perCompany))
		case n < 30:
			account = fmt.Sprintf("a%d-%d", company, rng.IntN(perCompany))
		}
		w.bodies = append(w.bodies, fmt.Sprintf(
			`{"subject":{"type":"login","id":"%s"},"action":{"name":"%s"},"resource":{"type":"invoice","id":"i-%d","properties":{"account":"%s"}},"context":{"portal":"enterprise"}}`,
			user, actions[rng.IntN(len(actions))], rng.IntN(100000), account))
	}
}
