package source

import (
	"crypto/sha256"
	"errors"
	"io/fs"
	"path/filepath"
	"slices"
	"sync"
	"time"

	"github.com/waybill-dev/waybill/hclspec"
)

// Snapshot is a configuration directory as it was when each of its files was
// first asked for: the same question has the same answer for as long as the
// snapshot lives. It is a hclspec.Files, and safe for concurrent use.
type Snapshot struct {
	dir   string // absolute, its links as they were given
	under hclspec.Files
	// onDisk says that under answers from the disk, which may change.
	onDisk bool

	mu      sync.Mutex
	answers map[question]*answer
	// sealed is when nothing may be taken from the disk any more that changed
	// after begun; see Seal.
	sealed   bool
	begun    time.Time
	stale    bool // something was asked for that had changed after begun
	trail    *trail
	revision Revision // once it was asked for
	kept     int      // how many answers were kept
}

// The questions that a snapshot answers.
const (
	opList   = "list"   // about a pattern
	opRead   = "read"   // about a path
	opInput  = "input"  // about a path
	opExists = "exists" // about a path
	opMatch  = "match"  // about a directory and a pattern
)

// question is what was asked. It is the key under which its answer is kept.
type question struct{ op, path, pattern string }

// answer is what was told, and how to see that it would be told otherwise.
type answer struct {
	content []byte // of read and input
	names   []string
	exists  bool
	err     error

	sum   [sha256.Size]byte // of all that was told
	print print             // of the path, taken before it was read
	at    time.Time         // when the print was taken, by the kernel's clock
}

// Take begins a snapshot of a directory. What it reads is read from the
// directory of that name, wherever its links lead at that moment.
func Take(dir string) *Snapshot {
	if absolute, err := filepath.Abs(dir); err == nil { // else whoever loads it says so
		dir = absolute
	}
	return &Snapshot{dir: dir, under: hclspec.Disk(dir), onDisk: true, answers: make(map[question]*answer), begun: kernelNow()}
}

// Dir is the absolute path of the configuration directory.
func (s *Snapshot) Dir() string { return s.dir }

// Live reports whether it is of what stands there, and not of a copy.
func (s *Snapshot) Live() bool { return s.onDisk }

// Grown reports whether more was told than was kept.
func (s *Snapshot) Grown() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.onDisk && len(s.answers) > s.kept
}

// List implements hclspec.Files.
func (s *Snapshot) List(pattern string) ([]string, error) {
	a := s.ask(question{op: opList, path: s.dir, pattern: pattern})
	return slices.Clone(a.names), a.err
}

// Read implements hclspec.Files.
func (s *Snapshot) Read(path string) ([]byte, error) {
	a := s.ask(question{op: opRead, path: path})
	return a.content, a.err
}

// Input implements hclspec.Files.
func (s *Snapshot) Input(path string) ([]byte, error) {
	a := s.ask(question{op: opInput, path: path})
	return a.content, a.err
}

// Exists implements hclspec.Files.
func (s *Snapshot) Exists(path string) (bool, error) {
	a := s.ask(question{op: opExists, path: path})
	return a.exists, a.err
}

// Match implements hclspec.Files.
func (s *Snapshot) Match(dir, pattern string) ([]string, error) {
	a := s.ask(question{op: opMatch, path: dir, pattern: pattern})
	return slices.Clone(a.names), a.err
}

// Seal says that the configuration is taken. What is asked for the first time
// from now on is only answered when it is as it was when the snapshot was begun.
func (s *Snapshot) Seal() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.sealed = true
}

// errChanged is the error of a late question about what has changed.
var errChanged = errors.New("it has changed since the configuration that runs was taken, and is read with the next one that is taken")

// ask answers a question, for the first time or again. What was never answered
// because it had changed may be asked again.
func (s *Snapshot) ask(q question) *answer {
	s.mu.Lock()
	defer s.mu.Unlock()
	if a, ok := s.answers[q]; ok {
		return a
	}
	if a := s.follows(q); a != nil {
		return a
	}
	if s.sealed && s.onDisk && changedSince(s.dir, q.path, s.begun) {
		s.stale = true
		return &answer{err: errChanged}
	}
	a := answerOf(s.under, q)
	s.answers[q] = a
	s.trail.note(s.dir, q, a)
	return a
}

