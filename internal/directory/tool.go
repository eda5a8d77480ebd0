package directory

// Validate says what is wrong with the record by itself.
func (t Tool) Validate() error {
	return first(checkKey("id", t.ID), checkText("name", t.Name))
}

func decodeTool(m *members) record {
	return Tool{ID: m.text("id"), Name: m.text("name"), Restricted: m.flag("restricted")}
}

func (t Tool) append(b []byte) []byte {
	l := startLine(b, "tool")
	l.text("id", t.ID)
	l.text("name", t.Name)
	l.flag("restricted", t.Restricted)
	return l.end()
}

func (t Tool) put(tx Tx) error { return tx.PutTool(t) }

type toolEntry struct {
	sighting
	ordinal
	restricted bool
}

func (t Tool) check(l *ledger) error {
	if known := l.tools[t.ID]; known != nil && known.seenOtherwise(l, t) {
		return l.twice(known.sighting, "tool %q", t.ID)
	}
	return nil
}

func (t Tool) enter(l *ledger, at sighting) {
	known := named(l.tools, t.ID)
	*known = toolEntry{at, l.number(known.ordinal), t.Restricted}
}
