package agent

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"time"
)

// Revision names the configuration that was read: the Git commit where the
// directory is a checkout, with +hash of the content when it is dirty, else the
// hash alone. files are those that the configuration read.
func Revision(dir string, files []string) string {
	hash := contentHash(dir, files)
	commit, ok := git(dir, "rev-parse", "--verify", "HEAD")
	if !ok {
		return hash
	}
	status, ok := git(dir, append([]string{"status", "--porcelain", "--"}, inside(dir, files)...)...)
	if !ok || status != "" {
		return commit + "+" + hash
	}
	return commit
}

// git runs one git command in a directory; ok is false when there is no git, no
// checkout, or it fails.
func git(dir string, args ...string) (string, bool) {
	ctx, cancel := context.WithTimeout(context.Background(), 5*time.Second)
	defer cancel()
	command := exec.CommandContext(ctx, "git", append([]string{"-C", dir}, args...)...)
	var out bytes.Buffer
	command.Stdout = &out
	if err := command.Run(); err != nil {
		return "", false
	}
	return strings.TrimSpace(out.String()), true
}

// inside are the files below dir: git judges only those, not the state beside them.
func inside(dir string, files []string) []string {
	var names []string
	for _, name := range files {
		if rel, err := filepath.Rel(dir, name); err == nil && filepath.IsLocal(rel) {
			names = append(names, rel)
		}
	}
	if names == nil {
		names = []string{"."}
	}
	return names
}

func contentHash(dir string, files []string) string {
	h := sha256.New()
	names := slices.Sorted(slices.Values(files))
	for _, name := range slices.Compact(names) {
		content, err := os.ReadFile(name)
		if err != nil {
			continue // looked for and not there
		}
		rel, err := filepath.Rel(dir, name)
		if err != nil {
			rel = name
		}
		sum := sha256.Sum256(content)
		h.Write([]byte(rel))
		h.Write([]byte{0})
		h.Write(sum[:])
	}
	return hex.EncodeToString(h.Sum(nil))[:12]
}