// follows is the answer that another one contains: who has read a file knows
// that it exists.
func (s *Snapshot) follows(q question) *answer {
	if q.op != opExists {
		return nil
	}
	a, ok := s.answers[question{op: opInput, path: q.path}]
	switch {
	case !ok:
		return nil
	case a.err == nil:
		return &answer{exists: true}
	case errors.Is(a.err, fs.ErrNotExist):
		return &answer{}
	}
	return nil
}

// answerOf asks now.
func answerOf(files hclspec.Files, q question) *answer {
	a := &answer{print: printOf(q.path), at: kernelNow()}
	switch q.op {
	case opList:
		a.names, a.err = files.List(q.pattern)
	case opRead:
		a.content, a.err = files.Read(q.path)
	case opInput:
		a.content, a.err = files.Input(q.path)
	case opExists:
		a.exists, a.err = files.Exists(q.path)
	case opMatch:
		a.names, a.err = files.Match(q.path, q.pattern)
	}
	a.sum = a.digest()
	return a
}

// digest is the same for the same answer.
func (a *answer) digest() [sha256.Size]byte {
	h := sha256.New()
	h.Write(a.content)
	for _, name := range a.names {
		h.Write([]byte(name))
		h.Write([]byte{0})
	}
	if a.exists {
		h.Write([]byte{1})
	}
	if a.err != nil {
		h.Write([]byte(a.err.Error()))
	}
	return [sha256.Size]byte(h.Sum(nil))
}

// settles is how long after a change another one may leave the same print: the
// grain of the clocks that stamp files, the coarsest file systems included.
const settles = 2 * time.Second

// changed reports whether a question would be answered otherwise now. Where the
// print of the file is another one the content decides, and becomes what later
// looks are compared with; so it does while the print is too young to be trusted.
func (s *Snapshot) changed() bool {
	s.mu.Lock()
	if s.stale {
		s.mu.Unlock()
		return true
	}
	asked := make(map[question]answer, len(s.answers))
	for q, a := range s.answers {
		asked[q] = *a
	}
	s.mu.Unlock()
	for q, was := range asked {
		if (q.op == opRead || q.op == opInput) && was.print == printOf(q.path) && was.print.before(was.at.Add(-settles)) {
			continue
		}
		is := answerOf(s.under, q)
		if is.sum != was.sum {
			return true
		}
		s.mu.Lock()
		s.answers[q].print, s.answers[q].at = is.print, is.at
		s.mu.Unlock()
	}
	return false
}

// directories are those in which something was asked for.
func (s *Snapshot) directories() []string {
	s.mu.Lock()
	defer s.mu.Unlock()
	dirs := map[string]bool{s.dir: true}
	for q, a := range s.answers {
		switch q.op {
		case opList:
		case opMatch:
			dirs[q.path] = true
			for _, name := range a.names {
				for at := filepath.Dir(name); at != "."; at = filepath.Dir(at) {
					dirs[filepath.Join(q.path, at)] = true
				}
			}
		default:
			dirs[filepath.Dir(q.path)] = true
		}
	}
	list := make([]string, 0, len(dirs))
	for dir := range dirs {
		list = append(list, dir)
	}
	slices.Sort(list)
	return list
}

// sorted are all questions and answers, in the order of the questions.
func (s *Snapshot) sorted() ([]question, map[question]answer) {
	s.mu.Lock()
	defer s.mu.Unlock()
	questions := make([]question, 0, len(s.answers))
	answers := make(map[question]answer, len(s.answers))
	for q, a := range s.answers {
		questions = append(questions, q)
		answers[q] = *a
	}
	slices.SortFunc(questions, func(a, b question) int {
		return slices.Compare([]string{a.path, a.op, a.pattern}, []string{b.path, b.op, b.pattern})
	})
	return questions, answers
}
