package sandbox

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"time"
)

// control adds the control API to a handler; the package comment documents it.
func (s *Server) control(mux *http.ServeMux) {
	mux.HandleFunc("POST /control/recipients", each(s.AddRecipient))
	mux.HandleFunc("POST /control/orders", each(s.AddOrder))
	mux.HandleFunc("POST /control/sends", each(s.AddSend))
	mux.HandleFunc("POST /control/batches", each(s.AddBatch))
	mux.HandleFunc("POST /control/declare", each(func(d declaration) error {
		return s.Declare(d.Kind, d.ID, d.Expected, d.CallbackURL, time.Time{})
	}))
	mux.HandleFunc("POST /control/faults", each(func(f Fault) error {
		_, err := s.AddFault(f)
		return err
	}))
	mux.HandleFunc("GET /control/faults", show(func(*http.Request) any { return s.Faults() }))
	mux.HandleFunc("DELETE /control/faults", func(w http.ResponseWriter, _ *http.Request) {
		s.ClearFaults()
		tell(w, http.StatusOK, done{})
	})
	mux.HandleFunc("POST /control/clock", each(func(c clock) error {
		if c.Advance <= 0 {
			return errors.New(`advance: write how far the clock is to go on, such as "1h"`)
		}
		s.Advance(time.Duration(c.Advance))
		return nil
	}))
	mux.HandleFunc("GET /control/clock", show(func(*http.Request) any { return map[string]time.Time{"now": s.Now()} }))
	mux.HandleFunc("POST /control/settings", func(w http.ResponseWriter, r *http.Request) {
		// What is not mentioned stays as it is.
		settings := s.Settings()
		if err := readJSON(w, r, func(b []byte) error { return strict(b, &settings) }); err != nil {
			tell(w, http.StatusBadRequest, mistake{err.Error()})
			return
		}
		if err := s.Set(settings); err != nil {
			tell(w, http.StatusBadRequest, mistake{err.Error()})
			return
		}
		tell(w, http.StatusOK, settings)
	})
	mux.HandleFunc("GET /control/settings", show(func(*http.Request) any { return s.Settings() }))
	mux.HandleFunc("GET /control/credentials", show(func(r *http.Request) any {
		return Access{Credentials: s.creds, Env: s.creds.Env(), Endpoints: EndpointsAt("http://" + r.Host)}
	}))
	mux.HandleFunc("GET /control/account", show(func(r *http.Request) any {
		return s.account(r.URL.Query().Get("reads") != "false")
	}))
}

type declaration struct {
	Kind        string `json:"kind"`
	ID          string `json:"id"`
	Expected    int    `json:"expected"`
	CallbackURL string `json:"callback_url"`
}

type clock struct {
	Advance Duration `json:"advance"`
}

// done is the answer to a POST: how many objects were taken in.
type done struct {
	OK int `json:"ok"`
}

type mistake struct {
	Error string `json:"error"`
}

// show answers with what a function returns.
func show(get func(*http.Request) any) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) { tell(w, http.StatusOK, get(r)) }
}

// each takes in one object or a list of them. Those before a mistake are taken
// in, and the error says which one it is.
func each[T any](add func(T) error) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		taken := 0
		err := readJSON(w, r, func(body []byte) error {
			list := []json.RawMessage{body}
			if bytes.HasPrefix(body, []byte("[")) {
				if err := json.Unmarshal(body, &list); err != nil {
					return err
				}
			}
			for i, raw := range list {
				var v T
				err := strict(raw, &v)
				if err == nil {
					err = add(v)
				}
				if err != nil {
					return fmt.Errorf("object %d: %w", i+1, err)
				}
				taken++
			}
			return nil
		})
		if err != nil {
			tell(w, http.StatusBadRequest, mistake{err.Error()})
			return
		}
		tell(w, http.StatusOK, done{OK: taken})
	}
}

// readJSON hands a request's body, without blanks around it, to a function.
func readJSON(w http.ResponseWriter, r *http.Request, take func([]byte) error) error {
	body, err := io.ReadAll(http.MaxBytesReader(w, r.Body, 256<<20))
	if err != nil {
		return fmt.Errorf("request body: %w", err)
	}
	return take(bytes.TrimSpace(body))
}

// strict decodes one value and refuses fields that do not exist.
func strict(b []byte, to any) error {
	d := json.NewDecoder(bytes.NewReader(b))
	d.DisallowUnknownFields()
	if err := d.Decode(to); err != nil {
		return err
	}
	if _, err := d.Token(); !errors.Is(err, io.EOF) {
		return errors.New("there is more after the JSON value")
	}
	return nil
}

func tell(w http.ResponseWriter, status int, v any) {
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(status)
	w.Write(append(encode(v), '\n'))
}
