package managementapi

// problems are the reasons that a problem can have: its title, what it means,
// and what to do about it.
var problems = map[string][3]string{
	// What is wrong with the request itself.
	"invalid-request":                 {"The request is not valid", "A header, a parameter or the form of the request cannot be understood.", "Do what the detail says. Nothing was changed."},
	"malformed-json":                  {"The body is not I-JSON", "The body is no JSON text, or one that two readers could read differently: a name comes twice, the text is not UTF-8, or something follows the value.", "Send the body as RFC 7493 has it. The detail says where it went wrong."},
	"validation":                      {"Members of the body are wrong", "The body was read, and at least one of its members is missing, unknown or has a value that cannot be. Unknown members are refused so that a typing error is no silent default.", "Mend each member that errors points to (RFC 6901)."},
	"precondition-required":           {"If-Match is missing", "This replaces all of something, so the caller has to say what it saw.", "Read the resource and send its ETag in If-Match."},
	"etag-mismatch":                   {"The resource has changed since", "Somebody else changed what If-Match names.", "Read it again, decide anew, and send the new ETag."},
	"idempotency-key-reused":          {"The Idempotency-Key came with another request", "A key names one request for 24 hours. This one came with another body or path before.", "Make a new key for a new request."},
	"unsupported-media-type":          {"The Content-Type is not the one that is read", "Bodies are application/json, and of preferences application/merge-patch+json, in UTF-8 and as they are.", "Set Content-Type, and leave Content-Encoding out."},
	"method-not-allowed":              {"This path does not take this method", "There is something at this path, but for other methods.", "See the Allow header."},
	"request-entity-too-large":        {"The body is too large", "A body has at most 1 MiB.", "Send less at once."},
	"request-header-fields-too-large": {"The header is too large", "The request line and the header are too long.", "Shorten the path and the header."},
	"request-timeout":                 {"The request did not come in time", "The connection was open, but the request was not complete in time.", "Send it again."},
	"http-version-not-supported":      {"This is not HTTP/1.1", "Only HTTP/1.1 is spoken here.", "Send it as HTTP/1.1."},

	// Who asks, and what they may.
	"unauthenticated":     {"The caller is not known", "No credential was sent, or one that is wrong, expired or revoked.", "Send Authorization: Bearer with an operator key, a service token or a JWT of a configured issuer."},
	"forbidden":           {"The caller may not ask this", "The credential is known and is not for this.", "Use another one."},
	"not-permitted":       {"The policy forbids it", "The actor's roles do not permit this, or not here.", "Ask somebody who may. decision_id names the decision that said so."},
	"operator-only":       {"Only the operator does this", "What Primary Contacts are, restricted tools and some account groups are the operator's.", "Ask the operator."},
	"rank":                {"The member's role is not below the actor's own", "Nobody manages equals or betters.", "Ask somebody with a higher role."},
	"scope-exceeded":      {"This is more than the actor holds itself", "Nobody gives what they do not have: no role as high as their own, no account or tool outside of their own, and none for longer.", "Give less, or ask somebody who holds it."},
	"tool-restricted":     {"The operator alone grants this product tool", "Some product tools are not the customer's to give.", "Ask the operator."},
	"role-not-assignable": {"The role is not for members of this organization", "A role of the operator's staff or of partners is none of a customer's.", "Choose another role: see /v1/roles."},
	"self-change":         {"Nobody changes their own access", "Role, grants and state are others' to change.", "Ask another administrator."},
	"cpni-not-held":       {"The actor has no authorization for CPNI to pass on", "Who holds the authorization for customer proprietary network information passes it on, and nobody else.", "Ask a member that holds it."},
	"shared-identity":     {"A shared identity may not do this", "A user of kind group is several people, who administer nothing.", "Use a personal user."},
	"shared-user":         {"The user belongs to other organizations too", "Username, address, names and kind are one user's, whatever organizations it is in.", "Ask the user or the operator."},

	// What there is.
	"not-found":    {"There is no such thing", "Nothing with this id is here, or nothing that the actor may know of.", "Check the id and the organization in the path."},
	"conflict":     {"The state does not allow this", "Something else has to be so first. The detail says what.", "Read the resource and see."},
	"rate-limited": {"Too many requests", "One caller asked too often.", "Wait as long as Retry-After says."},
	"unavailable":  {"The answer cannot be known now", "The directory or the policy does not answer.", "Ask again after Retry-After. With an Idempotency-Key nothing is done twice."},
	"internal":     {"Something went wrong here", "The failure is in Postern and not in the request.", "Give the operator the request_id."},

	// What a thing's own state does not allow.
	"id-taken":             {"The id belongs to something else", "Ids of organizations, companies, accounts and account groups are the portal's own and unique in the whole directory.", "Choose another id, or change what has it."},
	"kind-fixed":           {"A kind never changes", "What something is was said when it was made.", "Make another one of the kind that is meant."},
	"in-use":               {"Something depends on it", "What is granted or lies in it has to go first.", "Take away what the detail names."},
	"built-in":             {"Built-in roles stay", "The six roles of the portal and the operator's are always there.", "Make a role of your own instead."},
	"already-revoked":      {"It was revoked already", "Nothing was left to take away.", "Do nothing."},
	"last-operator-key":    {"This is the last operator key", "Without one nobody could administer the directory.", "Make another operator key first."},
	"webhook-limit":        {"There are too many webhooks", "Every change is told to each of them, so their number is limited.", "Delete one first."},
	"webhook-disabled":     {"The webhook is disabled", "Nothing is delivered to it.", "Enable it, then deliver again."},
	"already-member":       {"The address is a member's already", "One user is one member of an organization.", "Change that member."},
	"member-pending":       {"The invitation was not accepted yet", "A member in waiting has no login to act on.", "Revoke or change the invitation instead."},
	"member-removed":       {"The member was removed", "A removed member stays for the records, and only the operator brings it back.", "Ask the operator to restore it."},
	"member-superseded":    {"Another invitation was accepted", "The person came in by another invitation, and this one's member is over.", "Look for the member that the other one made."},
	"not-active":           {"The member is not active", "This is for active members.", "Reactivate or restore the member first."},
	"not-suspended":        {"The member is not suspended", "Only a suspended member can be reactivated.", "Read the member to see its state."},
	"not-removed":          {"The member was not removed", "Only a removed member can be restored or purged.", "Read the member to see its state."},
	"last-primary-contact": {"This is the last Primary Contact", "An organization that has a Primary Contact keeps one.", "Make another Primary Contact first, or ask the operator."},
	"primary-contact-held": {"There is a Primary Contact", "This organization has one Primary Contact at a time.", "Hand over with transfer."},
	"seat-limit":           {"All seats are taken", "Members and open invitations take a seat each.", "Remove a member, revoke an invitation, or ask the operator for more seats."},
	"invitation-closed":    {"The invitation is not open", "It was accepted, revoked or superseded.", "Make a new invitation."},
	"no-portal":            {"No portal is configured", "A mailed link leads to a portal, and there is none.", "Use deliver return_link, or set POSTERN_PORTAL_URLS."},
	"link-invalid":         {"The link opens nothing", "It was never made, was used, revoked or replaced, or has expired. Which of them is not said.", "Ask for a new one."},

	// Links, passwords and addresses.
	"not-recipient":           {"The invitation is somebody else's", "An invitation is accepted by who it was made to, and by nobody else.", "Sign in as the person whose address was invited."},
	"sign-in-required":        {"There is such a user already", "An existing user accepts an invitation by signing in. A password that comes with a link changes nobody's account.", "Sign in, and accept with the portal's credential and Postern-Actor."},
	"email-unverified":        {"The actor's address is not verified", "Only a verified address shows that an invitation to it is the actor's.", "Verify the address first."},
	"username-taken":          {"The username is taken", "A username belongs to one user for good, also after that user is gone.", "Choose another."},
	"email-taken":             {"The address is taken", "An address belongs to one user, also after that user is gone.", "Choose another, or sign in as that user."},
	"invitation-not-honoured": {"The inviter may not grant this any more", "At acceptance the invitation is judged again by what its inviter may grant then. It stays open.", "Ask for a new invitation by somebody who may."},
	"credentials-invalid":     {"The username or the password is wrong", "Or the account may not sign in now. Which of them is not said.", "Try again, or ask for a link to set a password."},
	"no-address":              {"The user has no address", "A link is mailed, and there is nowhere to mail it to.", "Give the user an address first."},
}
