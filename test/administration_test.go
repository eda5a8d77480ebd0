package test

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"mime"
	"mime/multipart"
	"mime/quotedprintable"
	"net/http"
	"net/mail"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"
)

// An administrator is as whom a script administers.
type administrator struct {
	credential string // the bearer of its requests; empty: the operator key
	actor      string // the user it acts for; empty: nobody
	token      string // consistency token of its last change; decisions carry it
	read       []string
}

// administrationWords are the commands of scripts that administer.
func administrationWords() map[string]word {
	return map[string]word{
		"portal": {run: portal},
		"as":     {run: as},
		"manage": {run: manage},
		"take":   {run: take},
		"mail":   {run: mailed, not: true},
	}
}

// portal [SCOPE...] makes a service token with those scopes, which later requests
// carry. Without one they carry the operator key, as they do at first; "none"
// is no credential at all.
func portal(s script, args []string) error {
	s.admin.credential, s.admin.actor = "", ""
	if len(args) == 0 {
		return nil
	}
	if args[0] == "none" {
		s.admin.credential = "none"
		return nil
	}
	scopes, _ := json.Marshal(args)
	expires := time.Now().Add(time.Hour).UTC().Format(time.RFC3339)
	if err := s.administer(http.MethodPost, "service-tokens", fmt.Sprintf(`{"name":"portal","scopes":%s,"expires_at":%q}`, scopes, expires)); err != nil {
		return err
	}
	made := struct{ Secret string }{}
	if err := json.Unmarshal([]byte(s.last.body), &made); err != nil || made.Secret == "" {
		return fmt.Errorf("no token was made: %w", err)
	}
	s.admin.credential = made.Secret
	return nil
}

// as [USERNAME] makes later requests act for that user, or for nobody.
func as(s script, args []string) error {
	s.admin.actor = ""
	if len(args) == 0 {
		return nil
	}
	id, err := s.recordOf("user", func(r person) bool { return r.Username == args[0] })
	s.admin.actor = id
	return err
}

// manage METHOD PATH [BODY] [HEADER...] [-> STATUS [REASON]] sends one request to
// the management listener. PATH is below /v1/ unless it begins with a slash. In
// it @NAME is the member of that username; BODY is a file or begins as JSON, and
// $NAME in it is what take or mail found.
func manage(s script, args []string) error {
	want := args[len(args):]
	if arrow := slices.Index(args, "->"); arrow >= 0 {
		args, want = args[:arrow], args[arrow+1:]
	}
	if len(args) < 2 {
		return errors.New("want manage METHOD PATH [BODY] [HEADER...] [-> STATUS [REASON]]")
	}
	text, headers := "", args[2:]
	if len(headers) > 0 && !strings.Contains(headers[0], ": ") {
		text, headers = s.text(headers[0]), headers[1:]
	}
	if err := s.administer(args[0], args[1], text, headers...); err != nil {
		return err
	}
	return s.answered(want)
}

// text is a body: the argument itself, or the file that it names.
func (s script) text(arg string) string {
	if !strings.HasPrefix(arg, "{") && !strings.HasPrefix(arg, "[") {
		arg = s.ReadFile(arg)
	}
	return os.Expand(arg, s.Getenv)
}

// answered wants a status and a reason. Without a status it wants success.
func (s script) answered(want []string) error {
	if len(want) == 0 {
		if s.last.status >= http.StatusBadRequest {
			return fmt.Errorf("status: got %d, want it done", s.last.status)
		}
		return nil
	}
	if err := status(s, want); err != nil || len(want) == 1 {
		return err
	}
	problem := struct{ Reason string }{}
	if err := json.Unmarshal([]byte(s.last.body), &problem); err != nil || problem.Reason != want[1] {
		return fmt.Errorf("reason: got %q, want %s", problem.Reason, want[1])
	}
	return nil
}

func (s script) administer(method, path, body string, headers ...string) error {
	running, err := s.server()
	if err != nil {
		return err
	}
	if path, err = s.located(path); err != nil {
		return err
	}
	credential, err := s.credential()
	if err != nil {
		return err
	}
	if credential != "none" {
		headers = append([]string{"Authorization: Bearer " + credential}, headers...)
	}
	if s.admin.actor != "" {
		headers = append([]string{"Postern-Actor: " + s.admin.actor}, headers...)
	}
	s.last, err = running.administration.send(method, path, body, headers...)
	s.fresh = true
	if token := s.last.header.Get("Postern-Consistency-Token"); token != "" {
		s.admin.token = token
	}
	return err
}

func (s script) credential() (string, error) {
	if s.admin.credential != "" {
		return s.admin.credential, nil
	}
	key, err := os.ReadFile(filepath.Join(s.Getenv("POSTERN_STATE"), "operator.key"))
	return strings.TrimSpace(string(key)), err
}

