package test

import (
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
)

// as WHO METHOD PATH [FILE|JSON] [HEADER...] [-> STATUS [REASON]] sends a request
// to the management listener and wants the status, 200 if none is given. WHO is
// a username, that the operator's key then acts for; operator, for that key by
// itself; nobody, for no credential; or a service token, a JWT or an operator
// key, perhaps with "/" and whom it acts for. In the file, ${NAME} is a variable
// of the script.
func as(s script, args []string) error {
	want, reason := http.StatusOK, ""
	if arrow := slices.Index(args, "->"); arrow >= 0 {
		var err error
		if want, err = strconv.Atoi(strings.Join(args[arrow+1:min(arrow+2, len(args))], "")); err != nil {
			return errors.New("want -> STATUS [REASON]")
		}
		reason = strings.Join(args[arrow+2:], " ")
		args = args[:arrow]
	}
	if len(args) < 3 {
		return errors.New("want as WHO METHOD PATH [FILE|JSON] [HEADER...] [-> STATUS [REASON]]")
	}
	if err := s.administer(args[0], args[1], args[2], args[3:]); err != nil {
		return err
	}
	return s.wants(want, reason)
}

// wants checks the answer to a request for administration.
func (s script) wants(status int, reason string) error {
	if s.last.status != status {
		return fmt.Errorf("status: got %d, want %d", s.last.status, status)
	}
	var problem struct{ Reason string }
	if reason == "" {
		return nil
	}
	if err := json.Unmarshal([]byte(s.last.body), &problem); err != nil || problem.Reason != reason {
		return fmt.Errorf("reason: got %q, want %s", problem.Reason, reason)
	}
	return nil
}

// administer sends a request to the management listener; the rest is its body,
// if it has one, and its headers.
func (s script) administer(who, method, path string, rest []string) error {
	running, err := s.server()
	if err != nil {
		return err
	}
	headers, err := s.credential(running, who)
	if err != nil {
		return err
	}
	body := ""
	if len(rest) > 0 && !strings.Contains(rest[0], ": ") {
		if body, err = s.content(rest[0]); err != nil {
			return err
		}
		rest = rest[1:]
	}
	if method == http.MethodPatch && strings.HasSuffix(path, "/preferences") {
		headers = append(headers, "Content-Type: application/merge-patch+json")
	}
	s.last, err = running.administration.send(method, path, body, append(headers, rest...)...)
	s.fresh = true
	if err != nil {
		return err
	}
	if token := s.last.header.Get("Postern-Consistency-Token"); token != "" {
		s.token = token
	}
	written.exchange(s.last)
	return conforms("management", s.last)
}

// content is JSON as it stands, or that of a file with its variables put in.
func (s script) content(word string) (string, error) {
	if strings.HasPrefix(word, "{") || strings.HasPrefix(word, "[") {
		return word, nil
	}
	var missing []string
	text := regexp.MustCompile(`\$\{(\w+)\}`).ReplaceAllStringFunc(s.ReadFile(word), func(ref string) string {
		value := s.Getenv(ref[2 : len(ref)-1])
		if value == "" {
			missing = append(missing, ref)
		}
		return value
	})
	if len(missing) > 0 {
		return "", fmt.Errorf("%s names %v, which nothing was saved as", word, missing)
	}
	return text, nil
}

// credential is how WHO proves who it is.
func (s script) credential(running *server, who string) ([]string, error) {
	credential, actor, _ := strings.Cut(who, "/")
	switch {
	case who == "nobody":
		return nil, nil
	case strings.HasPrefix(who, "ok_"), strings.HasPrefix(who, "st_"), strings.HasPrefix(who, "ey"):
	default:
		if credential, actor = s.operatorKey(), who; who == "operator" {
			actor = ""
		}
		if credential == "" {
			return nil, errors.New("the server has made no operator key")
		}
	}
	headers := []string{"Authorization: Bearer " + credential}
	if actor == "" {
		return headers, nil
	}
	id, err := s.userID(running, actor)
	return append(headers, "Postern-Actor: "+id), err
}

// operatorKey is the one that was made on the first start.
func (s script) operatorKey() string {
	text, err := os.ReadFile(filepath.Join(s.Getenv("POSTERN_STATE"), "operator.key"))
	if err != nil {
		return ""
	}
	return strings.TrimSpace(string(text))
}

