package test

import (
	"encoding/base64"
	"errors"
	"fmt"
	"io"
	"mime"
	"mime/multipart"
	"mime/quotedprintable"
	"net/mail"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"time"
)

// mails ADDRESS [PATTERN] waits for the next mail to the address, wants its
// subject and text to match, and keeps what is in its link: $LINK is all of it
// and $TOKEN what the portal posts. With "!" there is none that was not read.
func mails(s script, args []string) error {
	folder := strings.TrimPrefix(s.Getenv("POSTERN_MAIL"), "file://")
	enough := time.Now().Add(patience)
	if s.neg {
		enough = time.Now()
	}
	for {
		name, err := s.unread(folder, args[0])
		if err == nil {
			s.read[name] = true
			return s.open(filepath.Join(folder, name), args[1:])
		}
		if time.Now().After(enough) {
			return err
		}
		time.Sleep(20 * time.Millisecond)
	}
}

// unread is the oldest mail to the address that no line has read yet.
func (s script) unread(folder, address string) (string, error) {
	entries, err := os.ReadDir(folder)
	if err != nil {
		return "", err
	}
	var names []string
	for _, e := range entries {
		if strings.HasSuffix(e.Name(), ".eml") && !s.session.read[e.Name()] {
			names = append(names, e.Name())
		}
	}
	slices.Sort(names) // by the id of the message, which begins with its time
	for _, name := range names {
		m, err := letterOf(filepath.Join(folder, name))
		if err != nil {
			return "", err
		}
		if m.to == address {
			return name, nil
		}
	}
	return "", fmt.Errorf("there is no mail to %s among %d that were not read", address, len(names))
}

// open shows a mail to the script as its stdout.
func (s script) open(path string, patterns []string) error {
	m, err := letterOf(path)
	if err != nil {
		return err
	}
	s.last, s.fresh = exchange{method: "MAIL", url: m.to, body: m.subject + "\n\n" + m.text}, true
	s.Setenv("LINK", m.link)
	_, token, _ := strings.Cut(m.link, "#token=")
	s.Setenv("TOKEN", token)
	written.secret(token)
	for _, pattern := range patterns {
		if err := matches(pattern, s.last.body); err != nil {
			return err
		}
	}
	return nil
}

// A letter is what a mail says.
type letter struct{ to, subject, text, link string }

func letterOf(path string) (letter, error) {
	file, err := os.Open(path)
	if err != nil {
		return letter{}, err
	}
	defer file.Close()
	m, err := mail.ReadMessage(file)
	if err != nil {
		return letter{}, err
	}
	to, err := mail.ParseAddress(m.Header.Get("To"))
	if err != nil {
		return letter{}, err
	}
	l := letter{to: to.Address}
	l.subject, err = new(mime.WordDecoder).DecodeHeader(m.Header.Get("Subject"))
	text, errText := plain(m.Header.Get("Content-Type"), m.Header.Get("Content-Transfer-Encoding"), m.Body)
	l.text = text
	l.link = regexp.MustCompile(`https?://\S+#token=[A-Za-z0-9_.~-]+`).FindString(text)
	return l, errors.Join(err, errText)
}

// plain is the part of a mail that is plain text.
func plain(kind, coding string, body io.Reader) (string, error) {
	media, params, err := mime.ParseMediaType(kind)
	if err != nil {
		return "", err
	}
	if strings.HasPrefix(media, "multipart/") {
		parts := multipart.NewReader(body, params["boundary"])
		for {
			part, err := parts.NextRawPart()
			if err != nil {
				return "", err
			}
			if text, err := plain(part.Header.Get("Content-Type"), part.Header.Get("Content-Transfer-Encoding"), part); err == nil {
				return text, nil
			}
		}
	}
	if media != "text/plain" {
		return "", fmt.Errorf("%s is not plain text", media)
	}
	switch strings.ToLower(coding) {
	case "quoted-printable":
		body = quotedprintable.NewReader(body)
	case "base64":
		body = base64.NewDecoder(base64.StdEncoding, body)
	}
	text, err := io.ReadAll(body)
	return string(text), err
}
