package store

import "time"

// milliseconds is a time as it is kept: nil, SQL's NULL, for the zero time.
func milliseconds(t time.Time) any {
	if t.IsZero() {
		return nil
	}
	return t.UnixMilli()
}

// instant is the time that was kept, in UTC; the zero time for NULL.
func instant(ms *int64) time.Time {
	if ms == nil {
		return time.Time{}
	}
	return time.UnixMilli(*ms).UTC()
}
