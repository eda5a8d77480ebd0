package webhook

import (
	"crypto/hkdf"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"errors"
	"fmt"
	"strconv"

	"github.com/postern-authz/postern/internal/pap"
)

// MinSecret is the shortest secret that keys are derived from, in bytes.
const MinSecret = 32

// Secrets are what webhooks of one directory are signed with. They are derived
// and never kept. It is safe for concurrent use.
type Secrets struct{ root []byte }

var _ pap.WebhookSecrets = (*Secrets)(nil)

// NewSecrets returns the secrets of a directory. All servers of the directory
// share the secret.
func NewSecrets(secret []byte, directory string) (*Secrets, error) {
	if len(secret) < MinSecret {
		return nil, fmt.Errorf("a secret of %d bytes is too short for webhooks: use %d or more", len(secret), MinSecret)
	}
	if directory == "" {
		return nil, errors.New("the secrets of webhooks need the id of the directory")
	}
	root, err := hkdf.Key(sha256.New, secret, nil, "postern webhook v1\x00"+directory, sha256.Size)
	if err != nil {
		return nil, fmt.Errorf("derive the key of webhooks: %w", err)
	}
	return &Secrets{root}, nil
}

// Secret is what the receiver of a webhook (whk_…) checks signatures with in one
// generation, as Standard Webhooks writes it: whsec_ and 32 bytes in base64.
func (s *Secrets) Secret(id string, generation int) string {
	return "whsec_" + base64.StdEncoding.EncodeToString(s.key(id, generation))
}

func (s *Secrets) key(id string, generation int) []byte {
	h := hmac.New(sha256.New, s.root)
	h.Write([]byte(id + "\x00" + strconv.Itoa(generation)))
	return h.Sum(nil)
}

// sign is one signature of a delivery, as the header has it.
func sign(key []byte, id, timestamp string, body []byte) string {
	h := hmac.New(sha256.New, key)
	h.Write([]byte(id + "." + timestamp + "."))
	h.Write(body)
	return "v1," + base64.StdEncoding.EncodeToString(h.Sum(nil))
}
