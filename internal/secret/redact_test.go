package secret_test

import (
	"strings"
	"testing"

	"github.com/postern-authz/postern/internal/secret"
)

func TestAWholeSecretIsRedactedWhereverItStands(t *testing.T) {
	_, key, _ := secret.OperatorKey.New()
	mac := strings.Repeat("a", 42) + "8"
	for _, s := range []string{key, "pst_inv_0193cbd0-7d1e-7c3f-8a3e-1f2d3c4b5a69.1." + mac, "whsec_" + strings.Repeat("ab+/", 10) + "abc=", "eyJhbGciOiJFUzI1NiJ9.eyJzdWIiOiJyb3NhIn0." + mac} {
		text := `there is no "` + s + `", nor https://portal.example/#token=` + s + "."
		if got, want := secret.Redact(text), `there is no "[redacted]", nor https://portal.example/#token=[redacted].`; got != want || !secret.In(text) {
			t.Errorf("got %s, want %s", got, want)
		}
	}
	for _, text := range []string{"", "there is no organization acme", "st_" + strings.Repeat("a", 43), "pk_portal", "ok_abc_def"} {
		if got := secret.Redact(text); got != text || secret.In(text) {
			t.Errorf("got %s, want %s as it was", got, text)
		}
	}
}
