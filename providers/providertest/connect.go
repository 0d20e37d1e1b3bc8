package providertest

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strconv"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/zclconf/go-cty/cty"

	"github.com/waybill-dev/waybill/providers"
)

// testConnect makes calls to a server that misbehaves: each call reaches it
// once, and no error shows a secret.
func testConnect(t *testing.T, v Vendor) {
	if !hasArgument(v.Definition.Schema.Arguments, "endpoint", cty.String) {
		connection, err := v.Definition.Connect(v.with(nil), options())
		if err != nil || connection.Gate == nil {
			t.Errorf("connect: %+v, %v", connection, err)
		}
		return
	}
	for name, serve := range map[string]http.HandlerFunc{
		"hang up":   func(http.ResponseWriter, *http.Request) { panic(http.ErrAbortHandler) },
		"error 500": func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(500) },
		"throttled": func(w http.ResponseWriter, _ *http.Request) { w.Header().Set("Retry-After", "7"); w.WriteHeader(429) },
		"redirect": func(w http.ResponseWriter, r *http.Request) {
			http.Redirect(w, r, "/elsewhere", http.StatusTemporaryRedirect)
		},
		"cut short": cutShort,
		"oversized": oversized,
		"compressed": func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Content-Encoding", "gzip")
			_, _ = w.Write(packings(t, v.Good)["gzip"])
		},
		"echo": echo,
	} {
		t.Run(name, func(t *testing.T) {
			var count atomic.Int64
			server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				count.Add(1)
				if r.Header.Get("Accept-Encoding") != "identity" {
					t.Errorf("Accept-Encoding %q: evidence would not be what was sent", r.Header.Get("Accept-Encoding"))
				}
				if r.UserAgent() != "Waybill/test" {
					t.Errorf("User-Agent %q", r.UserAgent())
				}
				serve(w, r)
			}))
			defer server.Close()
			for i := range int64(2) {
				answer, err := v.call(context.Background(), t, server.URL)
				if count.Load() != i+1 {
					t.Fatalf("call %d: %d requests (%+v, %v)", i+1, count.Load(), answer, err)
				}
				if !answer.Reached || answer.At.IsZero() {
					t.Errorf("%+v", answer)
				}
				if err != nil {
					checkError(t, v, err)
					if strings.Contains(err.Error(), "/api/") {
						t.Errorf("the URL shows in: %v", err)
					}
				}
				v.judge(t, name, answer, err)
			}
		})
	}
	t.Run("nobody there", func(t *testing.T) {
		server := httptest.NewServer(http.NotFoundHandler())
		server.Close()
		answer, err := v.call(context.Background(), t, server.URL)
		if err == nil || answer.Reached || answer.Status != 0 || providers.KindOf(err) != providers.Transient {
			t.Fatalf("%+v, %v", answer, err)
		}
		checkError(t, v, err)
	})
	t.Run("cancelled", func(t *testing.T) {
		ctx, cancel := context.WithCancel(context.Background())
		cancel()
		_, err := v.call(ctx, t, "http://127.0.0.1:1")
		if !errors.Is(err, context.Canceled) || providers.KindOf(err) != providers.Transient {
			t.Fatal(err)
		}
	})
	t.Run("no credentials", func(t *testing.T) {
		for name := range v.Config {
			if _, err := v.Definition.Connect(v.with(map[string]cty.Value{name: cty.NullVal(cty.String)}), options()); err == nil {
				t.Errorf("connected without %s", name)
			}
		}
	})
	t.Run("bad endpoint", func(t *testing.T) {
		if _, err := v.Definition.Connect(v.with(map[string]cty.Value{"endpoint": cty.StringVal("http://example.com")}), options()); err == nil {
			t.Error("credentials would go over the network in clear")
		}
	})
}

func (v Vendor) judge(t *testing.T, name string, answer providers.Answer, err error) {
	t.Helper()
	switch name {
	case "hang up":
		if err == nil || answer.Status != 0 {
			t.Errorf("%+v, %v", answer, err)
		}
	case "throttled":
		if err != nil || answer.Status != 429 || answer.RetryAfter != 7*time.Second || !answer.Complete {
			t.Errorf("%+v, %v", answer, err)
		}
	case "error 500", "redirect":
		if err != nil || answer.Status != map[string]int{"error 500": 500, "redirect": 307}[name] || !answer.Complete {
			t.Errorf("%+v, %v", answer, err)
		}
	case "cut short":
		if providers.KindOf(err) != providers.WrongContent || answer.Complete || string(answer.Body) != "{\"part\":" {
			t.Errorf("%+v, %v", answer, err)
		}
	case "oversized":
		if providers.KindOf(err) != providers.WrongContent || answer.Complete || len(answer.Body) != providers.MaxAnswer {
			t.Errorf("%d bytes, %v", len(answer.Body), err)
		}
	case "compressed":
		if err != nil || !bytes.Equal(answer.Body, packings(t, v.Good)["gzip"]) || answer.Redacted {
			t.Errorf("not as it came: %q, %v", answer.Body, err)
		}
	case "echo":
		if err != nil || !answer.Complete || !answer.Redacted {
			t.Errorf("%+v, %v", answer, err)
		}
		for _, secret := range v.Secrets {
			if bytes.Contains(answer.Body, []byte(secret)) || bytes.Contains(answer.Body, []byte(url.QueryEscape(secret))) {
				t.Errorf("a secret is kept: %s", answer.Body)
			}
		}
	}
}

// echo tells the whole request again, as some debugging servers do.
func echo(w http.ResponseWriter, r *http.Request) {
	body, _ := io.ReadAll(r.Body)
	_ = json.NewEncoder(w).Encode(map[string]any{"message": fmt.Sprint(r.URL, r.Header), "headers": r.Header, "body": string(body)})
}

func cutShort(w http.ResponseWriter, _ *http.Request) {
	w.Header().Set("Content-Length", strconv.Itoa(100))
	_, _ = w.Write([]byte(`{"part":`))
	_ = http.NewResponseController(w).Flush()
	panic(http.ErrAbortHandler)
}

func oversized(w http.ResponseWriter, _ *http.Request) {
	chunk := make([]byte, 1<<20)
	for i := range chunk {
		chunk[i] = ' '
	}
	for range 10 {
		if _, err := w.Write(chunk); err != nil {
			return
		}
	}
}

func options() providers.Options {
	return providers.Options{Now: time.Now, Log: slog.New(slog.DiscardHandler), UserAgent: "Waybill/test"}
}

// call makes one poll or pull at an endpoint.
func (v Vendor) call(ctx context.Context, t *testing.T, endpoint string) (providers.Answer, error) {
	t.Helper()
	connection, err := v.Definition.Connect(v.with(map[string]cty.Value{"endpoint": cty.StringVal(endpoint)}), options())
	if err != nil {
		t.Fatal(err)
	}
	if connection.Timeout <= 0 || connection.Concurrency <= 0 {
		t.Errorf("%+v", connection)
	}
	if connection.Puller != nil {
		return connection.Puller.Pull(ctx, providers.PullRequest{Project: "org-34", Limit: 100})
	}
	return connection.Poller.Poll(ctx, v.target(t))
}
