// Command nethttp is an application on net/http whose routes Postern guards.
package main

import (
	"log/slog"
	"net"
	"net/http"
	"os"
	"time"

	"github.com/postern-authz/postern/deploy/examples/go/portal"
	"github.com/postern-authz/postern/deploy/examples/go/postern"
)

func main() {
	log := slog.New(slog.NewJSONHandler(os.Stderr, nil))
	if err := run(log); err != nil {
		log.Error("ended", "err", err)
		os.Exit(1)
	}
}

func run(log *slog.Logger) error {
	client, err := postern.New(postern.Options{
		URL: os.Getenv("POSTERN_URL"), Key: os.Getenv("POSTERN_KEY"),
		Timeout:     2 * time.Second,
		Obligations: []string{"redact", "record"}, // the page shows no prices; every request is logged
	})
	if err != nil {
		return err
	}
	app := portal.Portal{Decisions: client, Management: os.Getenv("POSTERN_SERVER"), Token: os.Getenv("POSTERN_TOKEN"), Log: log}
	ln, err := net.Listen("tcp", os.Getenv("LISTEN"))
	if err != nil {
		return err
	}
	log.Info("serving", "addr", ln.Addr().String())
	server := &http.Server{Handler: routes(app), ReadHeaderTimeout: 5 * time.Second}
	return server.Serve(ln)
}

// routes says of each route what it does to what. A route without Allow is open
// to everybody.
func routes(app portal.Portal) http.Handler {
	guard := postern.Guard{Client: app.Decisions, User: user, Log: app.Log}
	service := func(r *http.Request) postern.Entity { return portal.Service(r.PathValue("id")) }
	account := func(r *http.Request) postern.Entity { return portal.Account(r.PathValue("account")) }

	mux := http.NewServeMux()
	mux.HandleFunc("GET /services/{id}", guard.Allow("service.view", service, func(w http.ResponseWriter, r *http.Request) {
		who, _ := user(r)
		body, err := app.Page(r.Context(), who, r.PathValue("id"), postern.Allowed(r.Context()))
		if err != nil {
			http.Error(w, "The page cannot be shown.", http.StatusInternalServerError)
			return
		}
		_, _ = w.Write(body)
	}))
	mux.HandleFunc("POST /services/{id}/orders", guard.Allow("order.create", service, func(w http.ResponseWriter, r *http.Request) {
		w.WriteHeader(http.StatusCreated)
	}))
	mux.HandleFunc("DELETE /members/{member}/accounts/{account}", guard.Allow("member.account.revoke", account, func(w http.ResponseWriter, r *http.Request) {
		who, _ := user(r)
		if err := app.TakeAccount(r.Context(), who, r.PathValue("member"), r.PathValue("account")); err != nil {
			app.Log.Error("an account was not taken", "err", err)
			http.Error(w, "The account was not taken.", http.StatusBadGateway)
		}
	}))
	return mux
}

func user(r *http.Request) (postern.Entity, bool) {
	name, _, _ := r.BasicAuth()
	return portal.User(name)
}
