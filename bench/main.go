// Command bench measures Waybill beside what it is measured against, in the same
// run on the same machine, and prints one table. A figure is a ratio; an absolute
// time is only a note. It reports and judges nothing.
//
// Run it from the root of the repository: make bench, or make bench-quick.
package main

import (
	"flag"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"runtime"
	"text/tabwriter"
)

// figure is one line of the table.
type figure struct {
	what, ours, peer, ratio, aim string
}

// bench is one run: where it works, and what it found.
type bench struct {
	quick   bool
	dir     string // for everything that is made
	waybill string // the program
	beside  string // another build of it, for the measures without another peer; empty: none
	self    string // this program, which is also some of the peers
	figures []figure
}

// measure is one part of the run.
type measure struct {
	name string
	run  func(*bench) error
}

func measures() []measure {
	return []measure{
		{"plan", plans},
		{"terraform", terraform},
		{"reads", reads},
		{"callbacks", callbacks},
		{"store", store},
		{"evaluation", evaluation},
		{"agent", idleAgent},
		{"expect", expectAdded},
		{"argument", argumentChanged},
		{"ending", ended},
	}
}

func main() {
	if len(os.Args) > 1 {
		if peer, ok := peers()[os.Args[1]]; ok {
			if err := peer(os.Args[2:]); err != nil {
				fmt.Fprintln(os.Stderr, err)
				os.Exit(1)
			}
			return
		}
	}
	quick := flag.Bool("quick", false, "smaller numbers, about a minute")
	only := flag.String("only", "", "measure only what this `pattern` matches (plan, terraform, reads, callbacks, store, evaluation, agent, expect, argument, ending)")
	beside := flag.String("beside", "", "measure expect, argument and ending of this `program`, another build of Waybill, too")
	flag.Parse()
	if err := run(*quick, *only, *beside); err != nil {
		fmt.Fprintln(os.Stderr, "bench:", err)
		os.Exit(1)
	}
}

// peers are what this program is when it runs as a process of its own, to be
// measured from outside as Waybill is.
func peers() map[string]func([]string) error {
	return map[string]func([]string) error{
		"peer-floor":     floorPeer,
		"peer-fax":       faxServer,
		"peer-reads":     readsPeer,
		"peer-callbacks": callbackPeer,
	}
}

func run(quick bool, only, beside string) error {
	pattern, err := regexp.Compile(only)
	if err != nil {
		return err
	}
	dir, err := os.MkdirTemp("", "waybill-bench")
	if err != nil {
		return err
	}
	defer os.RemoveAll(dir)
	b := &bench{quick: quick, dir: dir, waybill: filepath.Join(dir, "waybill")}
	if beside != "" {
		if b.beside, err = filepath.Abs(beside); err != nil {
			return err
		}
	}
	if b.self, err = os.Executable(); err != nil {
		return err
	}
	if out, err := exec.Command("go", "build", "-o", b.waybill, ".").CombinedOutput(); err != nil {
		return fmt.Errorf("build waybill: %w\n%s", err, out)
	}
	for _, m := range measures() {
		if !pattern.MatchString(m.name) {
			continue
		}
		fmt.Fprintf(os.Stderr, "measuring %s ...\n", m.name)
		if err := m.run(b); err != nil {
			return fmt.Errorf("%s: %w", m.name, err)
		}
	}
	b.print()
	return nil
}

// add adds a line; a ratio of ours to the peer's, however it is to be read.
func (b *bench) add(what, ours, peer, ratio, aim string) {
	b.figures = append(b.figures, figure{what, ours, peer, ratio, aim})
	fmt.Fprintf(os.Stderr, "  %s: %s, %s, %s\n", what, ours, peer, ratio)
}

func (b *bench) print() {
	fmt.Printf("%s, %s/%s, %d cores\n\n", runtime.Version(), runtime.GOOS, runtime.GOARCH, runtime.NumCPU())
	w := tabwriter.NewWriter(os.Stdout, 0, 0, 2, ' ', 0)
	fmt.Fprintln(w, "figure\tours\tpeer or limit\tratio\taim")
	for _, f := range b.figures {
		fmt.Fprintf(w, "%s\t%s\t%s\t%s\t%s\n", f.what, f.ours, f.peer, f.ratio, f.aim)
	}
	_ = w.Flush() // standard output: there is nowhere to complain
}
