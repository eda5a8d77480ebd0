package mail

import (
	"errors"
	"fmt"
	"net/textproto"

	"github.com/postern-authz/postern/internal/outbox"
)

// ours is what a server says of us, or of itself, and not of the mail: the mail
// waits until somebody has mended it.
func ours(step string, reason outbox.Reason, err error) error {
	if code := codeOf(err); code != 0 {
		return &outbox.Delay{Reason: reason, Err: fmt.Errorf("the mail server answers %s with %d", step, code)}
	}
	if reason == ReasonAuth {
		return &outbox.Delay{Reason: reason, Err: errors.New("the mail server broke off, or there is no way to sign in that it offers and we know")}
	}
	return &outbox.Delay{Reason: ReasonLost}
}

// refusal is what a server says of the mail. Its words are left out, for they
// often hold the address.
func refusal(step string, err error) error {
	code := codeOf(err)
	switch {
	case code == 0:
		return &outbox.Delay{Reason: ReasonLost}
	case code == 530, code == 534, code == 535, code == 538: // RFC 4954
		return ours(step, ReasonAuth, err)
	case step == "MAIL" && code >= 500 && code <= 504: // it does not even understand us
		return ours(step, ReasonServer, err)
	case code < 500:
		return ours(step, ReasonDeferred, err)
	}
	return &outbox.Undeliverable{Reason: class(step, code)}
}

func class(step string, code int) outbox.Reason {
	switch {
	case step == "MAIL":
		return ReasonSender
	case code == 552 && step == "RCPT":
		return ReasonMailboxFull
	case step != "RCPT":
		return ReasonContent
	case code == 550, code == 551, code == 553:
		return ReasonMailbox
	}
	return ReasonRecipient
}

// codeOf is the server's answer, or 0 if there was none.
func codeOf(err error) int {
	if answer := new(textproto.Error); errors.As(err, &answer) {
		return answer.Code
	}
	return 0
}