// located is the path with ids for the usernames in it.
func (s script) located(path string) (string, error) {
	if !strings.HasPrefix(path, "/") {
		path = "/v1/" + path
	}
	parts := strings.Split(path, "/")
	for i, part := range parts {
		name, ok := strings.CutPrefix(part, "@")
		if !ok {
			continue
		}
		name, query, _ := strings.Cut(name, "?")
		id, err := s.recordOf("membership", func(r person) bool { return r.User == name && r.Organization == parts[i-2] })
		if err != nil {
			return "", err
		}
		if parts[i] = id; query != "" {
			parts[i] += "?" + query
		}
	}
	return strings.Join(parts, "/"), nil
}

// A person is a user or a membership as an export has it.
type person struct{ Type, ID, Username, User, Organization string }

// recordOf is the id of the one record of that type in an export.
func (s script) recordOf(kind string, is func(person) bool) (string, error) {
	if err := s.postern("export"); err != nil {
		return "", err
	}
	for line := range strings.Lines(s.ReadFile("stdout")) {
		var r person
		if err := json.Unmarshal([]byte(line), &r); err != nil {
			return "", err
		}
		if r.Type == kind && is(r) {
			return r.ID, nil
		}
	}
	return "", fmt.Errorf("the directory has no such %s", kind)
}

// take NAME MEMBER[.MEMBER...] keeps a part of the last body as $NAME. A number
// is an element of a list.
func take(s script, args []string) error {
	v, err := decode(s.last.body)
	if err != nil {
		return err
	}
	for _, step := range strings.Split(args[1], ".") {
		switch at := v.(type) {
		case map[string]any:
			v = at[step]
		case []any:
			i, err := strconv.Atoi(step)
			if err != nil || i >= len(at) {
				return fmt.Errorf("%s: there is no element %s", args[1], step)
			}
			v = at[i]
		}
	}
	text, ok := v.(string)
	if !ok {
		return fmt.Errorf("%s: got %v, want a text", args[1], v)
	}
	s.Setenv(args[0], text)
	return nil
}

// mail ADDRESS [PATTERN] waits for the next mail to that address, whose text
// matches; it becomes stdout, and its link $LINK. With "!" there is no other
// than those that were read: first wait for one that was sent later.
func mailed(s script, args []string) error {
	enough := time.Now().Add(patience)
	for {
		found, err := s.unread(args[0])
		if err != nil {
			return err
		}
		if found != "" || s.neg {
			return s.readMail(found, args[1:])
		}
		if time.Now().After(enough) {
			return fmt.Errorf("no mail came to %s", args[0])
		}
		time.Sleep(20 * time.Millisecond)
	}
}

// unread is the file of the oldest mail to an address that was not read yet.
func (s script) unread(address string) (string, error) {
	files, err := filepath.Glob(filepath.Join(s.MkAbs("mail"), "*.eml"))
	if err != nil {
		return "", err
	}
	slices.Sort(files) // by id, and so by time
	for _, file := range files {
		if slices.Contains(s.admin.read, file) {
			continue
		}
		text, err := os.ReadFile(file)
		if err != nil {
			return "", err
		}
		m, err := mail.ReadMessage(strings.NewReader(string(text)))
		if err != nil {
			return "", err
		}
		to, err := m.Header.AddressList("To")
		if err == nil && len(to) == 1 && to[0].Address == address {
			return file, nil
		}
	}
	return "", nil
}

func (s script) readMail(file string, patterns []string) error {
	if file == "" {
		return errors.New("there is no such mail")
	}
	s.admin.read = append(s.admin.read, file)
	text, err := plain(file)
	if err != nil {
		return err
	}
	fmt.Fprint(s.Stdout(), text)
	if link := regexp.MustCompile(`#token=(\S+)`).FindStringSubmatch(text); link != nil {
		s.Setenv("LINK", link[1])
	}
	for _, p := range patterns {
		if err := matches(p, text); err != nil {
			return err
		}
	}
	return nil
}

// plain is the subject and the text of a mail.
func plain(file string) (string, error) {
	f, err := os.Open(file)
	if err != nil {
		return "", err
	}
	defer f.Close()
	m, err := mail.ReadMessage(f)
	if err != nil {
		return "", err
	}
	subject, err := new(mime.WordDecoder).DecodeHeader(m.Header.Get("Subject"))
	if err != nil {
		return "", err
	}
	kind, about, err := mime.ParseMediaType(m.Header.Get("Content-Type"))
	if err != nil {
		return "", err
	}
	body := io.Reader(quotedprintable.NewReader(m.Body))
	if strings.HasPrefix(kind, "multipart/") {
		if body, err = multipart.NewReader(m.Body, about["boundary"]).NextPart(); err != nil {
			return "", err
		}
	}
	text, err := io.ReadAll(body)
	return subject + "\n\n" + string(text), err
}
