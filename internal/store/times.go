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

// moment is instant as a pointer: nil for NULL.
func moment(ms *int64) *time.Time {
	if ms == nil {
		return nil
	}
	t := instant(ms)
	return &t
}

// when is milliseconds of a time that may be missing.
func when(t *time.Time) any {
	if t == nil {
		return nil
	}
	return milliseconds(*t)
}
