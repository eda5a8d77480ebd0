package postern

import (
	"context"
	"log/slog"
	"net/http"
)

// A Guard lets requests through to a handler of net/http if their user may.
type Guard struct {
	Client *Client
	User   func(*http.Request) (Entity, bool) // from the application's own session; false: nobody is signed in
	Log    *slog.Logger
}

type answerKey struct{}

// Allowed is the answer that let a request through to its handler.
func Allowed(ctx context.Context) Answer {
	answer, _ := ctx.Value(answerKey{}).(Answer)
	return answer
}

// Allow guards a route: the action it is, and the resource it is done to. Nobody
// signed in is a 401, a denial a 403, and no answer from Postern a 503.
func (g Guard) Allow(action string, resource func(*http.Request) Entity, next http.HandlerFunc) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		user, ok := g.User(r)
		if !ok {
			w.Header().Set("WWW-Authenticate", `Basic realm="portal"`)
			http.Error(w, "Sign in.", http.StatusUnauthorized)
			return
		}
		ctx := WithTrace(r.Context(), r.Header.Get("X-Request-ID"), r.Header.Get("traceparent"))
		q := Question{Action: action, Resource: resource(r)}
		answer := g.Client.Evaluate(ctx, user, q)
		if !answer.Allowed {
			status, text := Refuse(g.Log, user, q, answer)
			http.Error(w, text, status)
			return
		}
		next(w, r.WithContext(context.WithValue(ctx, answerKey{}, answer)))
	}
}

// Refuse logs why a request is not let through, and returns what its user is
// told. A framework's own guard uses it too.
func Refuse(log *slog.Logger, user Entity, q Question, a Answer) (status int, text string) {
	log = log.With("user", user.ID, "action", q.Action, "resource", q.Resource.Type+":"+q.Resource.ID, "decision_id", a.DecisionID)
	if a.Err != nil {
		log.Error("refused because there is no decision", "err", a.Err)
		return http.StatusServiceUnavailable, "This cannot be done at the moment. Try again."
	}
	log.Info("denied", "reasons", a.Reasons)
	return http.StatusForbidden, "You may not do this."
}
