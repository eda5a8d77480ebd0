package store

import "time"

// usernameKey is what usernames are compared by: A-Z as a-z, every other byte
// as it is. Folding more would make one login of two people's names: Unicode
// takes the Kelvin sign to k.
func usernameKey(username string) string {
	key := []byte(username)
	for i, c := range key {
		if 'A' <= c && c <= 'Z' {
			key[i] = c + ('a' - 'A')
		}
	}
	return string(key)
}

// emailKey is what addresses are compared by, folded as little as usernames.
func emailKey(email string) string { return usernameKey(email) }

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
