package source

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"time"
)

// Revision names what the snapshot has told by the time it is asked for first: the
// Git commit where the directory is a checkout, with +hash of the content when it
// is dirty, else the hash alone. A copy has the revision of what it is a copy of.
func (s *Snapshot) Revision(ctx context.Context) Revision {
	s.mu.Lock()
	known := s.revision
	s.mu.Unlock()
	if known == (Revision{}) {
		known = s.findRevision(ctx)
		s.mu.Lock()
		s.revision = known
		s.mu.Unlock()
	}
	return known
}

func (s *Snapshot) findRevision(ctx context.Context) Revision {
	hash, files := s.contentHash()
	if !inCheckout(s.dir) {
		return Revision{ID: hash}
	}
	told, ok := git(ctx, s.dir, "log", "-1", "--format=%H%n%an%n%s")
	if !ok {
		return Revision{ID: hash}
	}
	commit, rest, _ := strings.Cut(told, "\n")
	author, subject, _ := strings.Cut(rest, "\n")
	r := Revision{ID: commit, Commit: commit, Author: author, Subject: subject}
	status, ok := git(ctx, s.dir, append([]string{"status", "--porcelain", "--"}, files...)...)
	if !ok || status != "" {
		r.ID = commit + "+" + hash
	}
	return r
}

// inCheckout reports whether the directory, or one above, is a Git checkout.
func inCheckout(dir string) bool {
	if real, err := filepath.EvalSymlinks(dir); err == nil {
		dir = real
	}
	for {
		if _, err := os.Lstat(filepath.Join(dir, ".git")); err == nil {
			return true
		}
		above := filepath.Dir(dir)
		if above == dir {
			return false
		}
		dir = above
	}
}

// git runs one git command in a directory; ok is false when there is no git, or
// it fails. It takes no lock and runs no program that the checkout names: the
// directory may be another's.
func git(ctx context.Context, dir string, args ...string) (string, bool) {
	ctx, cancel := context.WithTimeout(ctx, 5*time.Second)
	defer cancel()
	command := exec.CommandContext(ctx, "git", append([]string{"--no-optional-locks", "-c", "core.fsmonitor=false", "-C", dir}, args...)...)
	var out bytes.Buffer
	command.Stdout = &out
	if err := command.Run(); err != nil {
		return "", false
	}
	return strings.TrimSpace(out.String()), true
}

// contentHash is a short digest of what was told, and the files below the
// directory that it is of: git judges only those, not the state beside them.
func (s *Snapshot) contentHash() (hash string, files []string) {
	h := sha256.New()
	questions, answers := s.sorted()
	for _, q := range questions {
		a := answers[q]
		if a.err != nil || q.op == opList { // of the names that are listed each file counts
			continue
		}
		rel := portable(s.dir, q.path)
		if (q.op == opRead || q.op == opInput) && !filepath.IsAbs(rel) {
			files = append(files, rel)
		}
		h.Write([]byte(q.op + "\x00" + rel + "\x00" + q.pattern + "\x00"))
		h.Write(a.sum[:])
	}
	if files == nil {
		files = []string{"."}
	}
	return hex.EncodeToString(h.Sum(nil))[:12], files
}