// userID finds the id of a username among the members of all organizations, and
// remembers it: the id of a user never changes.
func (s script) userID(running *server, username string) (string, error) {
	if strings.HasPrefix(username, "usr_") {
		return username, nil
	}
	if known, ok := s.users[username]; ok {
		return known, nil
	}
	organizations, err := s.list(running, "/v1/organizations?page_size=200")
	if err != nil {
		return "", err
	}
	for _, o := range organizations {
		members, err := s.list(running, fmt.Sprintf("/v1/organizations/%s/members?page_size=200&show_removed=true&q=%s", o.ID, url.QueryEscape(username)))
		if err != nil {
			return "", err
		}
		for _, m := range members {
			if m.Username == username && m.User != "" {
				s.users[username] = m.User
				return m.User, nil
			}
		}
	}
	return "", fmt.Errorf("nobody has the username %s", username)
}

type summary struct{ ID, User, Username string }

// list reads one page of a list as the operator.
func (s script) list(running *server, path string) ([]summary, error) {
	x, err := running.administration.send(http.MethodGet, path, "", "Authorization: Bearer "+s.operatorKey())
	if err != nil {
		return nil, err
	}
	if x.status != http.StatusOK {
		return nil, fmt.Errorf("%s", x)
	}
	var page struct{ Items []summary }
	return page.Items, json.Unmarshal([]byte(x.body), &page)
}

// save NAME .PATH keeps a value of the last body as a variable; PATH names
// members and positions, such as .items.0.id. Without a PATH it is all of it.
func save(s script, args []string) error {
	v, err := decode(s.last.body)
	if err != nil {
		return err
	}
	if len(args) == 1 {
		s.Setenv(args[0], strings.TrimSpace(s.last.body))
		return nil
	}
	for step := range strings.SplitSeq(strings.TrimPrefix(args[1], "."), ".") {
		if v, err = member(v, step); err != nil {
			return fmt.Errorf("save %s %s: %w", args[0], args[1], err)
		}
	}
	s.Setenv(args[0], fmt.Sprint(v))
	return nil
}

func member(v any, step string) (any, error) {
	switch v := v.(type) {
	case map[string]any:
		if inner, ok := v[step]; ok {
			return inner, nil
		}
	case []any:
		if i, err := strconv.Atoi(step); err == nil && i < len(v) {
			return v[i], nil
		}
	}
	return nil, fmt.Errorf("there is no %q", step)
}

// etag NAME keeps the ETag of the last answer as a variable.
func etag(s script, args []string) error {
	tag := s.last.header.Get("ETag")
	if tag == "" {
		return errors.New("the answer has no ETag")
	}
	s.Setenv(args[0], tag)
	return nil
}

// audit ORGANIZATION [TYPE...] wants the organization's trail to hold, and to
// have events of these types in this order; others may lie between. With "!" it
// has them not so. ORGANIZATION is - for what belongs to none.
func audit(s script, args []string) error {
	path := "/v1/organizations/" + args[0] + "/audit-events"
	if args[0] == "-" {
		path = "/v1/audit-events"
	}
	types, err := s.trail(path)
	if err != nil {
		s.Fatalf("%v\n%s", err, s.last)
	}
	rest := types
	for _, kind := range args[1:] {
		at := slices.Index(rest, kind)
		if at < 0 {
			return fmt.Errorf("the trail has %q, want %q in this order", types, args[1:])
		}
		rest = rest[at+1:]
	}
	return nil
}

// trail are the types of the events of a trail, which has to hold.
func (s script) trail(path string) ([]string, error) {
	if err := s.administer("operator", http.MethodGet, path+"/verify", nil); err != nil {
		return nil, err
	}
	var said struct{ OK bool }
	if err := json.Unmarshal([]byte(s.last.body), &said); err != nil || !said.OK {
		return nil, errors.New("the trail does not hold")
	}
	if err := s.administer("operator", http.MethodGet, path, []string{"Accept: application/x-ndjson"}); err != nil {
		return nil, err
	}
	var types []string
	for line := range strings.Lines(s.last.body) {
		var event struct{ Type string }
		if err := json.Unmarshal([]byte(line), &event); err != nil {
			return nil, err
		}
		types = append(types, event.Type)
	}
	return types, s.wants(http.StatusOK, "")
}
