package grant

// A Cause is what a look at the change log came about by, as metrics name it in
// their label source. Wake takes the exported ones.
type Cause string

// The causes of looks.
const (
	CauseWrite  Cause = "write"  // this server has written
	CauseNotify Cause = "notify" // the database told that somebody has
	CauseRedis  Cause = "redis"  // another server told so, over Redis
	causePoll   Cause = "poll"   // it was time
	causeFeed   Cause = "feed"   // one look ended that the source lets wait, and the next began
	causeToken  Cause = "token"  // a request waits for what it was told of, or for a fresh look
)

func causes() []Cause {
	return []Cause{causePoll, CauseNotify, CauseRedis, CauseWrite, causeToken, causeFeed}
}

// unasked is the cause of looks that nobody asks for.
func (p *PIP) unasked() Cause {
	if p.wait > 0 {
		return causeFeed
	}
	return causePoll
}
