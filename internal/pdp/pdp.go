// Package pdp is the policy decision point: it answers authorization requests
// by asking the policy in force about what the caller said and what the
// directory knows. It fails closed: whatever goes wrong, the answer is an error
// and never an allow.
package pdp
