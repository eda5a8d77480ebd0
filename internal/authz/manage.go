package authz

// A Question asks whether an actor may manage something. Unlike a Request it
// carries the facts: who asks has read them in the transaction that will act on
// the answer.
type Question struct {
	RequestID string
	Caller    string         // the credential, for the decision log
	Action    string         // such as member.invite
	Context   map[string]any // what the caller said of the circumstances, such as portal
	Facts     map[string]any // see policies/schemas/manage.json
	Data      Revision       // what the facts were read at
}

// A Verdict answers a Question. The zero Verdict denies.
type Verdict struct {
	ID string // of the decision; the audit event has it
	Decision
}
