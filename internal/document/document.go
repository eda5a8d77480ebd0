// Package document writes what the directory knows of a key as few bytes, and
// reads it back: what is read is what was written, and bytes that nobody wrote
// are an error and never more than that.
package document

import (
	"errors"

	"github.com/postern-authz/postern/internal/authz"
)

// A document is written as
//
//	1 byte   version
//	1 byte   parts: bits of login, user, place and granted
//	uvarint  number of texts, then their length in all
//	each     uvarint: bytes it shares with the text before; uvarint: how many
//	         more; those
//	the parts, in which a text is its number, counted from 1; 0 is the empty one
//
// Names repeat within a document, and neighbours begin alike, so most of it is
// what tells one account from the next. The form depends on nothing but the
// document. An empty list is read as nil.
const version = 1

// The bits of parts.
const (
	partLogin = 1 << iota
	partUser
	partPlace
	partGranted
	partsEnd
)

// The bits of a user's, a membership's and a place's flags.
const (
	userRemoved = 1 << iota
	userMFA
	userNarrow
	userEnd
)

const (
	membershipCPNI = 1 << iota
	membershipEnd
)

const (
	placeRestricted = 1 << iota
	placeEnd
)

// maxText bounds the memory that a few bytes can make a reader take: the length
// of all texts of a document.
const maxText = 8 << 20

var (
	errTooLarge = errors.New("the document has more than 8 MiB of names")
	errForm     = errors.New("the bytes are no document")
)

// account begins the scope of one account. A tool's list of accounts names the
// same ones without it.
const account = string(authz.KindAccount) + ":"
